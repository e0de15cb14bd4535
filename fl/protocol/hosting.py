"""What a host and its clients say to each other: a file's name, and what an operator signs to have a file kept.

A host is not trusted. It keeps what the chain names, and whoever reads from it hashes what comes.
"""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import urlsplit

from fl.protocol.artifact import Kind
from fl.protocol.signatures import TypedData

NAME = re.compile(r"([0-9a-f]{64})\.(update|masked|model|json)")
SEAT_HEADER, SIGNATURE_HEADER = "Treaty-Seat", "Treaty-Signature"
UPLOAD = (("host", "bytes32"), ("root", "bytes32"), ("seat", "uint256"), ("size", "uint256"))

# Answers to an upload. Any other error is final.
KEPT, NEW, EARLY, BUSY, NO_ROOM = 200, 201, 425, 429, 507


def upload(chain_id: int, federation: str, host: str, root: bytes, seat: int, size: int) -> TypedData:
    """What a seat's operator signs so that the host at this address, and no other, keeps one file of exactly this size."""
    values = sha256(place_of(host).encode()).digest(), root, seat, size
    return TypedData("Upload", UPLOAD, values, chain_id, federation)


def place_of(url: str) -> str:
    """Where a web address leads, in one spelling: name, port and path. Raises ValueError if it is none."""
    parts = urlsplit(url)
    name = "localhost" if parts.hostname in ("127.0.0.1", "::1") else parts.hostname
    if not name:
        raise ValueError(f"{url} names no machine")
    return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}{parts.path.rstrip('/')}"


def parse_name(name: str) -> tuple[bytes, Kind | None] | None:
    """(root, kind) of a file's name, with kind None for a document; None for any other name."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    kind = None if found[2] == "json" else Kind[found[2].upper()]
    return bytes.fromhex(found[1]), kind

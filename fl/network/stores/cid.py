"""IPFS content identifiers in pure Python, so that no node has to be trusted for a file's name.

Profile unixfs-v1-2025 (IPIP-499): CIDv1, SHA-256, raw leaves of 1 MiB, balanced nodes of at most 1,024 links. A file of up to
1 MiB is named by its plain SHA-256: a manifest's CID follows from the hash that the contract holds.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from fl.errors import StoreError
from fl.protocol.artifact import Data

CHUNK_BYTES = 1 << 20
MAX_LINKS = 1024
RAW, DAG_PB = 0x55, 0x70
CID_BYTES = 36  # version, codec, hash function, hash length, 32 bytes


@dataclass(frozen=True)
class Node:
    """A block of a file's tree, with the CID that names it."""

    cid: bytes
    file_bytes: int
    dag_bytes: int  # size of the node and all below it
    block: bytes | memoryview


def cid_of(data: Data, chunk_bytes: int = CHUNK_BYTES, max_links: int = MAX_LINKS) -> bytes:
    """The CID of a file, as its 36 bytes."""
    return tree(data, chunk_bytes, max_links)[-1].cid


def tree(data: Data, chunk_bytes: int = CHUNK_BYTES, max_links: int = MAX_LINKS) -> list[Node]:
    """All nodes of a file's tree, children before parents, the root last."""
    view = memoryview(data)
    chunks = [view[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)] or [view]
    level = [Node(cid_of_digest(sha256(c).digest()), len(c), len(c), c) for c in chunks]
    nodes = list(level)
    while len(level) > 1:
        level = [_parent(level[at : at + max_links]) for at in range(0, len(level), max_links)]
        nodes += level
    return nodes


def cid_of_digest(digest: bytes, codec: int = RAW) -> bytes:
    """The CID of a block (for raw blocks: of a file of up to 1 MiB) from its SHA-256."""
    return bytes([1, codec, 0x12, 0x20]) + digest


def to_text(cid: bytes) -> str:
    """The text that IPFS tools use: multibase base32, `bafk...` for one block, `bafy...` for a tree."""
    return "b" + b32encode(cid).decode().lower().rstrip("=")


def from_text(text: str) -> bytes:
    """The 36 bytes of a CID in base32. Raises StoreError for any other kind."""
    body = text[1:].upper()
    try:
        cid = b32decode(body + "=" * (-len(body) % 8))
    except ValueError:
        cid = b""
    if not is_cid(cid) or to_text(cid) != text:
        raise StoreError(f"{text[:80]!r} is not a CID of version 1 in base32 with SHA-256, such as bafkrei...")
    return cid


def is_cid(locator: bytes) -> bool:
    """Whether bytes from an event are a CID of the kind written here."""
    return len(locator) == CID_BYTES and locator[0] == 1 and locator[1] in (RAW, DAG_PB) and locator[2:4] == b"\x12\x20"


def _parent(children: Sequence[Node]) -> Node:
    """A UnixFS file node in canonical dag-pb: links first, then data."""
    links = b"".join(
        _field(2, _field(1, child.cid) + _field(2, b"") + b"\x18" + _varint(child.dag_bytes)) for child in children
    )
    size = sum(child.file_bytes for child in children)
    sizes = b"".join(b"\x20" + _varint(child.file_bytes) for child in children)
    block = links + _field(1, b"\x08\x02\x18" + _varint(size) + sizes)
    cid = cid_of_digest(sha256(block).digest(), DAG_PB)
    return Node(cid, size, len(block) + sum(child.dag_bytes for child in children), block)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])

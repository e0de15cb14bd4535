"""The file that names a seat's partners in a masked federation: one operator's address a line, and then what people like."""

from __future__ import annotations

from pathlib import Path

from eth_utils.address import is_hex_address, to_checksum_address

from fl.errors import TermsError
from fl.protocol.masks import MAX_SEATS, MIN_SEATS

MAX_BYTES = 1 << 16


def read_partners(path: Path) -> tuple[str, ...]:
    """The addresses in a file. Raises TermsError that names the line and the remedy."""
    try:
        text = path.read_bytes()[: MAX_BYTES + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"--partners {path} cannot be read: {error}") from error
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not is_hex_address(words[0]):
            raise TermsError(
                f"--partners {path}, line {number}: {words[0][:50]!r} is not an address: give the operator of one "
                "partner a line, 0x and 40 hexadecimal digits"
            )
        if (address := to_checksum_address(words[0])) in found:
            raise TermsError(f"--partners {path}, line {number}: {address} stands there twice: leave one out")
        found.append(address)
    if not MIN_SEATS <= len(found) <= MAX_SEATS or len(text) > MAX_BYTES:
        raise TermsError(
            f"--partners {path} names {len(found)} operators, your own among them: name {MIN_SEATS} to {MAX_SEATS}; of "
            "two, each reads the other's update from the sum"
        )
    return tuple(found)

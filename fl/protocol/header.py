"""The randomness in a block's header, which seeds the draw; twin of Headers.sol. A header is an RLP list of byte strings."""

from __future__ import annotations

from fl.errors import TreatyError

PREV_RANDAO = 13  # the field's place, from 0


class HeaderError(TreatyError):
    """Bytes that are no header of Ethereum's form."""


def prev_randao(header: bytes) -> bytes:
    """The field of a header that is known by its hash. What follows it is not read, so that fields which later forks append
    change nothing. Raises HeaderError."""
    at = header[0] - 0xF6 if header[:1] > b"\xf7" else len(header)  # behind the prefix of a list of more than 55 bytes
    for _ in range(PREV_RANDAO):
        at = _behind(header, at)
    if header[at : at + 1] != b"\xa0" or len(header) < at + 33:
        raise HeaderError(
            f"{len(header)} bytes are no header with 32 bytes in field {PREV_RANDAO}: the chain writes another form"
        )
    return header[at + 1 : at + 33]


def _behind(header: bytes, at: int) -> int:
    """Where the item after the one at `at` begins; the end of the header if this one is no byte string."""
    kind = header[at] if at < len(header) else 0xFF
    if kind < 0x80:
        return at + 1
    if kind < 0xB8:
        return at + 1 + kind - 0x80
    if kind < 0xC0:
        size = kind - 0xB7
        return at + 1 + size + int.from_bytes(header[at + 1 : at + 1 + size], "big")
    return len(header)

"""The file of owners that a sponsor admits. Every mistake is reported with its line before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eth_utils import is_checksum_address, is_checksum_formatted_address, is_hex_address, to_checksum_address

from fl.errors import TermsError


def read_owners(path: Path) -> tuple[str, ...]:
    """A file with one address a line; empty lines and text after a # are ignored. Raises TermsError."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise TermsError(f"no allowlist {path}: give a file with one address a line") from None
    except (OSError, ValueError) as error:
        raise TermsError(f"{path} cannot be read as an allowlist: {error}") from error
    bare = ((f"{path}, line {n}", line.partition("#")[0].strip()) for n, line in enumerate(lines, 1))
    if not (owners := checked((place, text) for place, text in bare if text)):
        raise TermsError(f"{path} holds no address: write one a line")
    return owners


def checked(entries: Iterable[tuple[str, object]]) -> tuple[str, ...]:
    """The addresses, in checksum spelling, of (place, address) pairs. Raises TermsError at the first that is wrong."""
    seen: dict[str, str] = {}
    for place, given in entries:
        if not isinstance(given, str) or not given.startswith("0x") or not is_hex_address(given):
            quotes = "" if isinstance(given, str) else ", in quotes"
            raise TermsError(f"{place}: {given!r} is not a valid address: write 0x and 40 hexadecimal digits{quotes}")
        if is_checksum_formatted_address(given) and not is_checksum_address(given):
            raise TermsError(
                f"{place}: the capitals of {given} do not match its checksum: something was mistyped, copy it again"
            )
        owner = str(to_checksum_address(given))
        if owner in seen:
            raise TermsError(f"{place}: {owner} is already at {seen[owner]}: leave one of them out")
        seen[owner] = place
    return tuple(seen)

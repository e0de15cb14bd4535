"""A sponsor's choices: presets, and a YAML file on top of one, checked whole before anything is sent.

Times are in seconds or such as `2h` and `1d 12h`, amounts in whole tokens (`2.5`), addresses in quotes. All mistakes are
reported at once, by name, with what to write instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from fl.errors import TermsError
from fl.protocol.terms import Terms
from fl.tools.cli.amounts import parse_decimal, parse_duration
from fl.tools.federation.allowlist_file import checked, read_owners

# What every preset begins with. Their windows: fl.tools.federation.windows.
LAPTOP: dict[str, Any] = {
    "trim": 0,
    "max_seats": 128,
    "min_reveals": 3,
    "committee": 3,
    "max_attempts": 3,
    "min_stake": 100,
    "no_reveal_slash": 10,
    "no_scores_slash": 10,
    "fraud_slash": 50,
    "challenge_fee": 5,
    "demand_deposit": 0.2,
    "trainer_rate": 10,
    "validator_rate": 2,
    "strictness": 2,
    "proposer_fee": 1,
    "draw_delay": 2,
}
# For Ethereum or its testnets. Who builds which block is known 64 blocks ahead: with 65, whoever calls `close` cannot aim at
# its own.
TESTNET = LAPTOP | {"draw_delay": 128}
# For money at stake on a rollup. Five validators besides an update's author: with four, two liars move a median.
L2 = LAPTOP | {
    "min_reveals": 7,
    "committee": 5,
    "min_stake": 200,
    "no_reveal_slash": 20,
    "no_scores_slash": 20,
    "fraud_slash": 100,
    "draw_delay": 512,
}
EXPECTED = 10  # seats, where an estimate needs a number and none is given


def committee_for(seats: int) -> int:
    """How many validators are drawn where so many seats are expected: more where more of them may collude."""
    return 3 if seats < 7 else 5 if seats < 12 else 7


def for_seats(preset: dict[str, Any], chosen: dict[str, Any], seats: int | None) -> dict[str, Any]:
    """A sponsor's choices on top of a preset, and a committee for the seats that are expected. What is chosen stays."""
    terms = preset | chosen
    if seats is None or "committee" in chosen:
        return terms
    wanted = committee_for(seats)
    if "min_reveals" not in chosen:
        return terms | {"committee": wanted, "min_reveals": max(terms["min_reveals"], wanted)}
    most = chosen["min_reveals"]  # a committee is drawn from at least so many
    return terms | {"committee": max(3, min(wanted, most - (most + 1) % 2))}


def everybody(seats: int | None) -> dict[str, int]:
    """The terms of a masked federation of so many: a round is void unless all take part, and all vote where they are odd and at
    most 15, or else as many as can be drawn. Raises TermsError."""
    if seats is None or seats < 3:
        raise TermsError("a private sum needs to know how many partners there are: add --seats N, 3 or more")
    return {"min_reveals": seats, "max_seats": seats, "committee": min(15, seats - 1 + seats % 2)}


PRESETS = {"laptop": LAPTOP, "live": LAPTOP, "testnet": TESTNET, "l2": L2}
DEFAULTS = LAPTOP
DERIVED = ("manifest", "genesis", "depth", "max_exponent")
KNOWN = tuple(f.name for f in fields(Terms) if f.name not in DERIVED)


def _address(value: object, _: Path) -> str:
    if not (isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{40}", value)):
        raise ValueError(f"must be an address (0x and 40 hexadecimal digits) in quotes, not {value!r}")
    return value


def _allowlist(value: object, folder: Path) -> bytes | tuple[str, ...]:
    try:
        if isinstance(value, list) and value:
            return checked((f"entry {n}", entry) for n, entry in enumerate(value, 1))
        if isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{64}", value):
            return bytes.fromhex(value[2:])
        if isinstance(value, str) and not value.startswith("0x"):
            return read_owners(folder / value)
    except TermsError as error:
        raise ValueError(f"cannot be made: {error}") from None
    kinds = "a list of addresses, the name of a file with one a line, or a Merkle root (0x and 64 hexadecimal digits)"
    raise ValueError(f"is {kinds}, addresses and root in quotes; not {value!r}")


def _label(value: object, _: Path) -> bytes:
    raw = value.encode() if isinstance(value, str) else b""
    if not 0 < len(raw) <= 32:
        raise ValueError(f"must be a text of at most 32 bytes, not {value!r}")
    return raw.ljust(32, b"\0")


def _count(value: object, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {value!r}")
    if not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {value!r}")
    return value


def _amount(value: object, _: Path) -> Decimal:
    try:
        return parse_decimal(value, "x")  # the number of decimals is only known with the token
    except TermsError as error:
        raise ValueError(str(error).removeprefix("x ")) from None


def _duration(value: object, _: Path) -> int:
    try:
        return parse_duration(value, "x")
    except TermsError as error:
        raise ValueError(str(error).removeprefix("x ")) from None


# How a sponsor writes a term, by what the term counts: the value as YAML gives it and the terms file's folder -> the term.
# Raises ValueError, whose text continues after the term's name.
_Reader = Callable[[object, Path], Any]
_OF_TYPE: dict[str, _Reader] = {
    "str": _address,
    "bytes": _allowlist,
    "Label": _label,
    "int": _count,
    "Seconds": _duration,
    "TokenUnits": _amount,
}
_READERS: dict[str, _Reader] = {f.name: _OF_TYPE[str(f.type)] for f in fields(Terms) if f.name in KNOWN}


class _Loader(yaml.SafeLoader):
    """Rejects a key that is given twice, where the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} is given twice")
        return super().construct_mapping(node, deep)


def read_terms(path: Path) -> dict[str, Any]:
    """A terms file in YAML, checked for names, types and units; a list that it names is a file beside it.

    Raises TermsError that names every wrong key and the remedy."""
    try:
        given = yaml.load(path.read_text(), Loader=_Loader)
    except FileNotFoundError:
        raise TermsError(f"no terms file {path}: write one, or leave --terms out to use the preset") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"{path} cannot be read as a terms file: {error}") from error
    except (yaml.YAMLError, RecursionError, TypeError) as error:
        raise TermsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise TermsError(f"{path}: a terms file holds `name: value` lines")
    if missing := [name for name, value in given.items() if value is None]:
        raise TermsError(f"{path}: {missing[0]} has no value: write one, or leave the line out to use the preset's value")
    named = {str(name): value for name, value in given.items()}
    terms: dict[str, Any] = {}
    wrong: list[str] = []
    for name in [known for known in KNOWN if known in named]:
        try:
            terms[name] = _READERS[name](named[name], path.parent)
        except ValueError as error:
            wrong.append(f"{name} {error}")
    wrong += [_unknown(name) for name in named if name not in KNOWN]
    if wrong:
        raise TermsError(f"{path}: " + "; ".join(wrong))
    return terms


def _unknown(name: str) -> str:
    if name in DERIVED:
        return f"{name} follows from the task: leave it out"
    near = difflib.get_close_matches(name, KNOWN, 1)
    remedy = f"did you mean {near[0]}?" if near else f"the terms are {', '.join(KNOWN)}"
    return f"no term is called {name!r}: {remedy}"

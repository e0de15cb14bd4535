"""Amounts and times as people write them: `2.5` tokens, `2h`, `90m`, `1d 12h`. Exact: no float touches money."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation, localcontext

from fl.errors import TermsError
from fl.network.denomination import Denomination
from fl.protocol.terms import Terms

SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_decimal(given: object, what: str) -> Decimal:
    """A number of tokens, before the token's decimals are known. Raises TermsError, which names `what`."""
    text = given if isinstance(given, str) else repr(given) if isinstance(given, float) else str(given)
    try:
        if isinstance(given, bool):
            raise InvalidOperation
        value = Decimal(text.replace("_", "").strip())
        if not value.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise TermsError(f"{what} must be a number of tokens such as 2.5, not {given!r}") from None
    if value < 0:
        raise TermsError(f"{what} is {given}: give a number of tokens of at least 0")
    return value


def parse_amount(given: object, decimals: int, what: str) -> int:
    """A decimal number of tokens in the token's smallest unit. Raises TermsError, which names `what`."""
    value = parse_decimal(given, what)
    with localcontext() as context:
        context.prec = 200  # the usual 28 digits would round what 96 bits hold
        units = value.scaleb(decimals)
    if units != units.to_integral_value():
        raise TermsError(f"{what} is {given}: this token has {decimals} decimals")
    if units > 2**128:
        raise TermsError(f"{what} is {given}: that is more than a federation can hold")
    return int(units)


def parse_duration(given: object, what: str) -> int:
    """Whole seconds from `90`, `90s`, `2h`, `1d 12h`. Raises TermsError, which names `what`."""
    text = str(given).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhdw])", text)
    rest = re.sub(r"(\d+(?:\.\d+)?)\s*([smhdw])", "", text).strip()
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if parts and not rest:
        seconds = sum((Decimal(number) * SECONDS_OF[unit] for number, unit in parts), Decimal(0))
        if seconds == seconds.to_integral_value():
            return int(seconds)
    elif text.isdecimal():
        return int(text)
    raise TermsError(f"{what} must be a time in whole seconds, or such as 90s, 45m, 2h, 1d 12h; not {given!r}")


def worst_case(terms: Terms, denomination: Denomination) -> str:
    """What taking a seat risks: the largest loss in a round, and how long a round can hold the stake. Shown before anything
    is signed."""
    loss, lock = denomination.show(terms.worst_loss()), show_duration(terms.longest_round())
    return f"in one round a seat loses {loss} at most, and a round holds its stake for {lock} at most"


def show_duration(seconds: int) -> str:
    """The two largest units that are not zero: 1d 2h, 3m 20s, 0s."""
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0s"

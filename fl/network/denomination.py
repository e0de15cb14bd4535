"""The token that a federation's amounts are in. The token states its decimals and its symbol, and every amount shown to people
uses them, so that 100 of a token with six decimals are 100 everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any

from fl.errors import plain

LONGEST = 20  # letters of a symbol, which is untrusted


@dataclass(frozen=True)
class Denomination:
    """A token's symbol and decimals: 10 ** decimals token units make one. Raises ValueError for invalid decimals."""

    decimals: int
    symbol: str

    def __post_init__(self) -> None:
        if isinstance(self.decimals, bool) or not isinstance(self.decimals, int) or not 0 <= self.decimals <= 255:
            raise ValueError(f"a token has 0 to 255 decimals, not {self.decimals!r}")
        object.__setattr__(self, "symbol", plain(str(self.symbol))[:LONGEST].strip() or "tokens")

    def number(self, units: int) -> str:
        """Exactly, without needless zeros and with separators: 1,234.5."""
        whole, rest = divmod(units, 10**self.decimals)
        fraction = f"{rest:0{self.decimals}d}".rstrip("0") if rest else ""
        return f"{whole:,}" + (f".{fraction}" if fraction else "")

    def show(self, units: int) -> str:
        """The same with the token's symbol: 1,234.5 USDC."""
        return f"{self.number(units)} {self.symbol}"

    def brief(self, units: int) -> str:
        """The number in short form: two decimal places, or the first two digits that are not zero."""
        tokens = self.tokens(units)
        if tokens >= 1e6:
            return f"{tokens:,.0f}"
        places = 2 if tokens >= 0.1 or not tokens else 1 - floor(log10(tokens))
        text = f"{tokens:,.{places}f}"
        return text.rstrip("0").rstrip(".") if places else text

    def tokens(self, units: int) -> float:
        """An inexact float, for plots and gauges."""
        return float(units / 10**self.decimals)


PLAY = Denomination(18, "TTT")  # TestToken
RAW = Denomination(0, "token units")  # for a token that does not state its decimals: exact, without guessing


def denomination_of(decimals: int | None, symbol: Any) -> Denomination:
    """The denomination that a token states; None if it does not."""
    return RAW if decimals is None else Denomination(decimals, symbol or "")

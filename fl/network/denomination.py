"""What a federation's amounts count in: its own token. A token says how many decimals it has, and what it is called; whoever
shows an amount asks the unit, so that 100 of a token of six decimals are 100 wherever a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any

from fl.errors import plain

LONGEST = 20  # letters of a symbol, which is a stranger's word


@dataclass(frozen=True)
class Denomination:
    """A token as its amounts are told: 10 ** decimals token units make one. Raises ValueError for decimals that are none."""

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
        """The number where there is little room: two places, or the first two digits that are not zero."""
        tokens = self.tokens(units)
        if tokens >= 1e6:
            return f"{tokens:,.0f}"
        places = 2 if tokens >= 0.1 or not tokens else 1 - floor(log10(tokens))
        text = f"{tokens:,.{places}f}"
        return text.rstrip("0").rstrip(".") if places else text

    def tokens(self, units: int) -> float:
        """As a number to plot or to gauge, no longer exact."""
        return units / 10**self.decimals


PLAY = Denomination(18, "TTT")  # TestToken
RAW = Denomination(0, "token units")  # of a token that does not say its decimals: exact, and no guess


def denomination_of(decimals: int | None, symbol: Any) -> Denomination:
    """By what a token answered; None where it did not."""
    return RAW if decimals is None else Denomination(decimals, symbol or "")

"""What an agent decides on: the chain's facts at one moment, the history, and the public record."""

from __future__ import annotations

from dataclasses import dataclass

from fl.agents.record.history import History, RoundLog
from fl.agents.record.public_record import Record
from fl.network.denomination import RAW, Denomination
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.terms import Terms


@dataclass(frozen=True)
class View:
    """A moment. Agents read it and change nothing."""

    chain_id: int
    federation: str
    terms: Terms
    time: int
    block: int
    facts: RoundFacts
    history: History
    record: Record
    concluded: bool = False
    pool: int = 0
    earned: int = 0  # by the seat that looks, not yet claimed
    credit: int = 0  # of the account that looks
    denomination: Denomination = RAW  # of all amounts, to show them

    @property
    def phase(self) -> Phase:
        return phase_and_end(self.facts, self.terms, self.time)[0]

    @property
    def phase_end(self) -> int:
        """When the phase ends by the clock; 0 if it does not."""
        return phase_and_end(self.facts, self.terms, self.time)[1]

    @property
    def round(self) -> RoundLog:
        """The present round, or the last one. Only where a round was ever opened."""
        return self.history.rounds[-1]

    def eligible(self) -> list[int]:
        """Seats that may propose and that the next round counts on."""
        whole = self.terms.min_stake
        return [i for i, s in sorted(self.history.seats.items()) if not s.leaving and s.stake >= whole]

"""What an agent bases its decisions on: the chain's facts at one moment, the history, and the public record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fl.agents.record.history import History, RoundLog
from fl.agents.record.public_record import Record
from fl.network.denomination import RAW, Denomination
from fl.network.federation import Own, Snapshot
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.terms import Terms

NOBODY = Own()


@dataclass(frozen=True)
class Setting:
    """What never changes: which federation on which chain, its terms, the denomination of its amounts."""

    chain_id: int
    federation: str
    terms: Terms
    denomination: Denomination = RAW


@dataclass(frozen=True, kw_only=True)
class View:
    """The state at one moment, which agents only read. own: what concerns this agent."""

    setting: Setting
    snapshot: Snapshot
    history: History
    record: Record
    own: Own = NOBODY

    def frozen(self) -> View:
        """A copy of this moment for another thread, while history and record go on."""
        return replace(self, history=self.history.copy(), record=self.record.copy())

    def with_next(self, base: bytes) -> View:
        """A copy in which the next round has opened with the model `base` and the seats that are eligible now."""
        return replace(self, history=self.history.with_next(base, self.eligible()), record=self.record.copy())

    @property
    def chain_id(self) -> int:
        return self.setting.chain_id

    @property
    def federation(self) -> str:
        return self.setting.federation

    @property
    def terms(self) -> Terms:
        return self.setting.terms

    @property
    def denomination(self) -> Denomination:
        return self.setting.denomination

    @property
    def time(self) -> int:
        """The head's time: that of the next block, at the earliest."""
        return self.snapshot.head.time

    @property
    def block(self) -> int:
        """The number of the block that the next transaction would be in, at the earliest."""
        return self.snapshot.head.number + 1

    @property
    def facts(self) -> RoundFacts:
        return self.snapshot.facts

    @property
    def concluded(self) -> bool:
        """Whether the sponsor has given notice."""
        return self.snapshot.concluded

    @property
    def pool(self) -> int:
        """What the pool holds for future rounds, in token units."""
        return self.snapshot.pool

    @property
    def phase(self) -> Phase:
        return phase_and_end(self.facts, self.terms, self.time)[0]

    @property
    def phase_end(self) -> int:
        """When the phase ends by the clock; 0 if it does not."""
        return phase_and_end(self.facts, self.terms, self.time)[1]

    @property
    def round(self) -> RoundLog:
        """The current round, or the last one. Valid only if a round was ever opened."""
        return self.history.rounds[-1]

    def eligible(self) -> list[int]:
        """Seats that may propose and that take part in the next round."""
        whole = self.terms.min_stake
        return [i for i, s in sorted(self.history.seats.items()) if not s.leaving and s.stake >= whole]

"""What the chain says that a host may keep: roots that seats revealed or proposed, read some confirmations deep by a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fl.agents.record.history import History
from fl.agents.runtime.consistency import disagreement
from fl.errors import TreatyError
from fl.network.federation import FederationReader, Snapshot
from fl.protocol.artifact import Kind


@dataclass(frozen=True)
class Known:
    """What one reading showed. history: until then. operators: by seat. updates: the seats that revealed a root. models: roots
    that were proposed, and the first one."""

    snapshot: Snapshot | None = None
    history: History | None = None
    operators: dict[int, str] = field(default_factory=dict)
    updates: dict[bytes, frozenset[int]] = field(default_factory=dict)
    models: frozenset[bytes] = frozenset()

    def seat_may_give(self, seat: int, root: bytes, kind: Kind) -> bool:
        """Whether the chain shows that this seat has this file to give: its own update, or any proposed model."""
        if seat not in self.operators:
            return False
        return root in self.models if kind is Kind.MODEL else seat in self.updates.get(root, ())

    def is_named(self, root: bytes, kind: Kind) -> bool:
        """Whether the chain names this root at all."""
        return root in self.models if kind is Kind.MODEL else root in self.updates


class Ledger:
    """Reads the chain again and again. Requests are answered from the last reading, so that visitors cannot cause work."""

    def __init__(self, reader: FederationReader, poll: float = 1.0, warn: Callable[[str], object] = lambda text: None):
        self.reader, self.poll, self.warn = reader, poll, warn
        self.history = History(reader.terms.committee)
        self.known = Known(models=frozenset([reader.terms.genesis]))
        self.fresh = threading.Condition()
        self._last: Snapshot | None = None

    def look(self) -> bool:
        """Reads the chain once; returns whether there was a new block. Raises ChainError."""
        snapshot = self.reader.look(self._last.head if self._last else None)
        if snapshot is None:
            return False
        if snapshot.anew:
            self.history = History(self.reader.terms.committee)
        self.history.apply(snapshot.events)
        if difference := disagreement(snapshot, self.history):
            self.reader.forget()
            self._last = None
            self.warn(f"the node's logs and state differ ({difference}): nothing is believed until they agree")
            return False
        self._last = snapshot
        updates: dict[bytes, set[int]] = {}
        models = {self.reader.terms.genesis}
        for log in self.history.rounds:
            for seat, reveal in log.reveals.items():
                updates.setdefault(reveal.root, set()).add(seat)
            models |= {proposal.root for proposal in log.proposals}
        operators = {seat: held.operator for seat, held in self.history.seats.items()}
        with self.fresh:
            named = {root: frozenset(seats) for root, seats in updates.items()}
            self.known = Known(snapshot, self.history.copy(), operators, named, frozenset(models))
            self.fresh.notify_all()
        return True

    def run(self, stop: threading.Event) -> None:
        """Reads until it is stopped; a node that fails is asked again."""
        while not stop.is_set():
            try:
                self.look()
            except TreatyError as error:
                self.warn(f"{error}; trying again")
            stop.wait(self.poll)

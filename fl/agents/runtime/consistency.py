"""Checks consistency: what a node shows enters history and record, and is believed only if its logs and state agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fl.agents.record.history import History
from fl.agents.record.public_record import Record
from fl.agents.record.view import Setting, View
from fl.log import Log
from fl.network.federation import Distrust, FederationReader, Own, Party, Snapshot
from fl.protocol.seats import to_bitmap


class Observer:
    """What one reader has shown so far. record: makes an empty public record, whenever the past must be read again."""

    def __init__(self, node: FederationReader, record: Callable[[], Record], log: Log):
        self.node, self.log = node, log
        self._new_record = record
        self.history, self.record = History(node.terms.committee), record()
        self.setting = Setting(node.chain_id, node.address, node.terms, node.denomination)

    def take_in(self, snapshot: Snapshot) -> None:
        """Applies a reading. Raises Distrust if its logs and state differ; the next reading then fetches every event again."""
        if snapshot.anew:
            if self.history.events:
                text = "the chain was reorganised below what was confirmed: the past is read anew"
                self.log.warn(text, block=snapshot.confirmed.number)
            self.history, self.record = History(self.node.terms.committee), self._new_record()
        self.history.apply(snapshot.events)
        self.record.note(snapshot.events)
        if difference := disagreement(snapshot, self.history):
            self.node.forget()
            where = f"at block {snapshot.confirmed.number} ({difference})"
            raise Distrust(f"the node's logs and state differ {where}: it leaves logs out")

    def view(self, snapshot: Snapshot, party: Party | None = None) -> View:
        """The view of a party, or of anybody."""
        own = Own() if party is None else snapshot.own[party]
        return View(setting=self.setting, snapshot=snapshot, history=self.history, record=self.record, own=own)


def disagreement(snapshot: Snapshot, history: History) -> str:
    """Where a block's state differs from the sum of its logs; empty if nowhere."""
    facts, log = snapshot.facts, history.round
    if facts.number != len(history.rounds):
        return f"round {facts.number}, of {len(history.rounds)} in the logs"
    if log is not None:
        settled = bool(facts.settled_at)
        pairs = {
            "active seats": (facts.active, to_bitmap(log.keys if facts.announce_window else log.active)),
            "end": (facts.live, not log.finalized),
            "closing": (facts.close_block, log.close_block),
            "revealed seats": (facts.revealed, to_bitmap(log.revealed or [])),
            "draw": (facts.committee_size, len(log.committee)),
            "settlement": (settled, log.settled),
            "accepted seats": (facts.accepted, to_bitmap(log.accepted)),
            "proposals": (facts.attempts, len(log.proposals)),
            "open demands": (facts.open_demands if facts.live else 0, len(log.demands) if facts.live else 0),
        }
        for what, (said, logged) in pairs.items():
            if said != logged:
                return what
    return next(_seats_that_differ(snapshot, history), "")


def _seats_that_differ(snapshot: Snapshot, history: History) -> Iterator[str]:
    log = history.round
    for party, own in snapshot.own.items():
        seat, said = party.seat, own.seat
        if seat is None or said is None or not int(said.owner, 16):
            continue
        record = 0 if log is None else 2 if seat in log.reveals else 1 if seat in log.commitments else 0
        known = history.seats.get(seat)
        if known is None or (known.operator, known.stake) != (said.operator, said.stake):
            yield f"seat {seat}"
        if said.record != record:
            yield f"seat {seat}'s record"

"""What the chain says about one's own seat, told once in plain words: each act that it has, whoever sent it, each slash with
its reason, and each score of zero; and whose accepted updates a majority reported missing."""

from __future__ import annotations

from fl.agents.record.history import RoundLog, told_excluded
from fl.agents.record.view import View
from fl.log import Log
from fl.protocol.enums import Offence

ACTS = {
    "Committed": "commitment",
    "Revealed": "reveal",
    "ScoresCommitted": "commitment to scores",
    "ScoresRevealed": "scores",
    "MissingReported": "report of missing updates",
}


class News:
    """Tells one seat's news. After a restart it tells the past slashes again, and of the rest only what is of this round."""

    def __init__(self, seat: int, log: Log):
        self.seat, self.log = seat, log
        self._read = 0  # events that were looked at
        self._round = 0
        self._missing = set[int]()  # whose exclusion from this round was told

    def tell(self, view: View) -> None:
        """Tells what is new in the view."""
        events, current = view.history.events, len(view.history.rounds)
        if len(events) < self._read:  # the past was read anew
            self._read = self._round = 0
        new, self._read = events[self._read :], len(events)
        for event in new:
            fields = event.fields
            if event.name == "RoundOpened":
                self._round, self._missing = fields["round"], set()
            elif event.name == "Slashed" and fields["seat"] == self.seat:
                amount, stake = map(view.denomination.show, (fields["amount"], fields["stake"]))
                why = Offence(fields["offence"]).told(self._round)
                self.log.warn(f"seat {self.seat} was slashed {amount}: {why}; its stake is {stake} now")
            elif event.name in ACTS and fields["seat"] == self.seat and self._round == current:
                self.log.info(f"the chain has this seat's {ACTS[event.name]}")
            elif event.name == "Settled" and self._round == current:
                self._scored(view, view.round)
            elif event.name == "Excluded" and self._round == current:
                self._excluded(view.round)

    def _excluded(self, log: RoundLog) -> None:
        for seat in set(log.excluded) - self._missing:
            remedy = ": give a --store that others can reach, and check it with `ape run doctor`" if seat == self.seat else ""
            self.log.warn(f"round {log.number}: {told_excluded(log, seat)}{remedy}")
        self._missing = set(log.excluded)

    def _scored(self, view: View, log: RoundLog) -> None:
        scores = dict(zip(log.revealed or [], log.medians, strict=False))
        if scores.get(self.seat) == 0:
            self.log.warn(f"seat {self.seat} was scored 0 in round {log.number} and earns nothing: {self._why(view, log)}")

    def _why(self, view: View, log: RoundLog) -> str:
        judged = view.record.judged(view.history, log)
        if self.seat in judged.seen and self.seat not in judged.inside:
            return "the gate left its update out, because it points against most others or is larger than the bound"
        if self.seat not in judged.seen and view.record.update(log.reveals[self.seat].root) is not None:
            return "its update is malformed"
        return (
            "nobody could read your update, although this machine may: give a --store that others can reach, and check it with "
            "`ape run doctor` (if all could read it, the committee's majority lied)"
        )

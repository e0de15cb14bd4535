"""A publisher tells others, signed, what its seat measures of each final model on rows of its own: only if its owner asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fl.agents.record.history import RoundLog
from fl.agents.record.view import View
from fl.agents.roles.validator import seat_metric
from fl.agents.runtime.actions import Action, Files, Measure, Publish
from fl.learning.data.partition import Shard
from fl.learning.evaluator import Evaluator
from fl.protocol.seat_metric import Statement, name_of
from fl.protocol.signatures import TypedData

SUFFIX = "metric"


class Publisher:
    """Measures and publishes for one seat. Deciding reads the journal and whether the store has the metric already."""

    def __init__(self, seat: int, evaluator: Evaluator, shard: Shard, journal: Path, sign: Callable[[TypedData], bytes]):
        self.seat, self.evaluator, self.shard, self.journal, self.sign = seat, evaluator, shard, journal, sign

    def decide(self, view: View) -> list[Action]:
        log, store = _last_final(view), view.record.store
        if log is None or self.seat not in view.history.seats or not store.takes_signed:
            return []
        path = self.journal / f"{log.number}.{SUFFIX}"
        if not path.is_file():
            return [] if view.record.model_file(log.model) is None else [Measure(log.number, self.measure)]
        data, name = path.read_bytes(), name_of(view.federation, log.number, self.seat)
        if not data or store.has_signed(name):
            return []
        return [Publish(data, None, f"this seat's own metric of round {log.number} is published", name)]

    def measure(self, view: View) -> Files:
        """The worker's part: the signed metric, or an empty file where the rows have none."""
        log = _last_final(view)
        assert log is not None  # the same view led to this work
        found = seat_metric(self.evaluator, view.record.model(log.model), self.shard, self.journal, log.number)
        if found is None:
            return {f"{log.number}.{SUFFIX}": b""}
        statement = Statement(log.number, self.seat, log.model, self.evaluator.task.metric, found)
        return {f"{log.number}.{SUFFIX}": statement.to_json(self.sign(statement.typed(view.chain_id, view.federation)))}


def _last_final(view: View) -> RoundLog | None:
    return next((log for log in reversed(view.history.rounds) if log.finalized), None)

"""A validator scores the revealed updates, if it was drawn: the gate decides who is left out, and held-out rows decide what
each earns."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Files, Score, Wait
from fl.errors import UndefinedMetricError
from fl.learning.data.partition import Shard
from fl.learning.evaluator import Evaluator
from fl.learning.local_layers import kept
from fl.learning.scoring import Losses, ScoredRound, Scorer
from fl.protocol.commitment import score_commitment
from fl.protocol.phases import Phase
from fl.protocol.seat_metric import SeatMetric


def _at_home(evaluator: Evaluator, journal: Path, number: int) -> Losses:
    """Losses with the local layers that this seat had in a round."""
    return partial(evaluator.losses, own=kept(journal, number))


def seat_metric(evaluator: Evaluator, vector: NDArray[np.int32], shard: Shard, journal: Path, number: int) -> SeatMetric | None:
    """What a participant measures of the model of a round (units) on its held-out rows; None where these have no metric."""
    rows, own = shard.held_out, kept(journal, number)
    try:
        value = evaluator.metric(vector, rows, own)
        shared = evaluator.metric(vector, rows) if evaluator.task.local else None
    except UndefinedMetricError:
        return None
    return SeatMetric(value, shared, len(rows))


class Validator:
    """Scores for one seat. Deciding reads the journal (what was scored) and which updates the store has."""

    def __init__(self, seat: int, evaluator: Evaluator, shard: Shard, journal: Path):
        self.seat, self.journal = seat, journal
        at = partial(_at_home, evaluator, journal) if evaluator.task.local else None
        self._scorer = Scorer(evaluator.losses, shard.held_out, at)

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.SCORE_COMMIT and self.seat in view.round.committee:
            return self.commits(view)
        if view.phase is Phase.SCORE_REVEAL and self.seat in view.round.score_commitments:
            return [] if self.seat in view.round.scores else self.reveals(view)
        return []

    def scores(self, view: View) -> bytes:
        """One byte per revealed seat. Adversaries differ here."""
        history, log, record = view.history, view.round, view.record
        settled = [r for r in history.rounds[:-1] if r.settled]
        inside = record.judged(history, log).inside
        if not inside:  # nothing to measure: a store that shows nothing, not even the base, must not cost a slash
            return bytes(len(log.revealed or []))
        return self._scorer.score(
            log.revealed or [],
            record.public_round(history, log, inside),
            {r.number: lambda r=r: record.public_round(history, r, r.accepted) for r in settled},  # type: ignore[misc]
            [ScoredRound(r.revealed or [], r.scores, r.medians) for r in settled],
        )

    def score(self, view: View) -> Files:
        """The worker's part: salt and vector."""
        return {f"{view.round.number}.scores": os.urandom(32) + self.scores(view)}

    def commits(self, view: View) -> list[Action]:
        number, kept = view.round.number, self._kept(view)
        committed = self.seat in view.round.score_commitments
        if kept is None:
            return (not committed and self._waits(view)) or [Score(number, self.score)]
        salt, vector = kept
        commitment = score_commitment(view.chain_id, view.federation, number, self.seat, vector, salt)
        if view.round.score_commitments.get(self.seat) == commitment:
            return []
        # A commitment on the chain whose salt was lost is replaced while there is time.
        half = view.phase_end - view.terms.score_commit_window // 2
        args = (number, self.seat, commitment)
        call = Call("commitScores", args, self.seat, number=int(committed), relay_until=0 if committed else half)
        if (failure := self._scorer.failures.get(number)) is None:
            return [call]
        return [
            Wait(view.phase_end, f"scoring failed, so this seat reveals the scores that everybody can compute: {failure}"),
            call,
        ]

    def reveals(self, view: View) -> list[Action]:
        kept = self._kept(view)
        if kept is None:
            return []
        salt, vector = kept
        half = view.phase_end - view.terms.score_reveal_window // 2
        args = (self.seat, vector, salt)
        return [Call("revealScores", args, self.seat, confirmed_until=half, relay_until=half)]

    def _waits(self, view: View) -> list[Action]:
        """Waits up to half of the score window if the store lacks an update. It may be on its way, or the store may be down:
        scoring it 0 would cost its author the pay, and the validator its own if others have seen it."""
        half = view.phase_end - view.terms.score_commit_window // 2
        if view.time >= half:
            return []
        roots = {reveal.root for reveal in view.round.reveals.values()}
        missing = len(roots) - len(view.record.updates(roots))
        why = f"the store lacks {missing} of {len(roots)} updates: scoring waits for them, for up to half of its window"
        return [Wait(half, why)] if missing else []

    def _kept(self, view: View) -> tuple[bytes, bytes] | None:
        """(salt, vector) of this round, if it was scored."""
        path = self.journal / f"{view.round.number}.scores"
        if not path.is_file():
            return None
        kept = path.read_bytes()
        return kept[:32], kept[32:]

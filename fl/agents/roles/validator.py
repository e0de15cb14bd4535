"""A validator scores what was revealed, if it was drawn: the gate says who is left out, held-out rows say what each earns."""

from __future__ import annotations

import os
from pathlib import Path

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.learning.data.partition import Shard
from fl.learning.scoring import ScoredRound, Scorer
from fl.learning.trainer import Evaluator
from fl.protocol.commitment import score_commitment
from fl.protocol.phases import Phase


class Validator:
    """Scores for one seat."""

    accomplices: frozenset[int] = frozenset()  # seats of one's own kind; only cheats look at it

    def __init__(self, seat: int, evaluator: Evaluator, shard: Shard, journal: Path):
        self.seat, self.journal = seat, journal
        self._scorer = Scorer(evaluator.losses, shard.held_out)

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.SCORE_COMMIT and self.seat in view.round.committee:
            # A commitment whose salt is lost is replaced while there is time.
            kept = (self.journal / f"{view.round.number}.scores").is_file()
            return [] if kept and self.seat in view.round.score_commitments else self.commits(view)
        if view.phase is Phase.SCORE_REVEAL and self.seat in view.round.score_commitments:
            return [] if self.seat in view.round.scores else self.reveals(view)
        return []

    def scores(self, view: View) -> bytes:
        """One byte per revealed seat. Adversaries differ here."""
        history, log, record = view.history, view.round, view.record
        settled = [r for r in history.rounds[:-1] if r.settled]
        return self._scorer.score(
            log.revealed or [],
            record.public_round(history, log, record.judged(history, log).inside),
            {r.number: lambda r=r: record.public_round(history, r, r.accepted) for r in settled},  # type: ignore[misc]
            [ScoredRound(r.revealed or [], r.scores, r.medians) for r in settled],
        )

    def commits(self, view: View) -> list[Action]:
        number = view.round.number
        path = self.journal / f"{number}.scores"
        if path.is_file():
            salt, vector = path.read_bytes()[:32], path.read_bytes()[32:]
        else:
            salt, vector = os.urandom(32), self.scores(view)
        commitment = score_commitment(view.chain_id, view.federation, number, self.seat, vector, salt)
        return [Action("commitScores", (self.seat, commitment), self.seat, keep={f"{number}.scores": salt + vector})]

    def reveals(self, view: View) -> list[Action]:
        path = self.journal / f"{view.round.number}.scores"
        if not path.is_file():
            return []
        kept = path.read_bytes()
        return [Action("revealScores", (self.seat, kept[32:], kept[:32]), self.seat)]

"""The score: what an accepted update was worth, and so what it is paid. It never decides what enters the model.

Worth = by how much the loss on the validator's own held-out rows would rise without the update (leave-one-out), as a share
of the loss before the round; harm counts as 0. 255 is a yardstick from past rounds, so that nobody's pay rises because the
present round's best was left out. The public medians of the last round smooth it: one validator's rows are few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from fl.learning.partition import Part
from fl.learning.trainer import Evaluator
from fl.protocol.aggregate import aggregate
from fl.protocol.scores import BEST

FIRST_YARDSTICK = 0.05  # a share of the loss; what the best update of a first round is taken to be worth
WINDOW = 5  # past rounds that the yardstick remembers
KEEP = 0.5  # of the last public median, in a score

Vector = NDArray[np.int32]


@dataclass(frozen=True)
class PublicRound:
    """What the store and the chain show of a round: the model it began with, the accepted updates by seat (units), the trim."""

    number: int
    base: Vector
    accepted: Mapping[int, Vector]
    trim: int


def contributions(loss: Callable[[Vector], float], round_: PublicRound) -> dict[int, float]:
    """Each accepted seat's leave-one-out share of the loss before the round, at least 0."""
    before = loss(round_.base)
    if not round_.accepted or not before > 0:  # nothing to gain; NaN included
        return dict.fromkeys(round_.accepted, 0.0)
    full = loss(aggregate(round_.base, list(round_.accepted.values()), round_.trim))
    worth = {}
    for seat in round_.accepted:
        others = [vector for other, vector in round_.accepted.items() if other != seat]
        worth[seat] = max(0.0, loss(aggregate(round_.base, others, round_.trim)) - full) / before
    return worth


class Scorer:
    """One validator's judgement: its held-out rows, and a memory of past rounds that it can always rebuild."""

    def __init__(self, evaluator: Evaluator, held_out: Part):
        self._loss: Callable[[Vector], float] = lambda vector: evaluator.loss(vector, held_out)
        self._best: dict[int, float] = {}

    def score(
        self,
        revealed: Sequence[int],
        round_: PublicRound,
        past: Sequence[PublicRound],
        last_medians: Mapping[int, int],
    ) -> bytes:
        """One byte per revealed seat: 0 for those that the gate left out, else 1..255.

        past: earlier rounds, any order; last_medians: each seat's median when it was last accepted.
        """
        worth = contributions(self._loss, round_)
        yardstick = self._yardstick(past)
        out = bytearray()
        for seat in revealed:
            if seat not in worth:
                out.append(0)
                continue
            now = min(BEST, BEST * worth[seat] / yardstick)
            blended = KEEP * last_medians[seat] + (1 - KEEP) * now if seat in last_medians else now
            out.append(max(1, round(blended)))
        return bytes(out)

    def _yardstick(self, past: Sequence[PublicRound]) -> float:
        recent = sorted(past, key=lambda r: r.number)[-WINDOW:]
        for r in recent:
            if r.number not in self._best:
                self._best[r.number] = max(contributions(self._loss, r).values(), default=0.0)
        seen = [self._best[r.number] for r in recent if self._best[r.number] > 0]
        return max(median(seen) if seen else FIRST_YARDSTICK, 1e-6)

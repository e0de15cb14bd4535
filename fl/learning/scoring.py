"""The score: what an accepted update was worth, and so what it is paid. It never decides what enters the model.

A validator's own judgement is a decaying sum: how much the loss on its held-out rows would have risen had the seat sent what is
closest to its update among all mixtures of what others published in the last settled round (leave-one-out), as a share of the
loss before the round, summed over rounds with factor 0.9. A single round on a few rows is mostly chance; the sum is not, and it
still pays for honest work when a model has converged and single rounds show nothing.
A score of 255 is set by past rounds, so that nobody's pay rises because the best update of the current round was left out.

Work that adds nothing new is not paid again: a judgement is multiplied by the update's novelty, which everybody computes in the
same way. Novelty falls with the fourth power of the cosine to the model's last change, because a replay of old changes does
improve a model, and with how many others in the round point the same way, because one owner may hold many seats. It also falls
with the square of an update's length beyond the round's median, because whoever stretches an update did no more work.

What a validator reveals is mostly public: the prior, which everybody computes from the vectors revealed in earlier rounds,
moved a twentieth towards its own judgement. Honest validators are therefore close together, and a lying minority, which cannot
move a median beyond the range of honest scores, moves it little. Only the validators nearest to the medians, half of each
committee plus one, enter the prior. It moves four times as far as they did, since each moved only a twentieth of its way. A
seat without a prior starts at a quarter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fl.errors import StoreError, UserCodeError
from fl.learning.gate import ONE, cosine, gram
from fl.protocol.aggregate import CHUNK, aggregate
from fl.protocol.artifact import Numbers
from fl.protocol.scores import BEST

if TYPE_CHECKING:  # rows are torch tensors; recomputing a run from its files needs no torch
    from fl.learning.data.partition import Part

Losses: TypeAlias = "Callable[[NDArray[np.int32], Part], NDArray[np.float64]]"  # models (n, p) over rows to mean losses (n,)

FIRST_YARDSTICK = 0.05  # share of the loss that a typical update of a first round is assumed to be worth
WINDOW = 20  # past rounds that a validator judges by
KEEP = 0.9
UNKNOWN = 64  # the prior of a seat that nobody has scored
OWN = 0.05  # share of the way from the prior to the validator's own judgement
STRIDE = 4  # the prior moves this many times as far as the validators did
MODELS = 1 << 24  # parameters of all models that are compared at once
SHARPNESS = 4  # the power of the cosine in the similarity of two updates
LARGEST = 127 << 23  # units that an update can hold
RIDGE = 1e-6  # keeps mixtures of nearly equal updates small

Vector = NDArray[np.int32]


@dataclass(frozen=True)
class PublicRound:
    """What the store and the chain show of a round: the model it began with, the accepted updates by seat (units), the trim."""

    number: int
    base: Vector
    accepted: Mapping[int, Numbers]
    trim: int
    earlier: Vector | None = None  # the model before `base`; None if that was the first
    published: Mapping[int, Numbers] = field(default_factory=dict)  # updates accepted in the settled round before, by seat


@dataclass(frozen=True)
class ScoredRound:
    """What the chain shows of a settled round's scores: who revealed, each validator's bytes, the medians."""

    revealed: Sequence[int]
    vectors: Mapping[int, bytes]
    medians: bytes


def mixtures(round_: PublicRound) -> dict[int, NDArray[np.float64]]:
    """By accepted seat, the weights of the published updates, in the order of seats, in the mixture closest to its update; 0
    for what it published itself."""
    seats, others = sorted(round_.accepted), sorted(round_.published)
    if not seats:
        return {}
    products = np.array(gram([*(round_.accepted[s] for s in seats), *(round_.published[s] for s in others)]), float)
    norms = np.maximum(np.sqrt(np.diag(products)), 1.0)
    alike = products / np.outer(norms, norms)
    found = {}
    for i, seat in enumerate(seats):
        used = [j for j, other in enumerate(others) if other != seat]
        places = [len(seats) + j for j in used]
        weights = np.linalg.solve(alike[np.ix_(places, places)] + RIDGE * np.eye(len(used)), alike[places, i])
        found[seat] = np.zeros(len(others))
        found[seat][used] = weights * norms[i] / norms[places]
    return found


def candidates(
    round_: PublicRound, some: slice = slice(None), mixed: Mapping[int, NDArray[np.float64]] | None = None
) -> NDArray[np.int32]:
    """The models that leave-one-out compares: before, with all accepted, and for each seat, in order, with its mixture in place
    of its update. Or some of them. mixed: `mixtures` of the round, where they are known already."""
    seats, others = sorted(round_.accepted), sorted(round_.published)
    weights = mixtures(round_) if mixed is None else mixed
    chosen: list[int | None] = [None, None, *seats]
    places = range(len(chosen))[some]
    models = np.empty((len(places), round_.base.size), np.int32)
    for start in range(0, round_.base.size, CHUNK):  # each update is decoded once for all models
        part = slice(start, start + CHUNK)
        rows = {seat: round_.accepted[seat][part] for seat in seats}
        old = np.stack([np.zeros(round_.base[part].size), *(round_.published[other][part] for other in others)])[1:]
        for model, place in zip(models, places, strict=True):
            sent = dict(rows) if place else {}
            if (seat := chosen[place]) is not None:
                sent[seat] = np.clip(np.rint(weights[seat] @ old), -LARGEST, LARGEST).astype(np.int32)
            model[part] = aggregate(round_.base[part], list(sent.values()), round_.trim)
    return models


def worths(round_: PublicRound, losses: NDArray[np.float64]) -> dict[int, float]:
    """Each accepted seat's leave-one-out share of the loss before the round; below zero if it harmed."""
    before, full, *instead = losses
    if not np.isfinite(losses).all() or not before > 0:  # nothing to gain, or nothing to measure with
        return dict.fromkeys(sorted(round_.accepted), 0.0)
    return {seat: float((loss - full) / before) for seat, loss in zip(sorted(round_.accepted), instead, strict=True)}


def novelty(round_: PublicRound) -> dict[int, float]:
    """How much of each accepted update is new, 0 to 1, compared with the model's last change and with others of the round; less
    of one that is longer than the median."""
    seats = sorted(round_.accepted)
    if not seats:
        return {}
    last = [] if round_.earlier is None else [round_.base - round_.earlier]
    products = gram([*(round_.accepted[seat] for seat in seats), *last])
    alike = np.array([[_alike(products, i, j) for j in range(len(products))] for i in range(len(seats))])
    crowd = alike[:, : len(seats)].sum(1)
    repeated = alike[:, len(seats) :].sum(1)
    squares = np.array([max(1, products[i][i]) for i in range(len(seats))], float)
    fresh = (1.0 - repeated) * np.minimum(1.0, np.median(crowd) / crowd) * np.minimum(1.0, np.median(squares) / squares)
    return dict(zip(seats, fresh.tolist(), strict=True))


def _alike(products: list[list[int]], i: int, j: int) -> float:
    """0 to 1: a high power of the cosine, where it is above zero; of a vector to itself 1."""
    return 1.0 if i == j else max(0.0, cosine(products[i][j], products[i][i], products[j][j]) / ONE) ** SHARPNESS


def remembered(memory: Mapping[int, float], now: Mapping[int, float]) -> dict[int, float]:
    """The memory after one more round."""
    return {seat: KEEP * memory.get(seat, 0.0) + now.get(seat, 0.0) for seat in {*memory, *now}}


def judgement(memory: Mapping[int, float], now: Mapping[int, float], fresh: Mapping[int, float]) -> dict[int, float]:
    """0 to 255 for each seat accepted now, by what it was worth so far and how novel it is; the yardstick is the memory before
    this round."""
    seen = [worth for worth in memory.values() if worth > 0]
    yardstick = max(median(seen) if seen else FIRST_YARDSTICK, 1e-6)
    after = remembered(memory, now)
    return {seat: BEST * fresh[seat] * min(1.0, max(0.0, after[seat] / yardstick)) for seat in now}


def prior(settled: Sequence[ScoredRound], earlier: Mapping[int, int] | None = None) -> dict[int, int]:
    """What committees thought of each seat, 1 to 255, from settled rounds in order. Public, and in integers.

    earlier: the prior before the first of these rounds.
    """
    result = dict(earlier or {})
    for round_ in settled:
        places = range(len(round_.revealed))

        def distance(validator: int, round_: ScoredRound = round_, places: range = places) -> int:
            mine = round_.vectors[validator]
            return sum(abs(mine[i] - round_.medians[i]) for i in places if round_.revealed[i] != validator)

        near = sorted(round_.vectors, key=lambda validator: (distance(validator), validator))
        trusted = near[: len(near) // 2 + 1]
        for i in places:
            seat = round_.revealed[i]
            bytes_ = [round_.vectors[v][i] for v in trusted if v != seat]
            if round_.medians[i] > 0 and bytes_:
                before, n = result.get(seat, UNKNOWN), len(bytes_)
                there = before * n + STRIDE * (sum(bytes_) - before * n)  # times n, to be rounded to the nearest
                result[seat] = max(1, min(BEST, (2 * there + n) // (2 * n)))
    return result


def vector(revealed: Sequence[int], judged: Mapping[int, float], given: Mapping[int, int]) -> bytes:
    """The bytes to reveal: 0 for seats that the gate left out, which have no judgement; else 1..255."""
    out = bytearray()
    for seat in revealed:
        start = given.get(seat, UNKNOWN)
        out.append(0 if seat not in judged else max(1, min(BEST, round(start + OWN * (judged[seat] - start)))))
    return bytes(out)


class Scorer:
    """One validator's judgement: its held-out rows, and worths of past rounds that it can always compute anew.

    failures: what its task's code failed with, by round. Such a round measures nothing, like one whose losses are not finite.
    The validator then reveals the prior, because a drawn validator that reveals no scores is slashed.
    at: the losses with the layers that the validator had in a round, if it keeps some at home.
    """

    def __init__(self, losses: Losses, held_out: Part, at: Callable[[int], Losses] | None = None):
        self._at, self._held_out = at or (lambda _: losses), held_out
        self.failures: dict[int, str] = {}
        self._worths: dict[int, dict[int, float]] = {}

    def score(
        self,
        revealed: Sequence[int],
        round_: PublicRound,
        past: Mapping[int, Callable[[], PublicRound]],
        settled: Sequence[ScoredRound],
    ) -> bytes:
        """One byte per revealed seat: 0 for those that the gate left out, else 1..255.

        past: earlier rounds by number, fetched only when they were not judged before; settled: their scores, in order.
        """
        memory: dict[int, float] = {}
        for number in sorted(past)[-WINDOW:]:
            if number not in self._worths:
                try:
                    self._worths[number] = self._judge(past[number]())
                except StoreError:  # files of a round long over may be gone: it is not remembered
                    continue
            memory = remembered(memory, self._worths[number])
        return vector(revealed, judgement(memory, self._judge(round_), novelty(round_)), prior(settled))

    def _judge(self, round_: PublicRound) -> dict[int, float]:
        count, each = len(round_.accepted) + 2, max(1, MODELS // round_.base.size)
        parts = [slice(at, at + each) for at in range(0, count, each)]
        mixed = mixtures(round_)
        try:
            measure = self._at(round_.number)
            losses = np.concatenate([measure(candidates(round_, part, mixed), self._held_out) for part in parts])
        except UserCodeError as error:
            self.failures[round_.number] = str(error)
            losses = np.full(count, np.nan)
        return worths(round_, losses)

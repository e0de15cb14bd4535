"""The Shapley value of each update of a round, exactly or within a budget of model evaluations; all models of a
step are evaluated at once.

The worth of a set of updates is how much their mean lowers the loss. Truncated Monte Carlo after Ghorbani and Zou, "Data
Shapley", 2019; guided sampling (every update leads equally often) with truncation after Liu et al., "GTG-Shapley", 2022.
Scores use leave-one-out, which evaluates one model an update; this measures how close that comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from fl.learning.scoring import PublicRound
from fl.protocol.aggregate import aggregate

Values = Callable[[Sequence[frozenset[int]]], NDArray[np.float64]]
ENOUGH = 0.01  # share of the whole worth: closer than that, the rest of an order is assumed to add nothing


class Worth:
    """The worth of sets of a round's updates, remembered; counts the models that it evaluated."""

    def __init__(self, round_: PublicRound, losses: Callable[[NDArray[np.int32]], NDArray[np.float64]]):
        self._round, self._losses = round_, losses
        self._known: dict[frozenset[int], float] = {}
        self.evaluated = 0

    def of(self, sets: Iterable[frozenset[int]]) -> list[float]:
        sets = list(sets)
        new = [s for s in dict.fromkeys((frozenset(), *sets)) if s not in self._known]
        if new:
            r = self._round
            models = np.stack([aggregate(r.base, [r.accepted[seat] for seat in sorted(s)], r.trim) for s in new])
            self._known.update(zip(new, self._losses(models), strict=True))
            self.evaluated += len(new)
        return [self._known[frozenset()] - self._known[s] for s in sets]


def exact(worth: Worth, seats: Sequence[int]) -> dict[int, float]:
    """Exact values, from all 2^n sets."""
    n = len(seats)
    sets = [frozenset(some) for size in range(n + 1) for some in combinations(seats, size)]
    value = dict(zip(sets, worth.of(sets), strict=True))
    weight = [factorial(size) * factorial(n - size - 1) / factorial(n) for size in range(n)]
    return {seat: sum(weight[len(s)] * (value[s | {seat}] - value[s]) for s in sets if seat not in s) for seat in seats}


def leave_one_out(worth: Worth, seats: Sequence[int]) -> dict[int, float]:
    """The worth of all updates minus the worth without each."""
    whole = frozenset(seats)
    full, *without = worth.of([whole, *(whole - {seat} for seat in seats)])
    return {seat: full - value for seat, value in zip(seats, without, strict=True)}


def monte_carlo(worth: Worth, seats: Sequence[int], budget: int, seed: int, guided: bool) -> dict[int, float]:
    """The mean of what each adds in random orders, until the budget of evaluated models is spent; at least one order each.

    guided: every seat leads an equal number of orders (GTG-Shapley); else orders are plain permutations (TMC).
    """
    rng = np.random.default_rng([seed, len(seats)])
    whole = frozenset(seats)
    full = worth.of([whole])[0]
    added: dict[int, list[float]] = {seat: [] for seat in seats}
    lead, idle = 0, 0
    while worth.evaluated < budget and idle < 20 * len(seats):
        spent = worth.evaluated
        order = [int(seat) for seat in rng.permutation(seats)]
        if guided:
            first = seats[lead % len(seats)]
            order = [first, *(seat for seat in order if seat != first)]
        before, now = 0.0, frozenset[int]()
        for seat in order:
            now |= {seat}
            if abs(full - before) <= ENOUGH * abs(full):
                value = before
            else:
                value = worth.of([now])[0]
            added[seat].append(value - before)
            before = value
        lead += 1
        idle = idle + 1 if worth.evaluated == spent else 0
    return {seat: float(np.mean(values)) if values else 0.0 for seat, values in added.items()}


def rank_correlation(a: dict[int, float], b: dict[int, float]) -> float:
    """Spearman's rank correlation, ignoring ties; 1.0 for the same order."""
    seats = sorted(a)
    ranks = [np.argsort(np.argsort([values[seat] for seat in seats])) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])

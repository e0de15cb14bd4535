"""The gate: which updates enter the model. A pure function of public data in exact integers, so that all honest validators
agree to the byte and a lying minority of the committee cannot move the median. The manifest names a federation's gate.

agreement (the default): an update stays in if
- its norm is at most 1.25 times the median norm of the last round's accepted updates (of a first round: 3 times the median of
  all). The bound is known before training, so that honest participants stay below it and none is left out for its size;
- it agrees with the others: its vote for itself and the mean of its cosines to the accepted updates, both averaged over rounds
  with weight 0.8 on the past, sum to more than zero. Each cosine counts 0.3 at most, so that cheats who send the same update
  cannot vouch for each other; a hospital with unusual patients stays in unless all others point against it.

none: everything well-formed enters. Cosines are integers in units of 2^-30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt

import numpy as np

from fl.protocol.artifact import Numbers

ONE = 1 << 30
LIMB = 16
COLUMNS = 1 << 16  # sums of so many products of 16-bit limbs stay below 2^48: exact in float64, in any order
VALUES = 1 << 19  # values of all vectors at a time, at about 30 bytes each

KEEP, OF = 8, 10  # a moving average keeps 8 parts in 10
CAP = 3 * ONE // 10
ROUNDS_OF_TRUST = 4  # times that the set of accepted seats is recomputed
# Norms are compared as squares: 1.25 and 3 times the median are 25/16 and 144/16 of its square.
BOUND, FIRST_BOUND, BOUND_OF = 25, 144, 16

Updates = Mapping[int, Numbers]


@dataclass(frozen=True)
class GateState:
    """What a gate remembers between rounds. Anybody can rebuild it from the public history.

    averages: per seat the moving average of its agreement; weights: per seat how many rounds stand behind it, in units of
    ONE (only for `agreement`); square: the median squared norm of the updates last let in, 0 before there is one.
    """

    averages: Mapping[int, int] = field(default_factory=dict)
    weights: Mapping[int, int] = field(default_factory=dict)
    square: int = 0


Verdict = tuple[frozenset[int], GateState]


def gram(vectors: Sequence[Numbers]) -> list[list[int]]:
    """The exact inner products of all pairs of vectors of units; in limbs, since they need more than 64 bits. For limbs 64 bits
    are enough: a model has at most 2^30 numbers."""
    n = len(vectors)
    high_high, high_low, low_low = (np.zeros((n, n), np.int64) for _ in range(3))
    each = min(COLUMNS, VALUES // n)
    for start in range(0, vectors[0].size, each):
        block = np.stack([vector[start : start + each] for vector in vectors])
        high, low = (block >> LIMB).astype(np.float64), (block & 0xFFFF).astype(np.float64)
        high_high += (high @ high.T).astype(np.int64)
        high_low += (high @ low.T).astype(np.int64)
        low_low += (low @ low.T).astype(np.int64)
    hh, hl, ll = (products.astype(object) for products in (high_high, high_low, low_low))
    return [[int(value) for value in row] for row in (hh << 2 * LIMB) + ((hl + hl.T) << LIMB) + ll]


def dot(a: Numbers, b: Numbers) -> int:
    """The exact inner product of two vectors of units."""
    return gram([a, b])[0][1]


def cosine(product: int, square_a: int, square_b: int) -> int:
    """The cosine in units of 2^-30, rounded down; 0 if a vector is zero."""
    scale = isqrt(square_a * square_b)
    return product * ONE // scale if scale else 0


def agreement(state: GateState, updates: Updates) -> Verdict:
    """(seats let in, the next state) for the round's well-formed updates, in units, by seat.

    Seats whose update is missing or malformed are not in `updates`: they are left out, and remembered as they were.
    """
    seats = sorted(updates)
    if not seats:
        return frozenset(), state
    products = gram([updates[seat] for seat in seats])
    squares = [products[i][i] for i in range(len(seats))]
    largest = BOUND * state.square if state.square else FIRST_BOUND * middle_of(squares)
    fits = [i for i, square in enumerate(squares) if 0 < BOUND_OF * square <= largest]
    voices = [[min(CAP, cosine(products[i][j], squares[i], squares[j])) for j in range(len(seats))] for i in range(len(seats))]
    old = [(state.averages.get(seat, 0), state.weights.get(seat, 0)) for seat in seats]
    trusted = [i for i in fits if _heard(*old[i], len(seats))]
    if len(trusted) < 2:
        trusted = fits
    new = old
    for _ in range(ROUNDS_OF_TRUST):
        now = [_mean([voices[i][j] for j in trusted if j != i]) for i in range(len(seats))]
        new = [(KEEP * a // OF + voice, KEEP * w // OF + ONE) for (a, w), voice in zip(old, now, strict=True)]
        chosen = [i for i in fits if _heard(*new[i], len(trusted))]
        if not chosen:  # everybody points against everybody: keep the better half
            chosen = [i for i in fits if now[i] >= middle_of([now[j] for j in fits])]
        if chosen == trusted:
            break
        trusted = chosen
    averages, weights = ({seat: pair[part] for seat, pair in zip(seats, new, strict=True)} for part in (0, 1))
    square = middle_of([squares[i] for i in trusted]) if trusted else state.square
    after = GateState({**state.averages, **averages}, {**state.weights, **weights}, square)
    return frozenset(seats[i] for i in trusted), after


def _heard(average: int, weight: int, voices: int) -> bool:
    """Whether a seat's vote for itself and the mean of the others, weighted by their number, sum to more than zero."""
    return weight == 0 or average * max(1, voices - 1) + weight > 0


def _mean(values: list[int]) -> int:
    return sum(values) // len(values) if values else 0


def middle_of(values: list[int]) -> int:
    """The median, the upper of two middles; 0 if there is none."""
    return sorted(values)[len(values) // 2] if values else 0


def _everything(state: GateState, updates: Updates) -> Verdict:
    return frozenset(updates), state


def _agreement_bound(state: GateState) -> int | None:
    """The largest norm, in units, that `agreement` will let in next: known before anybody trains, except in the first round."""
    return isqrt(BOUND * state.square // BOUND_OF) if state.square else None


@dataclass(frozen=True)
class Gate:
    """A rule by which updates enter. bound: the largest norm, in units, that it will let in next, where that is known before
    anybody trains."""

    judge: Callable[[GateState, Updates], Verdict]
    bound: Callable[[GateState], int | None] = lambda state: None


# By name; fl.protocol.manifest states the version of each that is computed here.
GATES: dict[str, Gate] = {"agreement": Gate(agreement, _agreement_bound), "none": Gate(_everything)}

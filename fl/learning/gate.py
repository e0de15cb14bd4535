"""The gate: which updates enter the model. A pure function of public data in exact integers, so that all honest validators
agree to the byte and a lying minority of the committee cannot move the median. The manifest names a federation's gate.

agreement (the default): an update stays in if
- its norm is at most the bound: 1.05 times the norm that six tenths of a round's accepted updates do not reach, the median of
  this over the last five settled rounds (of a first round: 3 times the median of all). The bound is known before training, so
  that honest participants stay below it. It grows slowly, and a round that most seats missed does not move it;
- the others do not outweigh its vote for itself. The voices are the cosines to all updates within the bound, whoever sent them
  and whatever was accepted before, so that nobody who is let in can shut others out for longer. Each counts 0.3 at most, for
  and against; near copies do not vouch for each other. A vote for oneself is 1.05 among up to six seats, and from seven on 1.2
  or 0.12 for each seat, but never more than all others together: where a model has converged, honest updates cancel each other,
  and each points against the sum of the others. From ten seats on, fewer than four tenths cannot outweigh it. At most two
  fifths are left out, those that the others speak against most.

What it remembers of a settled round is one norm, of the updates that the committee accepted, which everybody can force open.

none: everything well-formed enters. Cosines are integers in units of 2^-30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from fl.protocol.artifact import Numbers

ONE = 1 << 30
LIMB = 16
COLUMNS = 1 << 16  # sums of so many products of 16-bit limbs stay below 2^48: exact in float64, in any order
VALUES = 1 << 19  # values of all vectors at a time, at about 30 bytes each

CAP = 3 * ONE // 10
NEAR = 7 * ONE // 10  # a cosine above this is a near copy's
LOOK_BACK = 5  # settled rounds that are remembered
FEW, ALONE = 6, 21 * ONE // 20  # up to so many seats, each one's vote for itself
MIN_VOTE, VOTE_PER_SEAT = 6 * ONE // 5, 12 * ONE // 100  # and among more
# Norms are compared as squares: 1.05 and 3 times a norm are 441/400 and 3600/400 of its square.
BOUND, FIRST_BOUND, BOUND_OF = 441, 3600, 400

Updates = Mapping[int, Numbers]


@dataclass(frozen=True)
class GateState:
    """What a gate remembers between rounds. Anybody can rebuild it from the last settled rounds.

    squares: of each, in order, the squared norm that `memory_of` gives; none of a round in which nothing was accepted.
    """

    squares: tuple[int, ...] = ()


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
    """(seats let in, the next state if just these are accepted) for the round's well-formed updates, in units, by seat.

    Seats whose update is missing or malformed are not in `updates`: they are left out.
    """
    seats = sorted(updates)
    if not seats:
        return frozenset(), state
    products = gram([updates[seat] for seat in seats])
    squares = [products[i][i] for i in range(len(seats))]
    fits = within(state, squares)
    own, heard = own_vote(len(fits)), {i: voices(products, i, fits) for i in fits}
    chosen = [i for i in fits if heard[i] + own > 0]
    fewest = len(fits) - 2 * len(fits) // 5
    if len(chosen) < fewest:
        chosen = sorted(fits, key=lambda i: (-heard[i], i))[:fewest]
    return frozenset(seats[i] for i in chosen), after(state, _square([squares[i] for i in chosen]))


def within(state: GateState, squares: Sequence[int]) -> list[int]:
    """Which of a round's squared norms, by place, are not zero and at most the bound's."""
    largest = BOUND * middle_of(state.squares) if state.squares else FIRST_BOUND * middle_of(squares)
    return [i for i, square in enumerate(squares) if 0 < BOUND_OF * square <= largest]


def own_vote(seats: int) -> int:
    """What a seat's vote for itself weighs among so many within the bound; never more than all others together."""
    return min(CAP * (seats - 1), ALONE if seats <= FEW else max(MIN_VOTE, VOTE_PER_SEAT * seats))


def voices(products: list[list[int]], i: int, fits: Sequence[int]) -> int:
    """What the others within the bound say of update i, from inner products: of each the cosine to it, at most 0.3 for or
    against; of a near copy nothing."""
    alike = [cosine(products[i][j], products[i][i], products[j][j]) for j in fits if j != i]
    return sum(max(-CAP, min(CAP, one)) for one in alike if one <= NEAR)


def memory_of(accepted: Updates) -> int:
    """What `agreement` remembers of a settled round: the squared norm that six tenths of the accepted updates do not pass; 0 if
    nothing was accepted."""
    return _square([gram([update])[0][0] for update in accepted.values()])


def _square(squares: list[int]) -> int:
    return sorted(squares)[6 * len(squares) // 10] if squares else 0


def after(state: GateState, square: int) -> GateState:
    """The state after one more settled round."""
    return GateState((*state.squares, square)[-LOOK_BACK:]) if square else state


def state_of(memories: Sequence[int]) -> GateState:
    """The state after these settled rounds, in order; only the last ones are remembered."""
    state = GateState()
    for square in memories[-LOOK_BACK:]:
        state = after(state, square)
    return state


def middle_of(values: Sequence[int]) -> int:
    """The median, the upper of two middles; 0 if there is none."""
    return sorted(values)[len(values) // 2] if values else 0


def _everything(state: GateState, updates: Updates) -> Verdict:
    return frozenset(updates), state


def _agreement_bound(state: GateState) -> int | None:
    """The largest norm, in units, that `agreement` will let in next: known before anybody trains, except in the first round."""
    return isqrt(BOUND * middle_of(state.squares) // BOUND_OF) if state.squares else None


@dataclass(frozen=True)
class Gate:
    """A rule by which updates enter. bound: the largest norm, in units, that it will let in next, where that is known before
    anybody trains. remember: what it remembers of a settled round's accepted updates; None if it remembers nothing."""

    judge: Callable[[GateState, Updates], Verdict]
    bound: Callable[[GateState], int | None] = lambda state: None
    remember: Callable[[Updates], int] | None = None


# By name; fl.protocol.manifest states the version of each that is computed here.
GATES: dict[str, Gate] = {"agreement": Gate(agreement, _agreement_bound, memory_of), "none": Gate(_everything)}

"""The gate: which updates enter the model. A pure function of public data in exact integers, so that all honest validators
agree to the byte and a lying minority of the committee cannot move the median. The manifest names a federation's gate.

agreement (the default): an update stays in if
- its norm is at most 1.25 times the median norm of the last round's accepted updates (of a first round: 3 times the median of
  all). The bound is known before training, so that honest participants stay below it and none is left out for its size;
- it agrees with the others: its vote for itself and the mean of its cosines to the accepted updates, both averaged over rounds
  with weight 0.8 on the past, sum to more than zero. Each cosine counts 0.3 at most, so that cheats who send the same update
  cannot vouch for each other; a hospital with unusual patients stays in unless all others point against it.

What it remembers of a settled round follows from the chain and from the updates that the committee
accepted, which everybody can force open. An update that was left out counts as one that the others outweigh by a quarter,
whatever was in it, since nobody can be sure that others have its file. The memory reaches back 20 settled rounds.

none: everything well-formed enters. Cosines are integers in units of 2^-30.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
LOOK_BACK = 20  # settled rounds that are remembered: what is older would weigh 0.8^20, a hundredth
ROUNDS_OF_TRUST = 4  # times that the set of accepted seats is recomputed
# Norms are compared as squares: 1.25 and 3 times the median are 25/16 and 144/16 of its square.
BOUND, FIRST_BOUND, BOUND_OF = 25, 144, 16

Updates = Mapping[int, Numbers]


@dataclass(frozen=True)
class GateState:
    """What a gate remembers between rounds. Anybody can rebuild it from the memories of the last rounds.

    averages: per seat the moving average of its agreement; weights: per seat how many rounds stand behind it, in units of
    ONE (only for `agreement`); square: the median squared norm of the updates last let in, 0 before there is one.
    """

    averages: Mapping[int, int] = field(default_factory=dict)
    weights: Mapping[int, int] = field(default_factory=dict)
    square: int = 0


@dataclass(frozen=True)
class RoundMemory:
    """What one settled round adds to the memory. voices: per revealed seat how far the accepted updates agreed with its own;
    square: the median squared norm of these, 0 if nothing was accepted."""

    voices: Mapping[int, int] = field(default_factory=dict)
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
    """(seats let in, the next state if just these are accepted) for the round's well-formed updates, in units, by seat.

    Seats whose update is missing or malformed are not in `updates`: they are left out.
    """
    seats = sorted(updates)
    if not seats:
        return frozenset(), state
    products = gram([updates[seat] for seat in seats])
    squares = [products[i][i] for i in range(len(seats))]
    largest = BOUND * state.square if state.square else FIRST_BOUND * middle_of(squares)
    fits = [i for i, square in enumerate(squares) if 0 < BOUND_OF * square <= largest]
    voices = _voices(products)
    old = [(state.averages.get(seat, 0), state.weights.get(seat, 0)) for seat in seats]
    trusted = [i for i in fits if _heard(*old[i], len(seats))]
    if len(trusted) < 2:
        trusted = fits
    for _ in range(ROUNDS_OF_TRUST):
        now = [_mean([voices[i][j] for j in trusted if j != i]) for i in range(len(seats))]
        new = [_moved(*before, voice) for before, voice in zip(old, now, strict=True)]
        chosen = [i for i in fits if _heard(*new[i], len(trusted))]
        if not chosen:  # everybody points against everybody: keep the better half
            chosen = [i for i in fits if now[i] >= middle_of([now[j] for j in fits])]
        if chosen == trusted:
            break
        trusted = chosen
    inside = frozenset(seats[i] for i in trusted)
    return inside, after(state, _memory(seats, products, inside))


def memory_of(accepted: Updates, left_out: Collection[int]) -> RoundMemory:
    """What `agreement` remembers of a settled round: of the updates that its committee accepted, and of the seats that revealed
    one which it left out."""
    seats = sorted(accepted)
    if not seats:
        return RoundMemory()
    found = _memory(seats, gram([accepted[seat] for seat in seats]), frozenset(seats))
    return RoundMemory({**found.voices, **dict.fromkeys(left_out, _outweighed(len(seats) + len(left_out)))}, found.square)


def _memory(seats: list[int], products: list[list[int]], inside: frozenset[int]) -> RoundMemory:
    """The memory of a round in which these seats revealed readable updates, and those inside are accepted."""
    places = [i for i, seat in enumerate(seats) if seat in inside]
    if not places:
        return RoundMemory()
    voices, out = _voices(products), _outweighed(len(seats))
    said = {seats[i]: _mean([voices[i][j] for j in places if j != i]) for i in places}
    return RoundMemory({seat: said.get(seat, out) for seat in seats}, middle_of([products[i][i] for i in places]))


def _voices(products: list[list[int]]) -> list[list[int]]:
    """How far each update agrees with each other one: the cosine, which counts 0.3 at most."""
    places = range(len(products))
    return [[min(CAP, cosine(products[i][j], products[i][i], products[j][j])) for j in places] for i in places]


def _outweighed(revealed: int) -> int:
    """The voice of the others that outweighs a seat's vote for itself by a quarter, among so many revealed seats. Were it
    more, a seat that was left out for long would stay out even when it agrees with the others again."""
    return -5 * ONE // (4 * max(1, revealed - 1))


def _moved(average: int, weight: int, voice: int) -> tuple[int, int]:
    return KEEP * average // OF + voice, KEEP * weight // OF + ONE


def after(state: GateState, heard: RoundMemory) -> GateState:
    """The state after one more settled round. Seats that did not reveal are remembered as they were."""
    pairs = {
        seat: _moved(state.averages.get(seat, 0), state.weights.get(seat, 0), voice) for seat, voice in heard.voices.items()
    }
    averages, weights = ({seat: pair[part] for seat, pair in pairs.items()} for part in (0, 1))
    return GateState({**state.averages, **averages}, {**state.weights, **weights}, heard.square or state.square)


def state_of(memories: Sequence[RoundMemory]) -> GateState:
    """The state after these settled rounds, in order; only the last ones are remembered."""
    state = GateState()
    for heard in memories[-LOOK_BACK:]:
        state = after(state, heard)
    return state


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
    anybody trains. remember: what it remembers of a settled round, from the accepted updates and the seats left out; None if
    it remembers nothing."""

    judge: Callable[[GateState, Updates], Verdict]
    bound: Callable[[GateState], int | None] = lambda state: None
    remember: Callable[[Updates, Collection[int]], RoundMemory] | None = None


# By name; fl.protocol.manifest states the version of each that is computed here.
GATES: dict[str, Gate] = {"agreement": Gate(agreement, _agreement_bound, memory_of), "none": Gate(_everything)}

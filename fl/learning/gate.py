"""The gate: which updates enter the model. A pure function of public data in exact integers, so that all honest validators
agree to the byte and a lying minority of the committee cannot move the median.

An update stays in if its norm is at most 3 times the median norm, and if the moving average of its cosine to the
coordinate-wise median of the round's updates is above 0. Cosines are integers in units of 2^-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from fl.protocol.aggregate import aggregate

ONE = 1 << 30
NORM_FACTOR = 3
KEEP, OF = 7, 10  # a moving average keeps 7 parts in 10
LIMB = 16


@dataclass(frozen=True)
class GateState:
    """What the gate remembers: per seat the moving average of its cosine. Rebuilt by anyone from the public history."""

    averages: Mapping[int, int] = field(default_factory=dict)


def dot(a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """The exact inner product of two vectors of units; in limbs, since it needs more than 64 bits.

    Bound: |high| <= 2^15 and low < 2^16, so that each partial sum stays below 2^32 * 2^30 for 2^30 parameters.
    """
    a_high, a_low = (a >> LIMB).astype(np.int64), (a & 0xFFFF).astype(np.int64)
    b_high, b_low = (b >> LIMB).astype(np.int64), (b & 0xFFFF).astype(np.int64)
    middle = int(a_high @ b_low) + int(a_low @ b_high)
    return (int(a_high @ b_high) << 2 * LIMB) + (middle << LIMB) + int(a_low @ b_low)


def cosine(product: int, square_a: int, square_b: int) -> int:
    """The cosine in units of 2^-30, rounded down; 0 if a vector is zero."""
    scale = isqrt(square_a * square_b)
    return product * ONE // scale if scale else 0


def gate(state: GateState, updates: Mapping[int, NDArray[np.int32]]) -> tuple[frozenset[int], GateState]:
    """(seats let in, the next state) for the round's well-formed updates, in units, by seat.

    Seats whose update is missing or malformed are not in `updates`: they are left out, and remembered as they were.
    """
    if not updates:
        return frozenset(), state
    vectors = list(updates.values())
    # The median is the aggregation rule itself with the largest trim, on a model of zeros.
    middle = aggregate(np.zeros_like(vectors[0]), vectors, len(vectors))
    square_middle = dot(middle, middle)
    squares = {seat: dot(vector, vector) for seat, vector in updates.items()}
    median_square = sorted(squares.values())[len(squares) // 2]
    averages = dict(state.averages)
    inside = set()
    for seat, vector in updates.items():
        now = cosine(dot(vector, middle), squares[seat], square_middle)
        averages[seat] = (KEEP * averages[seat] + (OF - KEEP) * now) // OF if seat in averages else now
        if averages[seat] > 0 and squares[seat] <= NORM_FACTOR**2 * median_square:
            inside.add(seat)
    return frozenset(inside), GateState(averages)

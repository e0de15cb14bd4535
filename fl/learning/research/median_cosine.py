"""A gate that the experiment measures the shipped one against, and that no federation uses: an update stays in if its norm is
at most 3 times the median norm, and the moving average (0.7) of its cosine to the coordinate-wise median is above zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fl.learning.gate import GATES, Gate, GateState, Updates, Verdict, cosine, dot, middle_of
from fl.protocol.aggregate import aggregate

NORM_FACTOR = 3
KEEP, OF = 7, 10  # a moving average keeps 7 parts in 10


@dataclass(frozen=True)
class Averages(GateState):
    """averages: per seat the moving average of its cosine to the median."""

    averages: Mapping[int, int] = field(default_factory=dict)


def median_cosine(state: GateState, updates: Updates) -> Verdict:
    """The gate of the project's first version. Arguments and result as of `agreement`."""
    if not updates:
        return frozenset(), state
    vectors = list(updates.values())
    # The median is the aggregation rule itself with the largest trim, on a model of zeros.
    middle = aggregate(np.zeros(vectors[0].size, np.int32), vectors, len(vectors))
    square_middle = dot(middle, middle)
    squares = {seat: dot(vector, vector) for seat, vector in updates.items()}
    median_square = middle_of(list(squares.values()))
    averages = dict(state.averages) if isinstance(state, Averages) else {}
    inside = set()
    for seat, vector in updates.items():
        now = cosine(dot(vector, middle), squares[seat], square_middle)
        averages[seat] = (KEEP * averages[seat] + (OF - KEEP) * now) // OF if seat in averages else now
        if averages[seat] > 0 and squares[seat] <= NORM_FACTOR**2 * median_square:
            inside.add(seat)
    return frozenset(inside), Averages(averages=averages)


# What the experiment may compare.
COMPARED: dict[str, Gate] = {**GATES, "median_cosine": Gate(median_cosine)}

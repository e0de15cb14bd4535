"""The one aggregation rule: a trimmed mean in exact integers, coordinate by coordinate.

Drop the k lowest and k highest of n values, add the mean of the rest, truncated toward zero, and clamp to int32.
k = 0 is the mean, the largest k the median (Yin et al., "Byzantine-robust distributed learning", 2018).

Bound: a value is at most 127 * 2^23 in size and there are at most 128, so a sum stays below 2^38 and int64 is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import trunc

import numpy as np
from numpy.typing import NDArray

from fl.protocol.artifact import Numbers
from fl.protocol.fixed_point import INT32_MAX, INT32_MIN
from fl.protocol.sorting import middle

CHUNK = 16_384  # coordinates at a time: a block of 128 updates stays in the cache


def trim_of(trim: int, n: int) -> int:
    """How many to drop on each side, so that one value is left at least."""
    return min(trim, max(0, (n - 1) // 2))


def aggregate_coordinate(previous: int, values: Sequence[int], trim: int) -> int:
    """The rule for one parameter, in plain integers."""
    n = len(values)
    if n == 0:
        return previous
    k = trim_of(trim, n)
    total = sum(sorted(values)[k : n - k])
    return max(INT32_MIN, min(INT32_MAX, previous + trunc(Fraction(total, n - 2 * k))))


def aggregate(previous: NDArray[np.int32], updates: Sequence[Numbers], trim: int) -> NDArray[np.int32]:
    """The rule for a whole model: previous (p,), updates n times (p,), all in units. Order of the updates is irrelevant."""
    n = len(updates)
    if n == 0:
        return previous.copy()
    k = trim_of(trim, n)
    count = n - 2 * k
    out = np.empty_like(previous)
    for start in range(0, previous.size, CHUNK):
        part = slice(start, start + CHUNK)
        total = np.zeros(previous[part].size, np.int64)
        rows = [update[part] for update in updates]
        if k:  # sorting uses its rows up
            rows = middle([row.copy() for row in rows], k, np.empty_like(rows[0]))
        for row in rows:
            total += row
        # Integer division truncates toward zero on the chain; numpy's floors.
        mean = np.abs(total) // count * np.sign(total)
        out[part] = np.clip(previous[part] + mean, INT32_MIN, INT32_MAX)
    return out

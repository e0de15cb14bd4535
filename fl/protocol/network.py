"""A sorting network that keeps only what a trimmed mean needs: which comparisons, in which order, whatever the values.

Batcher's odd-even merge sort (Batcher, "Sorting networks and their applications", 1968), then cut from the end: a comparison
between two places that are summed or dropped together says nothing. Whole blocks of coordinates go through at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Shorts = NDArray[np.int16]
A = TypeVar("A", Ints, Shorts)
Exchange = Callable[[A, A, A, A], tuple[A, A, A]]


@lru_cache(maxsize=256)
def comparators(n: int, k: int) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j), i < j: put the lower at i. Afterwards the k lowest of n are at 0..k-1, the k highest at n-k..n-1."""
    pairs = []
    p = 1
    while p < n:
        step = p
        while step >= 1:
            for j in range(step % p, n - step, 2 * step):
                for i in range(j, min(j + step, n - step)):
                    if i // (2 * p) == (i + step) // (2 * p):
                        pairs.append((i, i + step))
            step //= 2
        p *= 2
    zone = [0 if i < k else 2 if i >= n - k else 1 for i in range(n)]
    mixed = [False] * n  # whether a later comparison reads the place
    kept = []
    for i, j in reversed(pairs):
        if mixed[i] or mixed[j] or zone[i] != zone[j]:
            kept.append((i, j))
            mixed[i] = mixed[j] = True
    return tuple(reversed(kept))


def exchange_wide(low: Ints, high: Ints, spare: Ints, _: Ints) -> tuple[Ints, Ints, Ints]:
    """(lower, higher, spare) of each pair, in three of the four buffers."""
    np.minimum(low, high, out=spare)
    np.maximum(low, high, out=high)
    return spare, high, low


def exchange_narrow(low: Shorts, high: Shorts, spare: Shorts, sign: Shorts) -> tuple[Shorts, Shorts, Shorts]:
    """The same for int16 below 2^14 in size by the sign of the difference, which numpy does several times faster."""
    np.subtract(low, high, out=spare)
    np.right_shift(spare, 15, out=sign)
    np.bitwise_and(spare, sign, out=spare)  # low - high where that is negative, else 0
    np.add(high, spare, out=sign)
    np.subtract(low, spare, out=low)
    return sign, low, high


def middle(rows: list[A], k: int, exchange: Exchange[A], spares: list[A]) -> list[A]:
    """The rows between the k lowest and k highest at every coordinate, in any order. Rows and two spares are used up."""
    n = len(rows)
    for i, j in comparators(n, k):
        rows[i], rows[j], free = exchange(rows[i], rows[j], spares[0], spares[1])
        if rows[i] is spares[1]:
            spares[1] = free
        else:
            spares[0] = free
    return rows[k : n - k]

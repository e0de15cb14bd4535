"""A sorting network that keeps only what a trimmed mean needs: which comparisons, in which order, whatever the values.

Batcher's odd-even merge sort (Batcher, "Sorting networks and their applications", 1968), then cut from the end: a comparison
between two places that are summed or dropped together says nothing. Whole blocks of coordinates go through at once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Shorts = NDArray[np.int16]
A = TypeVar("A", Ints, Shorts)


@lru_cache
def comparators(n: int, k: int) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j), i < j: put the lower at i. Afterwards the n - 2k values in the middle are at k..n-k-1, in any order."""
    pairs = []
    p = 1
    while p < n:
        step = p
        while step >= 1:
            for j in range(step % p, n, 2 * step):
                for i in range(j, min(j + step, n - step)):
                    if i // (2 * p) == (i + step) // (2 * p):
                        pairs.append((i, i + step))
            step //= 2
        p *= 2
    summed = [k <= i < n - k for i in range(n)]
    mixed = [False] * n  # whether a later comparison reads the place
    kept = []
    for i, j in reversed(pairs):
        if mixed[i] or mixed[j] or summed[i] != summed[j]:
            kept.append((i, j))
            mixed[i] = mixed[j] = True
    return tuple(reversed(kept))


def middle(rows: list[A], k: int, spare: A) -> list[A]:
    """The rows between the k lowest and k highest at every coordinate, in any order. The rows and `spare` are used up.

    Let no row begin where another ends: numpy takes such neighbours for overlapping, and is five times slower.
    """
    for i, j in comparators(len(rows), k):
        low, high = rows[i], rows[j]
        np.minimum(low, high, out=spare)
        np.maximum(low, high, out=high)
        rows[i], spare = spare, low
    return rows[k : len(rows) - k]

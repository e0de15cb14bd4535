"""Aggregation from files to a file, leaf range by leaf range, on all cores: the rule of `aggregate`, in integers of 16 bits.

Within a block all updates are counted in units of the round's least exponent there, so that most values are small:
- the mean sums q * 2^d in two lanes of 16 bits, for even and odd bytes, biased by 128 so that nothing is negative, modulo 2^16.
  Bound: 127 * sum of 2^d < 2^15 as long as the sum of 2^d is at most 258; then the lanes are emptied into 32 bits.
- the trimmed mean sends q * 2^d, which fits 16 bits while d <= 8, through a sorting network.
A range that breaks a bound (exponents far apart, sums of 2^31) takes the plain way, so that every way gives the same bytes.

Memory: at most 16 MiB a thread and the output, whatever the number and size of updates, which may be memory-mapped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import ArtifactError
from fl.protocol.aggregate import aggregate, trim_of
from fl.protocol.artifact import (
    BLOCKS_PER_LEAF,
    LEAF_PARAMETERS,
    MODEL_LEAF_BYTES,
    UPDATE_LEAF_BYTES,
    Data,
)
from fl.protocol.blocks import BLOCK, MAX_EXPONENT, Q_MAX, dequantize
from fl.protocol.fixed_point import INT32_MAX, INT32_MIN
from fl.protocol.sorting import middle

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Shorts = NDArray[np.int16]
Lanes = NDArray[np.uint16]

MEMORY = 15_728_640  # bytes of a thread, and 1 MiB to spare; threads wait for each other at every call: few, long ones are best
WIDE_VALUES = 2_000_000  # at a time where a bound does not hold, over all updates: the plain rule takes 32 bytes for each
NOTHING = 255  # in the place of d: a malformed block, or zeros
BIAS = 128
EVERY_BIAS = np.uint64(0x8080808080808080)
LANE = 258  # what the sum of 2^d may reach in 16 bits
SPREAD = 8  # the largest d

# By d: 16 lanes of 2^d, and 32 values of 2^d; 0 for NOTHING. By sum of 2^d: 16 lanes of the bias that it brought.
LANES = np.zeros((256, BLOCK // 2), np.uint16)
LANES[: SPREAD + 1] = (1 << np.arange(SPREAD + 1))[:, None]
VALUES = np.zeros((256, BLOCK), np.int16)
VALUES[: SPREAD + 1] = (1 << np.arange(SPREAD + 1))[:, None]
BIASES = np.repeat((BIAS * np.arange(LANE + 1)).astype(np.uint16)[:, None], BLOCK // 2, 1)
UNITS = np.repeat((1 << np.arange(MAX_EXPONENT + 1)).astype(np.int32)[:, None], BLOCK, 1)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def aggregate_files(
    previous: Data,
    updates: Sequence[Data],
    trim: int,
    max_exponent: int,
    out: bytearray | memoryview | None = None,
    threads: int | None = None,
) -> bytearray | memoryview:
    """The next model's file from the previous one's and the accepted updates', into `out` if it is given.

    Raises ArtifactError if a file has not as many leaves as the model.
    """
    leaves, rest = divmod(len(previous), MODEL_LEAF_BYTES)
    if rest or any(len(update) != leaves * UPDATE_LEAF_BYTES for update in updates):
        sizes = sorted({len(update) for update in updates})
        raise ArtifactError(f"a model of {len(previous):,} bytes and updates of {sizes} do not belong together")
    target = bytearray(len(previous)) if out is None else out
    if len(target) != len(previous):
        raise ArtifactError(f"room for {len(target):,} bytes; the model has {len(previous):,}")
    if not updates:
        target[:] = previous
        return target
    k = trim_of(trim, len(updates))
    each = leaves_at_a_time(k, len(updates))
    ranges = [(start, min(start + each, leaves)) for start in range(0, leaves, each)]
    job = _Job(previous, updates, k, max_exponent, target)
    workers = min(threads or cores(), len(ranges))
    shared = iter(ranges)  # to take from a list's iterator is one step under the interpreter's lock
    with ThreadPoolExecutor(workers) as pool:
        helpers = [pool.submit(job.run, shared) for _ in range(workers - 1)]
        job.run(shared)
        for helper in helpers:
            helper.result()
    return target


def leaves_at_a_time(k: int, updates: int) -> int:
    """How many leaves a thread works on at once: as many as its buffers hold in MEMORY."""
    # Bytes: three numbers of 32 bits, a check; a word, four lanes and what emptying them makes, or all values and two more.
    parameter = 22 if k == 0 else 17 + 2 * updates
    return max(1, MEMORY // (parameter * LEAF_PARAMETERS + 6 * updates * BLOCKS_PER_LEAF))  # and what _scale makes


class _Wide(Exception):
    """A bound does not hold in this range."""


class _Job:
    """One aggregation, shared by its threads, each of which calls `run` once."""

    def __init__(self, previous: Data, updates: Sequence[Data], k: int, max_exponent: int, out: bytearray | memoryview):
        self.k, self.max_exponent, self.count = k, max_exponent, len(updates) - 2 * k
        self.before = np.frombuffer(previous, ">i4").reshape(-1, LEAF_PARAMETERS)
        self.after = np.frombuffer(out, ">i4").reshape(-1, LEAF_PARAMETERS)
        self.rows = [np.frombuffer(u, np.uint64).reshape(-1, UPDATE_LEAF_BYTES // 8) for u in updates]

    def run(self, ranges: Iterator[tuple[int, int]]) -> None:
        """Works through ranges of leaves, with buffers of its own."""
        buffers = _Buffers(self.k, len(self.rows))
        for first, last in ranges:
            parts = [rows[first:last] for rows in self.rows]
            try:
                scale = self._scale(parts)
                total = self._mean(parts, scale, buffers) if self.k == 0 else self._trimmed(parts, scale, buffers)
                self._finish(first, last, total, scale, buffers)
            except _Wide:
                self._plainly(first, last)

    def _scale(self, parts: list[Words]) -> _Scale:
        """The range's exponents, seen from each block's least."""
        exponents = np.stack([part[:, 0] for part in parts]).view(np.uint8)
        exponents[exponents > self.max_exponent] = NOTHING
        scale = _Scale.of(exponents)
        if scale.spread > SPREAD:  # a block of zeros has the least exponent, and need not count
            for own, part in zip(exponents, parts, strict=True):
                words = part[:, 1:].reshape(-1, BLOCK // 8)
                own[(words[:, 0] | words[:, 1] | words[:, 2] | words[:, 3]) == 0] = NOTHING
            scale = _Scale.of(exponents)
        if scale.spread > SPREAD or self.count * Q_MAX << scale.most > INT32_MAX:
            raise _Wide
        return scale

    def _mean(self, parts: list[Words], scale: _Scale, buffers: _Buffers) -> Ints:
        """Sums of all updates, in units of each block's least exponent."""
        words, lanes, factor, upper, even, odd, total = buffers.mean(len(parts[0]))
        weight = np.zeros(lanes.size // LANES.shape[1], np.uint16)
        total[:] = even[:] = odd[:] = 0
        used = 0
        for part, own, most in zip(parts, scale.shifts, scale.highest, strict=True):
            if used + (1 << most) > LANE:
                _empty(even, odd, weight, total)
                used = 0
            used += 1 << most
            np.bitwise_xor(part[:, 1:], EVERY_BIAS, out=words)
            if words.view(np.uint8).min() == 0:  # -128
                own[(words.view(np.uint8).reshape(-1, BLOCK) == 0).any(1)] = NOTHING
            index = own.astype(np.intp)
            np.take(LANES, index, axis=0, out=factor, mode="clip")
            weight += LANES[:, 0].take(index)
            flat = factor.reshape(-1)
            np.right_shift(lanes, 8, out=upper)
            np.multiply(upper, flat, out=upper)
            np.add(odd, upper, out=odd)
            np.multiply(lanes, flat, out=lanes)
            np.add(even, lanes, out=even)
        _empty(even, odd, weight, total)
        return total

    def _trimmed(self, parts: list[Words], scale: _Scale, buffers: _Buffers) -> Ints:
        """Sums of what is left between the k lowest and k highest, in units of each block's least exponent."""
        values, factor, spare, total = buffers.sorting(len(parts[0]))
        for part, own, row in zip(parts, scale.shifts, values, strict=True):
            np.copyto(row.reshape(len(part), -1), part.view(np.int8)[:, BLOCKS_PER_LEAF:])
            if row.min() == -BIAS:
                own[(row.reshape(-1, BLOCK) == -BIAS).any(1)] = NOTHING
            np.take(VALUES, own.astype(np.intp), axis=0, out=factor, mode="clip")
            np.multiply(row, factor.reshape(-1), out=row)
        total[:] = 0
        for row in middle(values, self.k, spare):
            total += row
        return total

    def _finish(self, first: int, last: int, total: Ints, scale: _Scale, buffers: _Buffers) -> None:
        """previous + total * unit / count, truncated toward zero and clamped."""
        unit, scratch = buffers.finishing(last - first)
        np.take(UNITS, scale.least.astype(np.intp), axis=0, out=unit, mode="clip")
        np.multiply(total, unit.reshape(-1), out=total)
        np.right_shift(total, 31, out=scratch)
        np.bitwise_and(scratch, self.count - 1, out=scratch)
        np.add(total, scratch, out=total)  # numpy's division floors: a negative sum goes up by count - 1 first
        np.floor_divide(total, self.count, out=total)
        np.copyto(scratch.reshape(-1, LEAF_PARAMETERS), self.before[first:last])
        bound = Q_MAX << scale.most
        if scratch.max() > INT32_MAX - bound or scratch.min() < INT32_MIN + bound:
            room = unit.reshape(-1)  # up to the end of 32 bits
            np.subtract(INT32_MAX, np.maximum(total, 0, out=room), out=room)
            np.minimum(scratch, room, out=scratch)
            np.subtract(INT32_MIN, np.minimum(total, 0, out=room), out=room)
            np.maximum(scratch, room, out=scratch)
        np.add(scratch, total, out=scratch)
        self.after[first:last] = scratch.reshape(-1, LEAF_PARAMETERS)

    def _plainly(self, first: int, last: int) -> None:
        each = max(1, WIDE_VALUES // (LEAF_PARAMETERS * len(self.rows)))
        for start in range(first, last, each):
            end = min(start + each, last)
            added = []
            for rows in self.rows:
                part = rows[start:end].view(np.uint8)
                q = np.ascontiguousarray(part[:, BLOCKS_PER_LEAF:]).view(np.int8).reshape(-1)
                added.append(dequantize(q, part[:, :BLOCKS_PER_LEAF].reshape(-1), self.max_exponent))
            before = self.before[start:end].astype(np.int32).reshape(-1)
            self.after[start:end] = aggregate(before, added, self.k).reshape(-1, LEAF_PARAMETERS)


@dataclass(frozen=True)
class _Scale:
    """Exponents of a range: each block's least (blocks,), every update's distance from it (updates, blocks), their bounds."""

    least: Bytes
    shifts: Bytes
    highest: list[int]  # of each update's distances
    most: int  # of all exponents

    @classmethod
    def of(cls, exponents: Bytes) -> _Scale:
        exponents = exponents.reshape(len(exponents), -1)
        nothing = exponents == NOTHING
        least = exponents.min(axis=0)
        shifts = exponents - least
        shifts[nothing] = 0
        highest = shifts.max(axis=1).tolist()
        shifts[nothing] = NOTHING
        most = int(exponents[~nothing].max(initial=0))
        return cls(least, shifts, highest, most)

    @property
    def spread(self) -> int:
        return max(self.highest)


def _empty(even: Lanes, odd: Lanes, weight: Lanes, total: Ints) -> None:
    """Moves the lanes' sums into `total`, without their bias, and begins them anew."""
    bias = np.take(BIASES, weight.astype(np.intp), axis=0, mode="clip").reshape(-1)
    np.subtract(even, odd << 8, out=even)  # all modulo 2^16
    even -= bias
    odd -= bias
    both = odd.astype(np.uint32)
    both <<= 16
    both |= even
    total += both.view(np.int16)
    even[:] = odd[:] = weight[:] = 0


class _Buffers:
    """What one thread writes to, reused from range to range: fresh pages cost as much as the sums."""

    def __init__(self, k: int, updates: int):
        size = leaves_at_a_time(k, updates) * LEAF_PARAMETERS
        self.total, self.scratch, self.unit = (np.empty(size, np.int32) for _ in range(3))
        if k == 0:
            self.words = np.empty(size // 8, np.uint64)
            self.lanes = [np.empty(size // 2, np.uint16) for _ in range(4)]
        else:
            self.values = [np.empty(size, np.int16) for _ in range(updates + 2)]

    def mean(self, leaves: int) -> tuple[Words, Lanes, Lanes, Lanes, Lanes, Lanes, Ints]:
        size = leaves * LEAF_PARAMETERS
        words = self.words[: size // 8].reshape(leaves, -1)
        factor, upper, even, odd = (lane[: size // 2] for lane in self.lanes)
        lanes = words.reshape(-1).view(np.uint16)
        return words, lanes, factor.reshape(-1, BLOCK // 2), upper, even, odd, self.total[:size]

    def sorting(self, leaves: int) -> tuple[list[Shorts], Shorts, Shorts, Ints]:
        size = leaves * LEAF_PARAMETERS
        *values, spare, factor = (row[:size] for row in self.values)
        return values, factor.reshape(-1, BLOCK), spare, self.total[:size]

    def finishing(self, leaves: int) -> tuple[Ints, Ints]:
        size = leaves * LEAF_PARAMETERS
        return self.unit[:size].reshape(-1, BLOCK), self.scratch[:size]

"""Sets of seats as bitmaps, bit i = seat i."""

from __future__ import annotations

from collections.abc import Iterable

SEATS = 128


def to_bitmap(seats: Iterable[int]) -> int:
    """The set as one integer."""
    bits = 0
    for seat in seats:
        if not 0 <= seat < SEATS:
            raise ValueError(f"seat {seat} is not in 0..{SEATS - 1}")
        bits |= 1 << seat
    return bits


def from_bitmap(bits: int) -> list[int]:
    """The set as an ascending list."""
    return [seat for seat in range(SEATS) if bits >> seat & 1]


def contains(bits: int, seat: int) -> bool:
    """Whether the seat is in the set; a number that is no seat is in none."""
    return 0 <= seat < SEATS and bool(bits >> seat & 1)

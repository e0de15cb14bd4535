"""What one participant measures on rows of its own that nobody trains on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class SeatMetric:
    """The task's metric of a round's model on a participant's held-out rows, of which there are so many.

    value: with the participant's own layers, where some stay at home. shared: then with those that every model begins with.
    """

    value: float
    shared: float | None
    rows: int


def told_seats(metrics: Mapping[int, SeatMetric]) -> str:
    """The mean and the range over seats, for people; empty where there are none."""
    if not metrics:
        return ""
    values = [m.value for m in metrics.values()]
    told = f"mean {fmean(values):.4f} of {len(values)} seats, {min(values):.4f} to {max(values):.4f}"
    shared = [m.shared for m in metrics.values() if m.shared is not None]
    return f"{told} with own layers; mean {fmean(shared):.4f} with the shared model alone" if shared else told

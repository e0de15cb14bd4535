"""When a federation has learned enough: at a target, or when nothing has become better for some rounds.

Whoever decides this measures on rows that the participants keep back, never on test rows: those would no longer say how good
the model is on rows that nobody looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from fl.errors import TaskError


@dataclass(frozen=True)
class Stop:
    """until: the metric at which it ends. patience: it ends after so many rounds in a row without a better metric."""

    until: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.until is not None and not isfinite(self.until):
            raise TaskError(f"--until-metric {self.until}: give a number, in the metric's own unit, such as 0.9")
        if self.patience is not None and self.patience < 1:
            raise TaskError(f"--patience {self.patience}: give at least one round")

    def reason(self, metrics: Sequence[float], *, higher: bool) -> str:
        """Why it ends after these metrics, the first model's first; empty if it goes on. higher: whether higher is better."""
        values = [value if higher else -value for value in metrics]
        if len(values) < 2:
            return ""
        if self.until is not None and values[-1] >= (self.until if higher else -self.until):
            return f"{metrics[-1]:.4f} reaches --until-metric {self.until:g}"
        since = len(values) - 1 - max(range(len(values)), key=values.__getitem__)
        if self.patience is not None and since >= self.patience:
            return f"no better than {metrics[-1 - since]:.4f} for {since} rounds (--patience {self.patience})"
        return ""

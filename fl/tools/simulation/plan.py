"""The settings of a simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fl.learning.privacy.budget import Privacy
from fl.protocol.manifest import DEFAULT_GATE
from fl.protocol.mode import Mode, mode_of
from fl.tools.federation.terms_file import everybody


@dataclass(frozen=True)
class Plan:
    """Everything that a simulation depends on. The same plan gives the same model roots."""

    task: str = "heart"
    seats: int = 4
    rounds: int = 8
    alpha: float | None = None
    trim: int = 0
    seed: int = 0
    adversaries: tuple[tuple[str, int], ...] = ()
    names: tuple[str, ...] = ()  # of the adversaries, for people
    terms: dict[str, Any] = field(default_factory=dict)
    privacy: Privacy | None = None  # of every honest participant
    gate: str = DEFAULT_GATE
    masked: bool = False  # updates are masked, and only their sum is known; then there is no gate
    until: float | None = None  # it ends early at this metric on held-out rows,
    patience: int | None = None  # or after so many rounds without a better one
    publish_metrics: bool = False  # honest seats publish, signed, what they measure on their own rows
    compare: bool = True  # also measure local-only and centralised training and float FedAvg

    @property
    def mode(self) -> Mode:
        return mode_of(self.masked)

    def given_terms(self) -> dict[str, Any]:
        """The terms that differ from the defaults."""
        return {"trim": self.trim, **(everybody(self.seats) if self.masked else {}), **self.terms}

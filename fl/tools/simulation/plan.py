"""The settings of a simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fl.learning.privacy.budget import Privacy
from fl.protocol.manifest import DEFAULT_GATE


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
    until: float | None = None  # it ends early at this metric on held-out rows,
    patience: int | None = None  # or after so many rounds without a better one
    publish_metrics: bool = False  # honest seats publish, signed, what they measure on their own rows
    compare: bool = True  # also measure local-only and centralised training and float FedAvg

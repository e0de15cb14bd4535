"""What a federation is compared with, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Baselines:
    """Baselines on the same test rows, by the task's metric: local-only training, centralised training, and FedAvg in floats.
    curves: the last two, before the first round and after each."""

    local_only: Mapping[str, float]
    pooled: float
    float_fedavg: float
    curves: Mapping[str, tuple[float, ...]]

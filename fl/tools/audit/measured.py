"""What a simulation measures besides its events: gas, and privacy spent. Imports little, since every page reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GasUse:
    """What one kind of transaction cost: how many, their mean and largest gas, bytes of calldata in all."""

    calls: int
    mean: int
    most: int
    bytes: int

    @classmethod
    def of(cls, gas: Sequence[int], size: int) -> GasUse:
        return cls(len(gas), round(sum(gas) / len(gas)), max(gas), size)


@dataclass(frozen=True)
class Relayed:
    """What relays paid: gas of transactions that carried signed acts, in how many rounds of participants."""

    gas: int
    rounds: int

    @property
    def each(self) -> float:
        """Gas for a participant and a round."""
        return self.gas / self.rounds


@dataclass(frozen=True)
class PrivacySpent:
    """What a private seat spent of its budget; `series` is what it had spent after each round in which it released, and
    `statements` by round are the hashes of its statements."""

    mechanism: str
    noise: float | None
    spent: float
    epsilon: float
    delta: float
    rounds: tuple[int, ...]
    sat_out: tuple[int, ...]
    series: Mapping[int, float]
    statements: Mapping[int, str]

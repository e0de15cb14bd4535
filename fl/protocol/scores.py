"""From score bytes to medians to pay. 0 leaves an update out; 1..255 accepts it and says how much of the rate it earns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BEST = 255


def median(values: Sequence[int]) -> int:
    """The upper of two middles; 0 if there is none."""
    return sorted(values)[len(values) // 2] if values else 0


def medians(revealed: Sequence[int], vectors: Mapping[int, bytes]) -> bytes:
    """One byte per revealed seat (ascending): the median over validators, the seat's own byte left aside.

    `vectors` maps a validator's seat to its bytes, one per revealed seat.
    """
    return bytes(
        median([vector[i] for validator, vector in vectors.items() if validator != seat]) for i, seat in enumerate(revealed)
    )


def accepted(revealed: Sequence[int], medians_: bytes) -> list[int]:
    """The seats whose updates enter the model."""
    return [seat for seat, score in zip(revealed, medians_, strict=True) if score > 0]


def trainer_pay(rate: int, median_: int) -> int:
    """A trainer's pay in token units, rounded down."""
    return rate * median_ // BEST


def validator_pay(rate: int, strictness: int, validator: int, vector: bytes, medians_: bytes, revealed: Sequence[int]) -> int:
    """A validator's pay in token units: the whole rate on every median, less by its mean distance, rounded down."""
    others = [i for i, seat in enumerate(revealed) if seat != validator]
    distance = sum(abs(vector[i] - medians_[i]) for i in others)
    whole = BEST * len(others)
    lost = strictness * distance
    return 0 if lost >= whole else rate * (whole - lost) // whole

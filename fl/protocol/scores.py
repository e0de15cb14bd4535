"""From score bytes to medians to pay. 0 leaves an update out; 1 to 255 accepts it and says how much of the rate it earns.

The median of all votes cast decides. An author's own vote counts as 255, whatever it wrote; of two middles the median is the
lower, so that a tie rejects. With an honest majority of the votes cast, no honest update is left out and no other gets in.
Twin of Scores.sol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BEST = 255


def median(votes: Sequence[int]) -> int:
    """The lower of two middles; 0 if there are no votes."""
    return sorted(votes)[(len(votes) - 1) // 2] if votes else 0


def is_rejecting_tie(votes: Sequence[int]) -> bool:
    """Whether one half of the votes rejects and the other accepts: it is not known which was right."""
    return bool(votes) and median(votes) == 0 and sorted(votes)[len(votes) // 2] > 0


def _votes(vectors: Mapping[int, bytes], seat: int, i: int) -> list[int]:
    return [BEST if validator == seat else vector[i] for validator, vector in vectors.items()]


def medians(revealed: Sequence[int], vectors: Mapping[int, bytes]) -> bytes:
    """The median vote for each revealed seat (ascending), one byte each.

    `vectors` maps a validator's seat to its bytes, one per revealed seat.
    """
    return bytes(median(_votes(vectors, seat, i)) for i, seat in enumerate(revealed))


def distances(revealed: Sequence[int], vectors: Mapping[int, bytes]) -> dict[int, int]:
    """Each validator's distances from the medians, summed. Its vote for itself adds nothing, nor does a tie that rejects."""
    far = dict.fromkeys(vectors, 0)
    for i, seat in enumerate(revealed):
        votes = _votes(vectors, seat, i)
        if is_rejecting_tie(votes):
            continue
        for validator, vector in vectors.items():
            far[validator] += 0 if validator == seat else abs(vector[i] - median(votes))
    return far


def accepted(revealed: Sequence[int], medians_: bytes) -> list[int]:
    """The seats whose updates enter the model."""
    return [seat for seat, score in zip(revealed, medians_, strict=True) if score > 0]


def trainer_pay(rate: int, median_: int) -> int:
    """A trainer's pay in token units, rounded down."""
    return rate * median_ // BEST


def validator_pay(rate: int, strictness: int, distance: int, judged: int) -> int:
    """A validator's pay in token units: the whole rate if all its scores equal the medians, less in proportion to its mean
    distance, rounded down.

    `judged` is how many seats it judged besides itself.
    """
    whole = BEST * judged
    lost = strictness * distance
    return 0 if lost >= whole else rate * (whole - lost) // whole

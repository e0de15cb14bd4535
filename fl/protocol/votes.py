"""From votes on a candidate model to its adoption and to pay, in masked mode. A vote is one byte: 0 refuses, any other accepts.

All seats of the company share one verdict. Twin of MaskedFederation.sol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fl.protocol.scores import BEST


def adopted(votes: Sequence[bool], committee: int) -> bool:
    """Whether the candidate becomes the model: more than two thirds of the committee accepted it; silence does not.

    Half would do against rows of one kind. Where most tables hold one class, a model that knows only that class pleases half of
    the seats; and as any seat can stop a masked round by sending garbage, a third that can stop one gains no power by it."""
    return 3 * sum(votes) > 2 * committee


def verdicts(revealed: Sequence[int], votes: Mapping[int, bytes], committee: int) -> bytes:
    """What stands in the place of medians: 255 for each revealed seat, or 0."""
    return (b"\xff" if adopted([any(vote) for vote in votes.values()], committee) else b"\0") * len(revealed)


def distances(revealed: Sequence[int], votes: Mapping[int, bytes]) -> dict[int, int]:
    """How far each validator was from the majority of the votes cast, as if it had judged each seat: all the way, or not."""
    favourable = sum(any(vote) for vote in votes.values())
    agree = {seat: favourable if any(vote) else len(votes) - favourable for seat, vote in votes.items()}
    return {seat: BEST * (len(revealed) - 1) * (2 * same < len(votes)) for seat, same in agree.items()}

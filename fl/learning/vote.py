"""The vote on a candidate model, where updates are masked and no single one can be judged.

Everybody computes the candidate from the public files, and judges it on held-out rows of its own against the best model so
far; against the last one, a cheat could go down by a little every round. More than two thirds of the committee must accept
it, or the model stays (fl.protocol.votes).
"""

from __future__ import annotations

SLACK = 0.25  # of the best loss: small held-out tables call good models worse by as much as a sixth
TRIFLE = 0.01  # of the first model's loss: near a perfect fit, ratios of losses mean nothing


def accepts(first: float, best: float, candidate: float) -> bool:
    """One seat's vote, from mean losses on its held-out rows: of the first model, of the best so far and of the candidate.

    A loss that is not a number refuses."""
    return candidate <= (1 + SLACK) * best + TRIFLE * first

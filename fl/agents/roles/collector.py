"""Pay and fees to where the owner wants them. Pay is the owner's call: a daemon makes it only if it holds the owner's key."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.protocol.phases import Phase


class Collector:
    """Claims for one seat, when a full round's pay has gathered; sends what this key was credited to the owner."""

    def __init__(self, seat: int, account: str):
        self.seat, self.account = seat, account

    def decide(self, view: View) -> list[Action]:
        owner = view.history.seats[self.seat].owner if self.seat in view.history.seats else None
        if owner is None or view.phase not in (Phase.IDLE, Phase.COMMIT, Phase.CHALLENGE):
            return []
        actions = []
        if owner == self.account and view.earned >= max(1, view.terms.trainer_rate):
            actions.append(Action("claim", (self.seat, owner), self.seat, note="claims pay"))
        if view.credit:
            actions.append(Action("claimCredit", (owner,), self.seat, note="sends the owner what this key was credited"))
        return actions

"""Sends pay to the owner, and at the end this key's credit. Only the owner can claim pay: a daemon does so only if it holds
the owner's key."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call
from fl.protocol.phases import Phase


class Collector:
    """Claims for one seat once a full round's pay has accumulated.

    The credit of this key pays the deposits of its demands. It goes to the owner when no later round can need it.
    last: the round after whose end everything accumulated is claimed, and nothing before.
    """

    def __init__(self, seat: int, account: str, last: int | None = None):
        self.seat, self.account, self.last = seat, account, last

    def decide(self, view: View) -> list[Action]:
        owner = view.history.seats[self.seat].owner if self.seat in view.history.seats else None
        if owner is None or not self._is_time(view):
            return []
        actions: list[Action] = []
        if owner == self.account and view.own.earned >= (1 if self.last else max(1, view.terms.trainer_rate)):
            actions.append(self._call(view, "claim", (self.seat, owner), "Claimed", seat=self.seat))
        if view.own.credit and self._needs_no_credit(view):
            actions.append(self._call(view, "claimCredit", (owner,), "CreditClaimed", account=self.account))
        return actions

    def _is_time(self, view: View) -> bool:
        if self.last is not None:
            return view.phase is Phase.IDLE and view.facts.number >= self.last
        return view.phase in (Phase.IDLE, Phase.COMMIT, Phase.CHALLENGE)

    def _needs_no_credit(self, view: View) -> bool:
        over = view.concluded or view.history.seats[self.seat].leaving
        return self.last is not None or (over and view.phase is Phase.IDLE)

    def _call(self, view: View, function: str, args: tuple[object, ...], event: str, **wanted: object) -> Call:
        """The next call of its kind; each one before it was a separate transaction."""
        times = sum(e.name == event and wanted.items() <= e.fields.items() for e in view.history.events)
        return Call(function, args, self.seat, number=times, lasting=True)

"""The calls that move a round on. Anybody may make them, so everybody's daemon does."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action
from fl.protocol.phases import Phase


class Keeper:
    """Opens, closes, draws, settles and finalizes; stops opening after `rounds`."""

    def __init__(self, rounds: int | None = None):
        self.rounds = rounds

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.IDLE and self._may_open(view):
            return [_shared("openRound")]
        if view.phase is Phase.DRAW and not view.facts.close_block:
            return [_shared("close")]
        if view.phase is Phase.DRAW and view.block >= view.facts.close_block + 2:
            return [_shared("draw")]
        if view.phase is Phase.SETTLE:
            log = view.round
            return [_shared("settle", [log.scores[seat] for seat in log.validators])]
        if view.phase in (Phase.FINAL, Phase.VOID):
            return [_shared("finalize")]
        return []

    def _may_open(self, view: View) -> bool:
        eligible = len(view.eligible())
        funded = view.pool >= view.terms.round_cost(eligible)
        more = self.rounds is None or view.facts.number < self.rounds
        return more and funded and not view.concluded and eligible >= view.terms.min_reveals


def _shared(function: str, *args: object) -> Action:
    return Action(function, args, shared=True)

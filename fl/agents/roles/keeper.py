"""The calls that move a round on. Anybody may make them, so everybody's daemon does."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Turn
from fl.protocol.phases import Phase

# Blocks from the one that seeds the draw to the first that may hold the call. The contract allows the next block already, but
# a node estimates gas on its newest block, which must be that far.
BLOCKS_TO_DRAW = 2


class Keeper:
    """Opens, closes, draws, settles and finalizes, taking turns with all other seats; opens no more than `rounds` rounds."""

    def __init__(self, rounds: int | None = None):
        self.rounds = rounds

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.IDLE and self._may_open(view):
            return [_call(view, "openRound")]
        if view.phase is Phase.DRAW and not view.facts.close_block:
            return [_call(view, "close")]
        if view.phase is Phase.DRAW:
            close = view.facts.close_block
            first = close + view.terms.draw_delay + BLOCKS_TO_DRAW
            return [_call(view, "draw", view.snapshot.header, number=close, from_block=first)]
        if view.phase is Phase.SETTLE:
            log = view.round
            return [_call(view, "settle", [log.scores[seat] for seat in log.validators])]
        if view.phase in (Phase.FINAL, Phase.VOID):
            return [_call(view, "finalize")]
        return []

    def _may_open(self, view: View) -> bool:
        eligible = len(view.eligible())
        funded = view.pool >= view.terms.round_cost(eligible)
        more = self.rounds is None or view.facts.number < self.rounds
        return more and funded and not view.concluded and eligible >= view.terms.min_reveals


def _call(view: View, function: str, *args: object, number: int = 0, from_block: int = 0) -> Call:
    """A call that pays nobody. The turns start at another seat in each round."""
    everybody = sorted(view.history.seats)
    first = view.facts.number % max(1, len(everybody))
    key = f"{view.facts.number} {function} {view.facts.close_block}"
    turn = Turn(key, (*everybody[first:], *everybody[:first]), ends=view.phase_end)
    return Call(function, args, shared=True, number=number, from_block=from_block, turn=turn)

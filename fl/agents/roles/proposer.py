"""A proposer aggregates what was accepted and posts the new model's root. Its turn goes round, so that not all pay gas."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Publish
from fl.protocol import seats
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase

TURNS = 4  # seats that may try within one window


class Proposer:
    """Proposes for one seat, only models that it has rebuilt from files that it holds."""

    def __init__(self, seat: int):
        self.seat = seat

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.PROPOSE or not self.is_turn(view):
            return []
        model = self.model(view)
        if model is None:
            return []
        args = (self.seat, root_of(model, Kind.MODEL), view.record.store.locator(model))
        action = Action("propose", args, self.seat, shared=True)
        return [action if not self.publishes(view) else _with_file(action, model)]

    def is_turn(self, view: View) -> bool:
        """Whose turn it is: round and attempt go through the eligible seats that have not fallen, and so does time,
        so that a seat that sleeps costs a part of the window and not the round."""
        able = [seat for seat in view.eligible() if not seats.contains(view.facts.fallen, seat)]
        asleep = TURNS * (view.time - (view.phase_end - view.terms.propose_window)) // view.terms.propose_window
        return bool(able) and able[(view.facts.number + view.facts.attempts + asleep) % len(able)] == self.seat

    def model(self, view: View) -> bytes | None:
        """The model's file. Adversaries differ here."""
        return view.record.next_model(view.round)

    def publishes(self, view: View) -> bool:
        """Whether the file goes to the store. Adversaries may withhold it."""
        return True


def _with_file(action: Action, model: bytes) -> Action:
    return Action(action.function, action.args, action.seat, action.shared, (Publish(model, Kind.MODEL),))

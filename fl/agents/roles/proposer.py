"""A proposer aggregates what was accepted and posts the new model's root. Its turn goes round, so that not all pay gas."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Publish, Wait
from fl.protocol import seats
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase

TURNS = 4  # seats that may try within one window


class Proposer:
    """Proposes for one seat, only models that it has rebuilt from files that it holds. Deciding reads the store for them."""

    def __init__(self, seat: int):
        self.seat = seat

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.PROPOSE:
            return []
        if not self.is_turn(view):
            return self._waits(view)
        model = self.model(view)
        if model is None:
            return []
        args = (self.seat, root_of(model, Kind.MODEL), view.record.store.locator(model))
        attempt = view.facts.attempts
        files = (Publish(model, Kind.MODEL),) if self.publishes(view) else ()
        # On its way when the model is no longer right, or a round later, it would be a fraud.
        return [Call("propose", args, self.seat, shared=True, publish=files, number=attempt, attempt=attempt, revocable=True)]

    def is_turn(self, view: View) -> bool:
        """Whose turn it is: round and attempt go through the eligible seats that have not fallen, and so does time,
        so that a seat that sleeps costs a part of the window and not the round."""
        able = self._able(view)
        asleep = TURNS * (view.time - self._begin(view)) // view.terms.propose_window
        return bool(able) and able[(view.facts.number + view.facts.attempts + asleep) % len(able)] == self.seat

    def model(self, view: View) -> bytes | None:
        """The model's file. Adversaries differ here."""
        return view.record.next_model(view.round)

    def publishes(self, view: View) -> bool:
        """Whether the file goes to the store. Adversaries may withhold it."""
        return True

    def _waits(self, view: View) -> list[Action]:
        """Until the part of the window begins in which it is this seat's turn, if one does."""
        able, begin, window = self._able(view), self._begin(view), view.terms.propose_window
        parts = [begin - (-part * window // TURNS) for part in range(1, TURNS)]  # the first second of each
        first = view.facts.number + view.facts.attempts
        mine = [at for part, at in enumerate(parts, 1) if able and able[(first + part) % len(able)] == self.seat]
        later = [at for at in mine if at > view.time]
        return [Wait(later[0])] if later else []

    def _able(self, view: View) -> list[int]:
        return [seat for seat in view.eligible() if not seats.contains(view.facts.fallen, seat)]

    def _begin(self, view: View) -> int:
        return view.phase_end - view.terms.propose_window

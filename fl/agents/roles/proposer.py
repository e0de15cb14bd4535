"""A proposer aggregates the accepted updates and posts the new model's root. Seats take turns, so that not all pay gas, and in
the last part of the window any seat may propose: those before it may have no ether."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Publish, Turn, Wait
from fl.protocol import seats
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase

TURNS = 4  # parts of a window: in each but the last, one seat may try


class Proposer:
    """Proposes for one seat, and only models that it has rebuilt from files it holds. Deciding reads them from the store."""

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
        number, attempt = view.facts.number, view.facts.attempts
        args = (number, attempt + 1, self.seat, root_of(model, Kind.MODEL), view.record.store.locator(model))
        files = (Publish(model, Kind.MODEL),) if self.publishes(view) else ()
        # The contract accepts it only in this round and attempt. It is revocable, because the correct model may still change
        # within them, and waits for what is confirmed: a report at the end of Show may have left an update out of it.
        return [
            Call(
                "propose",
                args,
                self.seat,
                shared=True,
                publish=files,
                number=attempt,
                attempt=attempt,
                revocable=True,
                turn=self._turn(view),
                confirmed_until=view.phase_end,
            )
        ]

    def is_turn(self, view: View) -> bool:
        """Whether it is this seat's turn. The turn rotates with round, attempt and time through the eligible seats whose
        proposals have not fallen, so that a seat that does not act costs a part of the window and not the round."""
        return self._is_mine(view, self._part(view))

    def _is_mine(self, view: View, part: int) -> bool:
        """Whether the seat may propose in this part of the window."""
        able = self._able(view)
        if part >= TURNS - 1:
            return self.seat in able
        return bool(able) and able[(view.facts.number + view.facts.attempts + part) % len(able)] == self.seat

    def _part(self, view: View) -> int:
        return TURNS * (view.time - self._begin(view)) // view.terms.propose_window

    def _turn(self, view: View) -> Turn | None:
        """In the last part, the seats go on in the same order, a few blocks apart."""
        able = self._able(view)
        if self._part(view) < TURNS - 1 or not able:
            return None
        first = (view.facts.number + view.facts.attempts + TURNS - 1) % len(able)
        key = f"{view.facts.number} propose {view.facts.attempts}"
        return Turn(key, (*able[first:], *able[:first]), ends=view.phase_end)

    def model(self, view: View) -> bytes | None:
        """The model's file. Adversaries differ here."""
        return view.record.next_model(view.round)

    def publishes(self, view: View) -> bool:
        """Whether the file is published. Adversaries may withhold it."""
        return True

    def _waits(self, view: View) -> list[Action]:
        """Waits until the part of the window in which it is this seat's turn, if there is one."""
        begin, window = self._begin(view), view.terms.propose_window
        starts = {part: begin - (-part * window // TURNS) for part in range(1, TURNS)}  # the first second of each part
        later = [at for part, at in starts.items() if at > view.time and self._is_mine(view, part)]
        return [Wait(later[0])] if later else []

    def _able(self, view: View) -> list[int]:
        fallen, active = view.facts.fallen, view.facts.active
        return [s for s in view.eligible() if seats.contains(active, s) and not seats.contains(fallen, s)]

    def _begin(self, view: View) -> int:
        return view.phase_end - view.terms.propose_window

"""Cheats among proposers."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.roles.proposer import Proposer
from fl.agents.runtime.actions import Action, Call
from fl.protocol.artifact import pack_model, parse_model
from fl.protocol.phases import Phase
from fl.protocol.seats import to_bitmap


class WrongModel(Proposer):
    """Proposes out of turn, before anybody else, and changes one number of the correct model."""

    def is_turn(self, view: View) -> bool:
        return view.facts.attempts == 0 and self.seat in view.eligible()

    def model(self, view: View) -> bytes | None:
        right = super().model(view)
        if right is None:
            return None
        values = parse_model(right, view.terms.depth)
        values[0] += 1 << 20
        return pack_model(values)


class WrongModelOnce(WrongModel):
    """The demo's second bad actor: one wrong proposal, in round 2."""

    def is_turn(self, view: View) -> bool:
        return super().is_turn(view) if view.round.number == 2 else Proposer.is_turn(self, view)

    def model(self, view: View) -> bytes | None:
        return super().model(view) if view.round.number == 2 else Proposer.model(self, view)


class Withholder(WrongModel):
    """Proposes a wrong root and withholds the file."""

    def publishes(self, view: View) -> bool:
        return False


class FalseReporter(Proposer):
    """Reports in Show that it can get no update but its own."""

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.SHOW or self.seat not in (view.round.revealed or []):
            return super().decide(view)
        number, others = view.round.number, [seat for seat in view.round.accepted if seat != self.seat]
        told = self.seat in view.round.reports or not others
        return [] if told else [Call("reportMissing", (number, self.seat, to_bitmap(others)), self.seat)]


PROPOSERS: dict[str, type[Proposer]] = {
    "wrong_model": WrongModel,
    "wrong_model_once": WrongModelOnce,
    "withhold": Withholder,
    "false_reports": FalseReporter,
}

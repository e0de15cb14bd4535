"""Cheats among proposers."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.agents.roles.proposer import Proposer
from fl.protocol.artifact import pack_model, parse_model


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


PROPOSERS: dict[str, type[Proposer]] = {
    "wrong_model": WrongModel,
    "wrong_model_once": WrongModelOnce,
    "withhold": Withholder,
}

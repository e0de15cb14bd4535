"""People who do not follow the protocol: the honest roles with one method changed. Named on the command line as KIND:COUNT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fl.agents.actions import Action
from fl.agents.participant import Participant
from fl.agents.proposer import Proposer
from fl.agents.validator import Validator
from fl.agents.view import View
from fl.learning.baselines import generator
from fl.learning.codec import encode_update
from fl.protocol.artifact import pack_model, parse_model
from fl.protocol.fixed_point import to_float


class Poisoner(Participant):
    """Sends `factor` times what honest training would: negative to undo the others' work, large to drown it."""

    factor = -1.0

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        delta = self.change(view)
        depth, exponent = view.terms.depth, self.task.max_exponent
        return encode_update(delta, None, depth, exponent, generator(self.seed, view.round.number, self.seat))

    def change(self, view: View) -> NDArray[np.float64]:
        """What it wants the model to move by, in floats (parameters,)."""
        return self.factor * self._honest(view)

    def _honest(self, view: View) -> NDArray[np.float64]:
        return self.trained(view)[0]


class Scaler(Poisoner):
    factor = 10.0


class FreeRider(Poisoner):
    """Sends zeros and hopes for pay."""

    factor = 0.0


class Noise(Poisoner):
    """Sends random numbers of the right size."""

    def change(self, view: View) -> NDArray[np.float64]:
        honest = self._honest(view)
        noise = generator(self.seed + 1, view.round.number, self.seat).normal(size=honest.size)
        return noise * np.linalg.norm(honest) / np.linalg.norm(noise)


class Replayer(Poisoner):
    """Sends the last round's change of the model."""

    def change(self, view: View) -> NDArray[np.float64]:
        size = self._honest(view).size
        rounds = [r for r in view.history.rounds[:-1] if r.adopted]
        if not rounds:
            return np.zeros(size)
        record = view.record
        before, after = to_float(record.model(rounds[-1].base)), to_float(record.model(rounds[-1].model))
        return (after - before)[:size]


class NoReveal(Participant):
    """Commits and does not reveal, in every second round."""

    def reveals(self, view: View) -> list[Action]:
        return [] if view.round.number % 2 == 0 else super().reveals(view)


class PoisonerOnceSilent(Poisoner):
    """The demo's first bad actor: poisons, and in round 3 commits without revealing."""

    def reveals(self, view: View) -> list[Action]:
        return [] if view.round.number == 3 else super().reveals(view)


class WrongModel(Proposer):
    """Proposes out of turn, first of all, and adds to one number of the right model."""

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
    """Proposes a wrong root and shows nobody its file."""

    def publishes(self, view: View) -> bool:
        return False


class LyingValidator(Validator):
    """Turns its scores round: the best get nothing, those left out get everything."""

    def scores(self, view: View) -> bytes:
        return bytes(255 - byte for byte in super().scores(view))


class LazyValidator(Validator):
    """Gives everybody the same without looking."""

    def scores(self, view: View) -> bytes:
        return bytes([128] * len(view.round.revealed or []))


PARTICIPANTS: dict[str, type[Participant]] = {
    "sign_flip": Poisoner,
    "scaled": Scaler,
    "free_rider": FreeRider,
    "noise": Noise,
    "replay": Replayer,
    "no_reveal": NoReveal,
    "poisoner_once_silent": PoisonerOnceSilent,
}
VALIDATORS: dict[str, Callable[..., Validator]] = {"lying_validator": LyingValidator, "lazy_validator": LazyValidator}
PROPOSERS: dict[str, type[Proposer]] = {
    "wrong_model": WrongModel,
    "wrong_model_once": WrongModelOnce,
    "withhold": Withholder,
}
KINDS = (*PARTICIPANTS, *VALIDATORS, *PROPOSERS)

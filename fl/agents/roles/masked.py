"""The participant and the validator of a masked federation.

What keeps a seat's update secret is here: it masks only for a company that is exactly its partners, on confirmed blocks; under
a key that is drawn once and wiped when the masked file is on disk; and it never masks updates of one base for two sets of
partners, since the difference of two sums is a seat's update.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from fl.agents.record.view import View
from fl.agents.roles.participant import Participant
from fl.agents.roles.partners import Partners
from fl.agents.roles.training import PLAIN, TrainingOptions
from fl.agents.roles.validator import Validator
from fl.agents.runtime.actions import Action, Call, Files, Train, Wait
from fl.agents.runtime.journal import KEEP_ROUNDS
from fl.errors import ArtifactError, StoreError, UserCodeError
from fl.learning import local_layers
from fl.learning.data.partition import Shard
from fl.learning.evaluator import Evaluator
from fl.learning.task import Task
from fl.learning.vote import accepts
from fl.protocol.artifact import depth_for, pad
from fl.protocol.masks import Company, RoundKey, Steps, mask, steps_of
from fl.protocol.phases import Phase

KEY_BYTES = 32
ACCEPT, REFUSE = b"\xff", b"\0"
SET = "set"  # the base of an update that was masked, and the partners that it was masked for; never removed


class Mask(Train):
    """Masks what was trained: the file that is published, its salt and locator; and wipes the key."""


class MaskedParticipant(Participant):
    """Trains, announces a key, masks for its partners, commits and reveals. `options.partners` says who they are."""

    def __init__(self, seat: int, task: Task, shard: Shard, seed: int, journal: Path, options: TrainingOptions = PLAIN) -> None:
        super().__init__(seat, task, shard, seed, journal, options)
        assert options.partners is not None
        self.partners: Partners = options.partners

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.ANNOUNCE:
            return self.announces(view)
        if view.phase is Phase.COMMIT:
            return self.commits(view) if self.seat in view.round.keys else []
        return super().decide(view)

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        """(the steps to mask, int16 in bytes, padded; what rounding and the cap lost)."""
        delta, rng = self.trained(view)
        steps, lost = steps_of(delta, self._residue(view), self.task.max_exponent, rng)
        return pad(steps, depth_for(delta.size)).astype("<i2").tobytes(), lost

    # ---- Announce

    def announces(self, view: View) -> list[Action]:
        number = view.round.number
        if self.seat not in view.round.active or self.seat in view.round.keys:
            return []
        if (why := self._other_set(view.round.base)) is not None:
            return [Wait(view.phase_end, why)]
        key = self._key(number)
        if key is None or self._steps(number) is None:
            view.record.model_file(view.round.base)  # the store may be away by the time of the vote
            return [Train(number, self.train)]
        half = view.phase_end - view.facts.announce_window // 2
        return [Call("announce", (number, self.seat, key.public), self.seat, relay_until=half)]

    def train(self, view: View) -> Files:
        """The worker's part: the update before masks, and then a fresh key. An update whose round came to nothing goes out
        again, to the same partners; what earlier rounds left is wiped."""
        number, base = view.round.number, view.round.base
        again = self._void(view)
        if again is None:
            data, residual, own = self._trained_ahead(number, base) or (*self.update(view), self._local)
            kept = save({"residual": residual})
        else:
            steps, kept = self._steps(again), self._kept(f"{again}.residual") or b""
            own = self._kept(f"{again}.{local_layers.SUFFIX}") or b""
            assert steps is not None  # that is how the round was found
            data = steps.tobytes()
        parts = {"base": np.frombuffer(base, np.uint8), "steps": np.frombuffer(data, "<i2")}
        files = {f"{number}.{local_layers.SUFFIX}": own} if own else {}
        files |= {f"{number}.residual": kept, f"{number}.steps": save(parts)}
        files |= {f"{number}.key": RoundKey.fresh().secret.to_bytes(KEY_BYTES, "big")}
        left = (f"{earlier}.{name}" for earlier in range(max(1, number - KEEP_ROUNDS), number) for name in ("key", "steps"))
        files |= {name: b"" for name in left if self._kept(name)}
        return files | ({f"{number}.ahead": b""} if self._kept(f"{number}.ahead") else {})

    # ---- Commit

    def commits(self, view: View) -> list[Action]:
        number, kept = view.round.number, self._sealed(view.round.number)
        if kept is not None:
            return self.sends_commitment(view, kept)
        if self.seat in view.round.commitments:
            return [Wait(view.phase_end, "the chain has a commitment of this seat that its journal lacks: nothing is masked")]
        if view.snapshot.confirmed.time < view.phase_end - _window(view):
            return [Wait(view.time + 1)]  # who announced could still change
        try:
            self._checked(view)
        except ArtifactError as error:
            return [Wait(view.phase_end, f"nothing is masked in round {number}, which costs nothing: {error}")]
        return [Mask(number, self.mask)]

    def mask(self, view: View) -> Files:
        """The worker's part: the masked file, once, and then the key is wiped. Raises ArtifactError."""
        number = view.round.number
        company, key, steps = self._checked(view)
        data = mask(steps, self.seat, key, company)
        files = {f"{number}.{SET}": view.round.base + self.partners.digest}
        files |= {f"{number}.salt": os.urandom(32), f"{number}.locator": view.record.store.locator(data)}
        return files | {f"{number}.update": data, f"{number}.key": b""}

    def _checked(self, view: View) -> tuple[Company, RoundKey, Steps]:
        """All that a mask is made from. Raises ArtifactError if the seat must not mask."""
        company, number = self.partners.company(view), view.round.number
        key, steps = self._key(number), self._steps(number)
        if key is None or steps is None or company.keys.get(self.seat) != key.public:
            raise ArtifactError("the key that the chain shows for this seat is not the one in its journal")
        return company, key, steps

    # ---- the journal

    def _key(self, number: int) -> RoundKey | None:
        kept = self._kept(f"{number}.key") or b""
        return RoundKey(int.from_bytes(kept, "big")) if len(kept) == KEY_BYTES else None

    def _steps(self, number: int) -> Steps | None:
        """The update of a round before masks, padded."""
        parts = self._arrays(f"{number}.steps", ("base", "steps"))
        return None if parts is None else parts["steps"]

    def _void(self, view: View) -> int | None:
        """The last round, if it was void and this seat has an update of the same base from it; None otherwise. A model that was
        refused is not tried a second time."""
        if len(view.history.rounds) < 2 or not (last := view.history.rounds[-2]).voided or last.base != view.round.base:
            return None
        return last.number if self._steps(last.number) is not None else None

    def _other_set(self, base: bytes) -> str | None:
        """Why an update of this base must not be masked for these partners; None if it may be."""
        for path in self.journal.glob(f"*.{SET}"):
            kept = path.read_bytes()
            if kept[:32] == base and kept[32:] != self.partners.digest:
                return (
                    "an update of this model was masked for other partners, and the difference of two sums would show it: the "
                    "seat takes part again once the model has changed; name the former partners to go on now"
                )
        return None


def _window(view: View) -> int:
    """How long Commit lasts, after Announce."""
    return view.terms.commit_window - view.facts.announce_window


class Voter(Validator):
    """Votes on the candidate model by its loss on held-out rows, beside those of the first model and of the best so far."""

    def __init__(self, seat: int, evaluator: Evaluator, shard: Shard, journal: Path):
        super().__init__(seat, evaluator, shard, journal)
        self._losses: dict[bytes, float] = {}  # of models that rounds began with, on this seat's rows
        self._measure: Callable[[NDArray[np.int32]], float] = lambda model: evaluator.loss(model, shard.held_out)

    def scores(self, view: View) -> bytes:
        """One byte: a vote. Without a file of the round nobody can compute the candidate, and it is refused."""
        candidate = view.record.candidate(view.round)
        if candidate is None:
            return REFUSE
        try:
            known = [self._loss(view, root) for root in [view.terms.genesis, *(log.base for log in view.history.rounds)]]
            losses = [loss for loss in known if loss is not None]
            return ACCEPT if losses and accepts(losses[0], min(losses), self._measure(candidate)) else REFUSE
        except UserCodeError as error:
            self._scorer.failures[view.round.number] = str(error)
            return REFUSE

    def _loss(self, view: View, root: bytes) -> float | None:
        """The loss of a model that a round began with; None if no store has it any more."""
        if root not in self._losses:
            try:
                self._losses[root] = self._measure(view.record.model(root))
            except StoreError:
                return None
        return self._losses[root]

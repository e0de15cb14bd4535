"""A participant trains, commits and reveals. Update, salt, locator and residual are on disk before a commitment is sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fl.agents.record.view import View
from fl.agents.roles.privacy_guard import statement_name
from fl.agents.roles.training import PLAIN, SoloTrainer, TrainingOptions
from fl.agents.runtime.actions import Action, Call, Files, Publish, Train, Wait
from fl.learning import local_layers
from fl.learning.codec import encode_update
from fl.learning.data.partition import Shard
from fl.learning.task import Task
from fl.learning.trainer import change_beside, generator
from fl.learning.user_code import during
from fl.protocol.artifact import depth_for
from fl.protocol.commitment import update_commitment
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase

SEALED = ("update", "salt", "locator")  # the parts of a commitment, one file each in the journal
AHEAD = "ahead"  # what was trained before its round opened: base, update, residual, local layers; one file, whole or absent


class Participant:
    """Trains one seat's shard. What it must not lose is in `journal`, one folder per seat.

    Deciding reads this folder (what was trained, what the privacy ledger allows) and, once revealed, whether the store has
    the update; it writes nothing, draws no randomness and trains nothing.
    """

    def __init__(
        self,
        seat: int,
        task: Task,
        shard: Shard,
        seed: int,
        journal: Path,
        options: TrainingOptions = PLAIN,
    ):
        self.seat, self.task, self.shard, self.seed, self.journal = seat, task, shard, seed, journal
        self.trainer, self.guard = options.trainer or SoloTrainer(task, shard.train, seed, seat), options.guard
        self.ahead = options.ahead and options.guard is None
        self._made: tuple[object, bytes] = None, b""
        self._local = b""  # the worker's: the file of its local layers after the training that it did last, if it keeps any
        self._ahead: tuple[int, bytes] | None = None  # the round and base that it was last found to have trained for

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.COMMIT and self.seat in view.round.active:
            return self.commits(view)
        if view.phase is Phase.REVEAL and self.seat in view.round.commitments and self.seat not in view.round.reveals:
            return self.reveals(view)
        revealed = view.facts.live and self.seat in view.round.reveals
        return (self.serves(view) if revealed else []) + self.trains_ahead(view)

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        """(the update's file, what rounding lost). Adversaries differ here."""
        delta, rng = self.trained(view)
        residual, bound = self._residue(view), view.record.bound(view.history)
        # The residual is added after clipping and noise, and holds only noised numbers: it costs no privacy.
        return encode_update(delta, residual, depth_for(delta.size), self.task.max_exponent, rng, bound)

    def trained(self, view: View) -> tuple[NDArray[np.float64], np.random.Generator]:
        """(what honest training changes, in floats (parameters,); the random generator after training).

        Raises UserCodeError; then nothing is committed, and only the round's pay is lost.
        """
        number = view.round.number
        base = view.record.model(view.round.base)
        with during(f"training in round {number} for seat {self.seat}"):
            rng = generator(self.seed, number, self.seat)
            if self.guard is not None:
                return self.guard.change(view, rng), rng
            if self.task.local:
                before = local_layers.kept(self.journal, number - 1)
                delta, own = change_beside(self.task, base, self.shard.train, rng, before)
                self._local = local_layers.to_file(self.task, own)
                return delta, rng
            return self.trainer.change(base, number)

    def train(self, view: View) -> Files:
        """The worker's part: returns what must be on disk before a commitment is sent. A release is in the privacy ledger
        before this returns."""
        number = view.round.number
        data, residual, own = self._trained_ahead(number, view.round.base) or (*self.update(view), self._local)
        sealed = data, os.urandom(32), view.record.store.locator(data)
        files = {} if self.guard is None else self.guard.keep(view, root_of(data, view.record.mode.kind))
        files |= {f"{number}.{local_layers.SUFFIX}": own} if own else {}
        files |= {f"{number}.residual": save({"residual": residual})}
        files |= {f"{number}.{name}": part for name, part in zip(SEALED, sealed, strict=True)}
        return files | ({f"{number}.{AHEAD}": b""} if self._kept(f"{number}.{AHEAD}") else {})  # it is as large as a model

    def commits(self, view: View) -> list[Action]:
        number = view.round.number
        # After a crash the same update and salt are used again: a second salt could be lost as well.
        kept = self._sealed(number)
        if kept is None and self.guard is not None and (lost := self.guard.lost(view)):
            return [Wait(view.phase_end, lost)]
        if kept is None and self.guard is not None and not self.guard.allows(view):
            return []  # the budget is spent: it sits out, unpaid, and is not slashed, since it did not commit
        if kept is None:
            # Read here, not by the worker alone: scoring needs the base too, and the store may be away by then.
            view.record.model_file(view.round.base)
            return [Train(number, self.train)]
        return self.sends_commitment(view, kept)

    def sends_commitment(self, view: View, kept: tuple[bytes, bytes, bytes]) -> list[Action]:
        """kept: the parts of the commitment."""
        number, commitment = view.round.number, self._commitment(view, kept)
        if view.round.commitments.get(self.seat) == commitment:
            return []
        # A commitment on the chain whose salt was lost is replaced while there is time.
        args = (number, self.seat, commitment)
        again = self.seat in view.round.commitments
        half = view.phase_end - (view.terms.commit_window - view.facts.announce_window) // 2
        return [Call("commit", args, self.seat, number=int(again), relay_until=0 if again else half)]

    def reveals(self, view: View) -> list[Action]:
        number = view.round.number
        kept = self._sealed(number)
        if kept is None:
            return []
        data, salt, locator = kept
        files = [Publish(data, view.record.mode.kind)]
        if (result := self._kept(statement_name(number))) is not None:
            files.append(Publish(result, None))
        half = view.phase_end - view.terms.reveal_window // 2
        args = (self.seat, root_of(data, view.record.mode.kind), salt, locator)
        return [
            Call(
                "reveal",
                args,
                self.seat,
                publish=tuple(files),
                silence_costs=True,
                confirmed_until=half,
                relay_until=half,
            )
        ]

    def serves(self, view: View) -> list[Action]:
        """Publishes the revealed update again while the round is open and a store that others read lacks it."""
        root = view.round.reveals[self.seat].root
        store, kind = view.record.store, view.record.mode.kind
        if store.has(root, kind) and not store.owes(root, kind):
            return []
        data = self._kept(f"{view.round.number}.update")
        if data is None or root_of(data, view.record.mode.kind) != root:
            return []
        return [Publish(data, kind, "the revealed update is in the store again")]

    def trains_ahead(self, view: View) -> list[Action]:
        """Trains for the next round once its base is known. If the proposal falls after all, the work is thrown away."""
        base = self._next_base(view) if self.ahead and self.seat in view.eligible() else None
        number = view.facts.number + 1
        if base is None or self._ahead == (number, base):
            return []
        if self._trained_ahead(number, base) is not None:
            self._ahead = number, base  # the file is as large as a model, and a tick must not read it again
            return []
        return [Train(number, self.train_ahead)]

    def train_ahead(self, view: View) -> Files:
        """The worker's part: returns what the next round's commitment is made from if its base is the expected one."""
        base = self._next_base(view)
        assert base is not None  # the same view led to this work
        data, residual = self.update(view.with_next(base))
        parts: dict[str, NDArray[Any]] = {
            "base": np.frombuffer(base, np.uint8),
            "update": np.frombuffer(data, np.uint8),
            "residual": residual,
            "local": np.frombuffer(self._local, np.uint8),
        }
        return {f"{view.facts.number + 1}.{AHEAD}": save(parts)}

    def _next_base(self, view: View) -> bytes | None:
        """The model that the next round starts with, unless a proposal falls which this seat found correct; None if unknown."""
        if view.phase is Phase.IDLE:
            base = view.history.model(view.terms)
            return None if view.concluded or view.record.model_file(base) is None else base
        if view.phase not in (Phase.CHALLENGE, Phase.FINAL) or view.round.proposal is None:
            return None
        tree = view.record.next_tree(view.round)
        root = view.round.proposal.root
        return root if tree is not None and tree.root == root and view.record.model_file(root) is not None else None

    def _trained_ahead(self, number: int, base: bytes) -> tuple[bytes, NDArray[np.float64], bytes] | None:
        """(the update's file, what rounding lost, the local layers' file), if they were trained on this base before the round
        opened."""
        parts = self._arrays(f"{number}.{AHEAD}", ("base", "update", "residual", "local"))
        if parts is None or parts["base"].tobytes() != base:
            return None
        return parts["update"].tobytes(), parts["residual"], parts["local"].tobytes()

    def _commitment(self, view: View, sealed: tuple[bytes, bytes, bytes]) -> bytes:
        """The commitment to these files; cached, since hashing a large update takes longer than a tick should."""
        data, salt, locator = sealed
        facts = view.chain_id, view.federation, view.round.number, self.seat
        if self._made[0] != (facts, salt, locator):
            self._made = (facts, salt, locator), update_commitment(*facts, root_of(data, view.record.mode.kind), salt, locator)
        return self._made[1]

    def _sealed(self, number: int) -> tuple[bytes, bytes, bytes] | None:
        """The parts of this round's commitment, if all of them were kept."""
        update, salt, locator = (self._kept(f"{number}.{name}") for name in SEALED)
        return None if update is None or salt is None or locator is None else (update, salt, locator)

    def _residue(self, view: View) -> NDArray[np.float64] | None:
        """The rounding residual of the last update; with privacy, of private rounds only, since others hold raw numbers."""
        private = None if self.guard is None else set(self.guard.rounds(view))
        for earlier in range(view.round.number - 1, 0, -1):
            if private is not None and earlier not in private:
                continue
            if (parts := self._arrays(f"{earlier}.residual", ("residual",))) is not None:
                return parts["residual"]
        return None

    def _arrays(self, name: str, wanted: tuple[str, ...]) -> dict[str, NDArray[Any]] | None:
        """The arrays of a file in the journal; None if it is missing or damaged, since nothing but work is lost with it."""
        try:
            parts: dict[str, NDArray[Any]] = load(self._kept(name) or b"")
        except SafetensorError:
            return None
        return parts if parts.keys() >= set(wanted) else None

    def _kept(self, name: str) -> bytes | None:
        path = self.journal / name
        return path.read_bytes() if path.is_file() else None

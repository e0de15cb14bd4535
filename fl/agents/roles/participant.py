"""A participant trains, commits and reveals. Update, salt, locator and residual are on disk before a commitment leaves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from fl.agents.record.view import View
from fl.agents.roles.privacy_guard import PrivacyGuard, statement_name
from fl.agents.runtime.actions import Action, Publish
from fl.learning.batched import Cohort
from fl.learning.codec import encode_update
from fl.learning.data.partition import Shard
from fl.learning.task import Task
from fl.learning.trainer import generator, local_change
from fl.learning.user_code import during
from fl.protocol.artifact import Kind, depth_for
from fl.protocol.commitment import update_commitment
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase

SEALED = ("update", "salt", "locator")  # what a commitment binds, one file each in the journal


class Participant:
    """Trains one seat's shard. What it must not lose lies in `journal`, one folder per seat."""

    cohort: Cohort | None = None  # where many sit in one process, they train together
    guard: PrivacyGuard | None = None  # of its privacy, where it chose a budget
    accomplices: frozenset[int] = frozenset()  # seats of one's own kind; only cheats look at it

    def __init__(self, seat: int, task: Task, shard: Shard, seed: int, journal: Path):
        self.seat, self.task, self.shard, self.seed, self.journal = seat, task, shard, seed, journal

    def decide(self, view: View) -> list[Action]:
        if view.phase is Phase.COMMIT and self.seat in view.round.active and not self._committed(view):
            return self.commits(view)
        if view.phase is Phase.REVEAL and self.seat in view.round.commitments and self.seat not in view.round.reveals:
            return self.reveals(view)
        return []

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        """(the update's file, what rounding lost). Adversaries differ here."""
        delta, rng = self.trained(view)
        residual, bound = self._residue(view), view.record.bound(view.history)
        # The residual is added after clip and noise, and holds noised numbers only: it costs no privacy.
        return encode_update(delta, residual, depth_for(delta.size), self.task.max_exponent, rng, bound)

    def trained(self, view: View) -> tuple[NDArray[np.float64], np.random.Generator]:
        """(what honest training changes, in floats (parameters,); the stream of randomness as training left it).

        Raises UserCodeError; nothing is committed then, so that nothing is lost but the round's pay.
        """
        number = view.round.number
        base = view.record.model(view.round.base)
        with during(f"training in round {number} for seat {self.seat}"):
            if self.guard is not None:
                rng = generator(self.seed, number, self.seat)
                return self.guard.change(view, rng), rng
            if self.cohort is not None:
                return self.cohort.change(base, number, self.seat)
            rng = generator(self.seed, number, self.seat)
            return local_change(self.task, base, self.shard.train, rng), rng

    def commits(self, view: View) -> list[Action]:
        number = view.round.number
        # After a crash the same update and salt are used again: a second salt would be a second secret to lose.
        kept, keep = self._sealed(number), {}
        if kept is None and self.guard is not None and not self.guard.allows(view):
            return []  # the budget is spent: it sits out, unpaid, and nobody slashes who did not commit
        if kept is None:
            data, residual = self.update(view)
            kept = data, os.urandom(32), view.record.store.locator(data)
            keep = {} if self.guard is None else self.guard.keep(view, self.seat, root_of(data, Kind.UPDATE))
            keep |= {f"{number}.residual": save({"residual": residual})}
            keep |= {f"{number}.{name}": part for name, part in zip(SEALED, kept, strict=True)}
        data, salt, locator = kept
        facts = view.chain_id, view.federation, number, self.seat
        commitment = update_commitment(*facts, root_of(data, Kind.UPDATE), salt, locator)
        return [Action("commit", (self.seat, commitment), self.seat, keep=keep)]

    def reveals(self, view: View) -> list[Action]:
        number = view.round.number
        kept = self._sealed(number)
        if kept is None:
            return []
        data, salt, locator = kept
        files = [Publish(data, Kind.UPDATE)]
        if (told := self._kept(statement_name(number))) is not None:
            files.append(Publish(told, None))
        args = (self.seat, root_of(data, Kind.UPDATE), salt, locator)
        return [Action("reveal", args, self.seat, publish=tuple(files))]

    def _committed(self, view: View) -> bool:
        """Whether a commitment stands that can be opened: one whose salt is lost is replaced while there is time."""
        return self.seat in view.round.commitments and (self.journal / f"{view.round.number}.salt").is_file()

    def _sealed(self, number: int) -> tuple[bytes, bytes, bytes] | None:
        """What this round's commitment was made of, if all of it was kept."""
        update, salt, locator = (self._kept(f"{number}.{name}") for name in SEALED)
        return None if update is None or salt is None or locator is None else (update, salt, locator)

    def _residue(self, view: View) -> NDArray[np.float64] | None:
        """What the last update's rounding lost; where privacy is on, of private rounds only, since others hold raw numbers."""
        private = None if self.guard is None else set(self.guard.rounds(view))
        for earlier in range(view.round.number - 1, 0, -1):
            if private is not None and earlier not in private:
                continue
            if (data := self._kept(f"{earlier}.residual")) is not None:
                return load(data)["residual"]
        return None

    def _kept(self, name: str) -> bytes | None:
        path = self.journal / name
        return path.read_bytes() if path.is_file() else None

"""How a seat's honest training is done: by itself, or together with all seats in the same process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fl.agents.roles.partners import Partners
from fl.agents.roles.privacy_guard import PrivacyGuard
from fl.learning.batched import Cohort
from fl.learning.data.partition import Part
from fl.learning.task import Task
from fl.learning.trainer import generator, local_change


class SeatTrainer(Protocol):
    """The interface of a participant's training."""

    def change(self, base: NDArray[np.int32], number: int) -> tuple[NDArray[np.float64], np.random.Generator]:
        """(what training in round `number` changes in the model `base`, in floats (parameters,); the round's
        random generator after training). base: in units, (padded,)."""
        ...


@dataclass(frozen=True)
class SoloTrainer:
    """Trains one seat's rows."""

    task: Task
    part: Part
    seed: int
    seat: int

    def change(self, base: NDArray[np.int32], number: int) -> tuple[NDArray[np.float64], np.random.Generator]:
        rng = generator(self.seed, number, self.seat)
        return local_change(self.task, base, self.part, rng), rng


@dataclass(frozen=True)
class CohortTrainer:
    """One of many seats that train at once: the first that asks in a round trains for all."""

    cohort: Cohort
    seat: int

    def change(self, base: NDArray[np.int32], number: int) -> tuple[NDArray[np.float64], np.random.Generator]:
        return self.cohort.change(base, number, self.seat)


@dataclass(frozen=True)
class TrainingOptions:
    """What may differ in a participant's training.

    trainer: how it trains; by default by itself. guard: of its privacy, if it has a budget. ahead: it trains for the next
    round while the model that this round will start with can still be challenged, so that the commit window need not hold the
    training. With a budget it does not: the ledger counts what is trained, and a proposal that falls would waste it.
    partners: whose updates may be summed with this one's, in masked mode.
    """

    trainer: SeatTrainer | None = None
    guard: PrivacyGuard | None = None
    ahead: bool = False
    partners: Partners | None = None


PLAIN = TrainingOptions()

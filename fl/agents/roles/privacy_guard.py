"""Keeps one participant within the privacy budget that it chose: trains privately, records each release, states the
guarantee."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.view import View
from fl.errors import PrivacyError
from fl.learning.data.partition import Part
from fl.learning.privacy.budget import LEDGER, Ledger, Privacy, Spending, spending, statement
from fl.learning.privacy.mechanisms import Secret, Source, check_private, private_change
from fl.learning.task import Task
from fl.network.stores.base import canonical


class PrivacyGuard:
    """One participant's rows, budget and ledger. Raises PrivacyError at once if the guarantee cannot be kept.

    ledger: the folder of privacy.json; federations that train on the same rows must share it.
    source: of a round's randomness; only simulations use one other than the operating system's.
    """

    def __init__(
        self,
        privacy: Privacy,
        task: Task,
        part: Part,
        ledger: Path,
        source: Callable[[int], Source] = lambda number: Secret(),
    ):
        self.privacy, self.task, self.part, self.folder, self.source = privacy, task, part, ledger, source
        check_private(task, part, privacy.mechanism)
        once = Ledger((spending(privacy, task.training, len(part), "", 0),)).epsilon(privacy.delta)
        if once > privacy.epsilon:
            message = f"one round spends epsilon {once:.2f}, more than the budget of {privacy.epsilon:g}"
            raise PrivacyError(f"{message}: raise --noise, or take fewer epochs")
        self.ledger()

    def ledger(self) -> Ledger:
        return Ledger.read(self.folder)

    def rounds(self, view: View) -> list[int]:
        """The rounds of this federation in which the participant released something private."""
        return self.ledger().rounds(_where(view))

    def release(self, view: View) -> Spending:
        """The release of this round, as the accountant sees it."""
        return spending(self.privacy, self.task.training, len(self.part), _where(view), view.round.number)

    def allows(self, view: View) -> bool:
        """Whether the budget still holds after this round."""
        return self.ledger().allows(self.release(view), self.privacy)

    def change(self, view: View, rng: np.random.Generator) -> NDArray[np.float64]:
        """What private training changes in this round, in floats (parameters,)."""
        base, number = view.record.model(view.round.base), view.round.number
        return private_change(self.task, base, self.part, self.privacy, self.release(view), self.source(number), rng)

    def keep(self, view: View, seat: int, root: bytes) -> dict[str, bytes]:
        """What must be on disk before any part of the update: the ledger first, then the statement."""
        release = self.release(view)
        after = self.ledger().with_(release)
        result = statement(self.privacy, after, release, self.source(view.round.number).name, seat, root)
        return {LEDGER: after.to_json(), statement_name(view.round.number): canonical(result)}

    def spent(self) -> dict[str, Any]:
        """For people: how much of the budget was spent."""
        ledger, privacy = self.ledger(), self.privacy
        return {
            "mechanism": privacy.mechanism,
            "spent": ledger.epsilon(privacy.delta),
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "clip": privacy.clip,
            "noise": ledger.history[-1].noise if ledger.history else None,
            "rounds": sorted({s.round for s in ledger.history}),
            "noise_source": self.source(0).name,
        }


def statement_name(number: int) -> str:
    return f"{number}.{LEDGER}"


def _where(view: View) -> str:
    return f"{view.chain_id}/{view.federation}"

"""Keeps one participant within the privacy budget that it chose: trains privately, records each release, states the
guarantee."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.history import History
from fl.agents.record.view import View
from fl.errors import PrivacyError
from fl.learning.data.partition import Part
from fl.learning.privacy.budget import LEDGER, Ledger, Privacy, Spending, spending, statement
from fl.learning.privacy.mechanisms import Secret, Source, check_private, private_change
from fl.learning.task import Task
from fl.network.stores.base import canonical
from fl.network.stores.files import write_durably


class PrivacyGuard:
    """One participant's rows, budget and ledger. Raises PrivacyError at once if the guarantee cannot be kept.

    ledger: the folder of privacy.json; federations that train on the same rows must share it.
    begins: the first round that is private, if earlier ones were not: what they released is beyond the guarantee.
    source: of a round's randomness; only simulations use one other than the operating system's.
    """

    def __init__(
        self,
        privacy: Privacy,
        task: Task,
        part: Part,
        ledger: Path,
        source: Callable[[int], Source] = lambda number: Secret(),
        seat: int = 0,
        begins: int = 1,
    ):
        self.privacy, self.task, self.part, self.folder, self.source = privacy, task, part, ledger, source
        self.seat, self.begins = seat, begins
        check_private(task, part, privacy.mechanism)
        once = Ledger((spending(privacy, task.training, len(part), "", 0),)).epsilon(privacy.delta)
        if once > privacy.epsilon:
            message = f"one round spends epsilon {once:.2f}, more than the budget of {privacy.epsilon:g}"
            raise PrivacyError(f"{message}: raise --noise, or take fewer steps")
        self.ledger()

    def ledger(self) -> Ledger:
        return Ledger.read(self.folder)

    def rounds(self, view: View) -> list[int]:
        """The rounds of this federation in which the participant released something private."""
        return self.ledger().rounds(_where(view), self.seat)

    def lost(self, view: View) -> str:
        """Why the ledger cannot be whole: the chain shows updates of this seat that it lacks. Empty if there are none."""
        counted = set(self.rounds(view))
        gone = [n for n in released(view.history, self.seat) if self.begins <= n < view.round.number and n not in counted]
        if not gone:
            return ""
        which = f"round{'s' if len(gone) > 1 else ''} {', '.join(map(str, gone[:8]))}"
        return (
            f"the chain has updates of seat {self.seat} from {which}, and the privacy ledger {self.folder / LEDGER} lacks "
            "them: what was spent is not known and the seat sits out, unpaid: restore it, name its folder with --ledger, or, "
            f"if those rounds were not private, add --private-from {gone[-1] + 1}"
        )

    def release(self, view: View) -> Spending:
        """The release of this round, as the accountant sees it."""
        return spending(self.privacy, self.task.training, len(self.part), _where(view), view.round.number, self.seat)

    def allows(self, view: View) -> bool:
        """Whether the budget still holds after this round."""
        return self.ledger().allows(self.release(view), self.privacy)

    def change(self, view: View, rng: np.random.Generator) -> NDArray[np.float64]:
        """What private training changes in this round, in floats (parameters,)."""
        base, number = view.record.model(view.round.base), view.round.number
        return private_change(self.task, base, self.part, self.privacy, self.release(view), self.source(number), rng)

    def keep(self, view: View, root: bytes) -> dict[str, bytes]:
        """Enters the release in the ledger, and returns what must be on disk before any part of the update: the statement.

        Raises PrivacyError if the budget does not hold the release, as after a release of another federation that shares the
        ledger; OSError if it cannot be written. An update that is lost after this was seen by nobody and is counted once."""
        release = self.release(view)
        with alone(self.folder):
            before = self.ledger()
            if not before.allows(release, self.privacy):
                spent = f"{before.epsilon(self.privacy.delta):.2f} of epsilon {self.privacy.epsilon:g} is spent"
                raise PrivacyError(
                    f"{spent}, and round {release.round} would exceed it: nothing is released; the seat sits out"
                )
            after = before.with_(release)
            if after != before:
                write_durably(self.folder / LEDGER, after.to_json(), mode=0o600)
        result = statement(self.privacy, after, release, self.source(view.round.number).name, self.seat, root)
        return {statement_name(view.round.number): canonical(result)}

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

    def series(self, view: View) -> dict[int, float]:
        """The epsilon spent after each of its rounds in this federation, by round."""
        return self.ledger().series(_where(view), self.seat, self.privacy.delta)


def released(history: History, seat: int) -> list[int]:
    """The rounds in which a seat revealed an update, since it was last taken."""
    rounds: list[int] = []
    for event in history.events:
        if event.name == "Joined" and event.fields["seat"] == seat:
            rounds = []
        elif event.name == "Revealed" and event.fields["seat"] == seat:
            rounds.append(event.fields["round"])
    return rounds


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder's ledger. The kernel releases it when a process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "privacy.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def statement_name(number: int) -> str:
    return f"{number}.{LEDGER}"


def _where(view: View) -> str:
    return f"{view.chain_id}/{view.federation}"

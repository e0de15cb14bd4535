"""Long work, in threads beside the ticks or within them."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Protocol

from fl.agents.record.view import View
from fl.agents.runtime.actions import Files, Work

Outcome = Files | Exception


class Workers(Protocol):
    """Runs work, one piece of each kind at a time."""

    def start(self, work: Work, view: View) -> None:
        """Starts the work, unless a piece of the same kind is running."""
        ...

    def outcome(self, work: Work) -> Outcome | None:
        """The outcome; None while it is not done."""
        ...

    def forget(self, work: Work) -> None:
        """Drops an outcome that was taken."""
        ...

    def drop_all_but(self, wanted: Collection[Work]) -> None:
        """Drops all other outcomes."""
        ...

    @property
    def ready(self) -> bool:
        """Whether an outcome is ready and not yet taken."""
        ...

    @property
    def busy(self) -> bool:
        """Whether work is running or an outcome is ready."""
        ...


class Inline:
    """Does the work immediately while the caller waits: for simulations, where many seats train together."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[type[Work], int], Outcome] = {}

    def start(self, work: Work, view: View) -> None:
        self._outcomes[_key(work)] = _outcome(work, view)

    def outcome(self, work: Work) -> Outcome | None:
        return self._outcomes.get(_key(work))

    def forget(self, work: Work) -> None:
        self._outcomes.pop(_key(work), None)

    def drop_all_but(self, wanted: Collection[Work]) -> None:
        for key in set(self._outcomes).difference(map(_key, wanted)):
            del self._outcomes[key]

    @property
    def ready(self) -> bool:
        return bool(self._outcomes)

    @property
    def busy(self) -> bool:
        return self.ready


class Threads(Inline):
    """Works beside the ticks, in a thread for each kind of work, on a frozen copy of the view.

    Threads do not outlive the process: unfinished work is done again after a restart.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads: dict[type[Work], threading.Thread] = {}

    def start(self, work: Work, view: View) -> None:
        running = self._threads.get(type(work))
        if running is None or not running.is_alive():
            frozen, name = view.frozen(), f"{type(work).__name__} {work.round}"
            # Not joined when the process ends: a daemon that should stop does not wait for hours of training.
            thread = self._threads[type(work)] = threading.Thread(target=self._run, args=(work, frozen), name=name, daemon=True)
            thread.start()

    @property
    def busy(self) -> bool:
        # In this order: a thread that ends in between has left its outcome.
        return any(thread.is_alive() for thread in self._threads.values()) or self.ready

    def _run(self, work: Work, view: View) -> None:
        self._outcomes[_key(work)] = _outcome(work, view)  # one assignment, so that other threads see all of it or nothing


def _key(work: Work) -> tuple[type[Work], int]:
    return type(work), work.round


def _outcome(work: Work, view: View) -> Outcome:
    try:
        return work.run(view)
    except Exception as error:  # one role's trouble, reported when the outcome is taken
        return error

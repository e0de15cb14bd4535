"""Cheats among trainers: what they send is in fl.learning.research.attacks; what they see is here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.view import View
from fl.agents.roles.participant import Participant
from fl.agents.runtime.actions import Action, Call, Files, Publish, Work
from fl.learning.codec import encode_update
from fl.learning.research.attacks import ATTACKS, POISONED, Change, Sight, attends, change_of, poison
from fl.learning.trainer import generator, local_change
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import UPDATE_LEAF_BYTES, Kind, size_of
from fl.protocol.fixed_point import FRACTION_BITS, to_fixed, to_float
from fl.protocol.phases import Phase


class Dishonest(Participant):
    """A participant that may know seats of the same kind, and trains without privacy."""

    def __init__(self, *args: Any, accomplices: Collection[int] = (), **options: Any):
        super().__init__(*args, **options)
        self.accomplices = frozenset(accomplices)


class Cheat(Dishonest):
    """Sends what fl.learning.research.attacks makes from past rounds, since commitments hide the current one."""

    attack = "sign_flip"
    first: Change | None = None  # what its honest training changed in the first round of this process

    def commits(self, view: View) -> list[Action]:
        return super().commits(view) if attends(self.attack, view.round.number) else []

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        sight = self._sight(view)
        change = change_of(self.attack, sight)
        self.first = sight.honest if self.first is None else self.first
        return encode_update(change, None, view.terms.depth, view.terms.max_exponent, sight.rng)

    def _sight(self, view: View) -> Sight:
        number, record, terms = view.round.number, view.record, view.terms
        honest = own = self.trained(view)[0]
        mine = self.accomplices | {self.seat}
        if self.attack in POISONED:
            base, rng = record.model(view.round.base), generator(self.seed, number, self.seat)
            place, of = sorted(mine).index(self.seat), len(mine)
            own = local_change(self.task, base, poison(self.attack, self.shard.train, place, of), rng)
        settled = [r for r in view.history.rounds[:-1] if r.settled]
        seen = record.well_formed(settled[-1]) if settled else {}
        others = {seat: update for seat, update in seen.items() if seat not in mine}

        bound = record.bound(view.history)

        def inside(change: Change) -> frozenset[int]:
            sent = np.zeros(next(iter(others.values())).size if others else change.size, np.int32)
            sent[: change.size] = to_fixed(np.clip(change, -64, 64))
            return record.gate(record.state(view.history, number), {**others, **dict.fromkeys(mine, sent)})[0]

        return Sight(
            own=own,
            honest=honest,
            last=self._last_change(view, own.size),
            others=np.stack([to_float(u[: own.size]) for u in others.values()]) if others else honest[None],
            seats=len(view.round.active),
            accomplices=len(mine),
            round=number,
            rng=np.random.default_rng([self.seed, number, self.seat, 1]),
            limit=127 * 2.0 ** (terms.max_exponent - 24),
            passes=lambda change: self.seat in inside(change),
            company=lambda change: len(inside(change) - mine),
            bound=None if bound is None else bound / 2**FRACTION_BITS,
            first=self.first,
        )

    def _last_change(self, view: View, size: int) -> Change:
        adopted = [r for r in view.history.rounds[:-1] if r.adopted]
        if not adopted:
            return np.zeros(size)
        before, after = (to_float(view.record.model(root)) for root in (adopted[-1].base, adopted[-1].model))
        return (after - before)[:size]


class NoReveal(Dishonest):
    """Commits and does not reveal, in every second round."""

    def reveals(self, view: View) -> list[Action]:
        return [] if view.round.number % 2 == 0 else super().reveals(view)


class PoisonerOnceSilent(Cheat):
    """The demo's first bad actor: poisons, and in round 3 commits without revealing."""

    def reveals(self, view: View) -> list[Action]:
        return [] if view.round.number == 3 else super().reveals(view)


class ColludingTrainer(Cheat):
    """One of a minority that also lies together as validators: stays within the standard deviation of the others."""

    attack = "alie"


FLAWS = ("short", "long", "minus_128", "exponent", "wrong_root", "absent", "huge")
HUGE = 1 << 24  # bytes, at least


class Malformed(Dishonest):
    """Commits to a file that nobody should accept: with a different flaw each round, or always the one named."""

    flaw: str | None = None

    def update(self, view: View) -> tuple[bytes, NDArray[np.float64]]:
        good, residual = super().update(view)
        return self._spoilt(good, self.flaw_of(view.round.number), view), residual

    def flaw_of(self, number: int) -> str:
        return self.flaw or FLAWS[(number - 1) % len(FLAWS)]

    def _spoilt(self, good: bytes, flaw: str, view: View) -> bytes:
        spoilt = bytearray(good)
        if flaw == "short" and view.terms.depth > 0:
            return good[: len(good) // 2]
        if flaw in ("long", "short"):  # a single leaf cannot be halved and still have a root
            return good + good
        if flaw == "huge":
            times = 1 << max(1, (HUGE // len(good)).bit_length())
            return good * times
        if flaw == "minus_128":
            spoilt[UPDATE_LEAF_BYTES - 1] = 0x80
        if flaw == "exponent":
            spoilt[0] = view.terms.max_exponent + 1
        return bytes(spoilt)

    def reveals(self, view: View) -> list[Action]:
        actions, flaw = super().reveals(view), self.flaw_of(view.round.number)
        other = bytes(size_of(Kind.UPDATE, view.terms.depth))
        published = {"absent": (), "wrong_root": (Publish(other, Kind.UPDATE),)}
        return [replace(a, publish=published[flaw]) if isinstance(a, Call) and flaw in published else a for a in actions]

    def serves(self, view: View) -> list[Action]:
        return []


class Hide(Work):
    """Takes an update out of the folder that everybody reads."""


class HidesAccepted(Dishonest):
    """Trains honestly, and takes its update away once the committee has accepted it, so that nobody can check a model."""

    def serves(self, view: View) -> list[Action]:
        if view.phase < Phase.SHOW:
            return super().serves(view)
        done = (self.journal / f"{view.round.number}.hidden").is_file()  # others may have the same file, and show it again
        return [] if done or self.seat not in view.round.accepted else [Hide(view.round.number, self.hide)]

    def hide(self, view: View) -> Files:
        store = view.record.store
        if isinstance(store, LocalStore):  # what is elsewhere cannot be taken back
            (store.path / f"{view.round.reveals[self.seat].root.hex()}.update").unlink(missing_ok=True)
        return {f"{view.round.number}.hidden": b""}


def _cheat(kind: str) -> type[Dishonest]:
    return type(f"Cheat_{kind}", (Cheat,), {"attack": kind})


def _malformed(flaw: str) -> type[Dishonest]:
    return type(f"Malformed_{flaw}", (Malformed,), {"flaw": flaw})


PARTICIPANTS: dict[str, type[Dishonest]] = {
    **{kind: _cheat(kind) for kind in ATTACKS},
    "malformed": Malformed,
    **{f"malformed_{flaw}": _malformed(flaw) for flaw in FLAWS},
    "colluding_minority": ColludingTrainer,
    "hides_accepted": HidesAccepted,
    "no_reveal": NoReveal,
    "poisoner_once_silent": PoisonerOnceSilent,
}

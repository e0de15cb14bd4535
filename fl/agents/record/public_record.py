"""Recomputes the public record: which revealed updates are available and well-formed, which the gate lets in, and what the
next model is. These are pure functions of events and store, cached per round, since all roles need them and must agree.

Updates stay as the store returns them, memory maps of files for all but small ones, and are decoded part by part. The only
whole vectors in memory are models, however many updates there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fl.agents.record.history import History, RoundLog
from fl.errors import StoreError
from fl.learning.gate import GATES, LOOK_BACK, ONE, GateState, gram, own_vote, state_of, voices, within
from fl.learning.scoring import PublicRound
from fl.network.events import Event
from fl.network.stores.base import Store, canonical
from fl.network.stores.files import write_durably
from fl.network.stores.several import fetched
from fl.protocol.artifact import Data, Kind, Numbers, UpdateNumbers, parse_model, update_is_canonical
from fl.protocol.enums import Artifact
from fl.protocol.fixed_point import FRACTION_BITS
from fl.protocol.fraud import ROOT_KEPT, Opened
from fl.protocol.leaves import Tree, root_from
from fl.protocol.manifest import Manifest
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms

MODELS_KEPT = 3  # the models that a round starts with, the one before, and the proposed one

Vector = NDArray[np.int32]
_Accepted = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Judged:
    """What everybody must conclude about a round's revealed updates."""

    seen: frozenset[int]  # well-formed and available, by seat
    inside: frozenset[int]  # let in by the gate


class Record:
    """The record of one federation, as far as this store has the files."""

    def __init__(self, terms: Terms, manifest: Manifest, store: Store):
        self.terms, self.manifest, self.store = terms, manifest, store
        self.mode = manifest.mode
        self._gate = GATES[manifest.gate.name]
        self._folder: Path | None = None  # where memories are kept
        self._tried: dict[int, int] = {}  # how many rounds there were when a memory was last to be kept
        self._files: dict[bytes, Data] = {}  # the updates requested last
        self._judged: dict[int, Judged] = {}
        # of settled rounds, as far as all accepted updates were available; a round that excludes one is remembered anew
        self._memories: dict[_Accepted, int] = {}
        self._models: dict[bytes, Vector] = {}
        self._model_files: dict[bytes, Data] = {}  # the models requested last, the latest last
        self._next: dict[_Accepted, bytes] = {}
        self._trees: dict[_Accepted, Tree] = {}
        # the part of an update's root that the chain keeps, to the root that an answer led to
        self._opened: dict[bytes, bytes] = {}

    def copy(self) -> Record:
        """A copy of the record for another thread, so that a tick never waits for a thread that reads many files. Both start
        with the same cache, and continue to share the gate's results for past rounds, which do not depend on who computes
        them."""
        other = Record(self.terms, self.manifest, self.store)
        other._folder = self._folder
        other._judged, other._memories = self._judged, self._memories
        other._files, other._models, other._opened = dict(self._files), dict(self._models), dict(self._opened)
        other._model_files, other._next, other._trees = dict(self._model_files), dict(self._next), dict(self._trees)
        return other

    def note(self, events: Iterable[Event]) -> None:
        """Notes where files can be found according to the events."""
        for event in events:
            if event.name in ("Revealed", "Proposed") and event.fields["locator"]:
                self.store.hint(event.fields["root"], event.fields["locator"])
            if event.name == "Answered" and event.fields["artifact"] == Artifact.UPDATE:
                content, leaf, path = (event.fields[name] for name in ("content", "leaf", "path"))
                root = root_from(content, leaf, tuple(path[i : i + 32] for i in range(0, len(path), 32)))
                self._opened[root[:ROOT_KEPT]] = root

    def update(self, root: bytes) -> Data | None:
        """An update's file, or None if it is not available."""
        name = self._name(root)
        try:
            return self._files.get(name) or self.store.get(name, self.mode.kind, self.terms.depth)
        except StoreError:
            return None

    def updates(self, roots: Iterable[bytes]) -> dict[bytes, Data]:
        """The files of the updates that are available, by revealed root.

        A revealed root may differ from its file's in the bytes that the chain does not keep. No store has a file of that
        name, but the contract accepts the file. Answers to demands show under which name it is stored."""
        names = {root: self._name(root) for root in roots}
        files = self._held(names.values())
        return {root: files[name] for root, name in names.items() if name in files}

    def lacking(self, log: RoundLog) -> list[int]:
        """The accepted seats of a settled round whose files are not in hand: no store has shown one that hashes to its root, or
        the folder that it was read from has it no more, so that a restart would lose it."""
        names = {seat: self._name(log.reveals[seat].root) for seat in log.accepted}
        files, near = self._held(names.values()), not self.store.afar
        return [s for s, name in names.items() if name not in files or (near and not self.store.has(name, self.mode.kind))]

    def _name(self, root: bytes) -> bytes:
        return self._opened.get(root[:ROOT_KEPT], root)

    def _held(self, names: Iterable[bytes]) -> dict[bytes, Data]:
        """The available updates of these names. They are fetched at the same time, since ten missing files must not take ten
        times as long as one, and are cached until others are needed, so that a round's files are read once."""
        wanted = dict.fromkeys(names)
        if missing := [name for name in wanted if name not in self._files]:
            self._files = {name: data for name, data in self._files.items() if name in wanted}
            come = fetched(self.store, missing, self.mode.kind, self.terms.depth)
            self._files |= {name: data for name, data in come if data is not None}
        return self._files

    def model_file(self, root: bytes) -> Data | None:
        """A model's file, or None if it is not available."""
        try:
            return self._model_file(root)
        except StoreError:
            return None

    def _model_file(self, root: bytes) -> Data:
        """A model's file, read once a round: a checker needs it at every block, and a store that is down for a moment must not
        make it demand what it already had."""
        data = self._model_files.pop(root, None) or self.store.get(root, Kind.MODEL, self.terms.depth)
        self._model_files = dict([*self._model_files.items()][1 - MODELS_KEPT :]) | {root: data}
        return data

    def model(self, root: bytes) -> Vector:
        """A model in units. Raises StoreError if it is not available."""
        if root not in self._models:
            self._models = {root: parse_model(self._model_file(root), self.terms.depth)}
        return self._models[root]

    def judged(self, history: History, log: RoundLog) -> Judged:
        """The gate's verdict on a closed round."""
        return self._judge(log, self.state(history, log.number))

    def _judge(self, log: RoundLog, before: GateState) -> Judged:
        known = self._judged.get(log.number)
        # A file that was missing when scores were due, but that the committee accepted, may have arrived since.
        if known is None or not known.seen.issuperset(log.accepted):
            updates = self.well_formed(log)
            known = self._judged[log.number] = Judged(frozenset(updates), self.gate(before, updates)[0])
        return known

    def well_formed(self, log: RoundLog, seats: Iterable[int] | None = None) -> dict[int, Numbers]:
        """A closed round's updates that are well-formed and available, in units, by seat; of all revealed seats, or of some."""
        depth, exponent = self.terms.depth, self.terms.max_exponent
        roots = {seat: log.reveals[seat].root for seat in (seats if seats is not None else log.revealed or [])}
        files = self._held(roots.values())
        held = {seat: files[root] for seat, root in roots.items() if root in files}
        good = (seat for seat, data in held.items() if update_is_canonical(data, depth, exponent, self.manifest.parameters))
        return {seat: UpdateNumbers(held[seat], depth, exponent) for seat in good}

    def gate(self, state: GateState, updates: Mapping[int, Numbers]) -> tuple[frozenset[int], GateState]:
        """Applies the manifest's gate to well-formed updates, in units, by seat."""
        return self._gate.judge(state, updates)

    def state(self, history: History, number: int) -> GateState:
        """The gate's state when round `number` begins: everybody's, whatever files of rounds long over each still has."""
        settled = [log for log in history.rounds[: number - 1] if log.settled]
        return state_of([self.memory(log) for log in settled[-LOOK_BACK:]])

    def memory(self, log: RoundLog) -> int:
        """What the gate remembers of a settled round. It needs the accepted updates, once; without one of them, and without a
        memory kept by an earlier process, that seat's part is left out until the file is there."""
        if self._gate.remember is None:
            return 0
        if (known := self._memories.get(_accepted(log))) is None and (known := self._kept(log)) is None:
            roots = [log.reveals[seat].root for seat in log.accepted]
            updates = self.well_formed(log, log.accepted)
            known = self._gate.remember(updates)
            if len(self.updates(roots)) < len(set(roots)):
                return known
        self._memories[_accepted(log)] = known
        return known

    def keep_in(self, folder: Path) -> Record:
        """Keeps memories in this folder, so that a restart needs no file of a round long over; returns itself."""
        self._folder = folder
        return self

    def keep(self, history: History) -> None:
        """Writes the memories of settled rounds that are remembered and not kept yet; once for each round that opens, since
        a file that is missing may take long to be asked for. Raises OSError."""
        if self._folder is None or self._gate.remember is None:
            return
        for log in [log for log in history.rounds if log.settled][-LOOK_BACK:]:
            if self._tried.get(log.number) == len(history.rounds):
                continue
            found = self.memory(log)
            if _accepted(log) in self._memories and self._kept(log) is None:
                facts = {"of": _digest(log), "square": str(found)}
                write_durably(self._folder / f"{log.number}.json", canonical(facts), mode=0o600)
            self._tried[log.number] = len(history.rounds)

    def _kept(self, log: RoundLog) -> int | None:
        """The memory that an earlier process kept of this very round; None if there is none."""
        if self._folder is None:
            return None
        try:
            facts = json.loads((self._folder / f"{log.number}.json").read_bytes())
            return int(facts["square"]) if facts["of"] == _digest(log) else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def reasons(self, history: History, log: RoundLog) -> dict[int, str]:
        """Why each revealed update that the committee left out of a settled round is not in the model, with the numbers that
        everybody can recompute, by seat."""
        out = [seat for seat in log.revealed or [] if log.settled and seat not in log.accepted_first]
        if self.mode is Mode.MASKED:
            return dict.fromkeys(out, "the committee refused the model that all updates make together")
        if not out:
            return {}
        updates = self.well_formed(log)
        inside, state = self.judged(history, log).inside, self.state(history, log.number)
        seats = sorted(updates)
        products = gram([updates[seat] for seat in seats]) if seats else []
        places = {seat: i for i, seat in enumerate(seats)}
        fits, most = within(state, [products[i][i] for i in places.values()]), self._gate.bound(state)
        found = {}
        for seat in out:
            if (i := places.get(seat)) is None:
                held = log.reveals[seat].root in self.updates([log.reveals[seat].root])
                found[seat] = "its update is not as an honest encoder writes it" if held else "no store shows its update"
                continue
            norm = isqrt(products[i][i]) / 2**FRACTION_BITS
            if norm == 0:
                found[seat] = "its update changes nothing"
            elif seat in inside:
                found[seat] = "the gate lets it in, and the committee left it out"
            elif i not in fits:
                limit = "three times the median" if most is None else f"{most / 2**FRACTION_BITS:.3g}"
                found[seat] = f"too long: its norm is {norm:.3g}, and the gate's bound is {limit}"
            else:
                heard, own = voices(products, i, fits) / ONE, own_vote(len(fits)) / ONE
                found[seat] = (
                    f"it agrees too little: the voices of the {len(fits) - 1} others within the bound sum to {heard:+.2f}, "
                    f"and its vote for itself is {own:.2f}"
                )
        return found

    def bound(self, history: History) -> int | None:
        """The largest norm, in units, that the gate lets in this round; None if it is not known beforehand."""
        return self._gate.bound(self.state(history, history.rounds[-1].number))

    def next_model(self, log: RoundLog) -> bytes | None:
        """The file of the model that a settled round must lead to; None while an accepted update is missing."""
        if (key := _accepted(log)) not in self._next:
            roots = [log.reveals[seat].root for seat in log.accepted]
            files, base = self.updates(roots), self.model_file(log.base)
            if base is None or any(root not in files for root in roots):
                return None
            held = [files[root] for root in roots]
            self._next = {key: self.mode.next_file(base, held, self.terms)}
        return self._next[key]

    def candidate(self, log: RoundLog) -> Vector | None:
        """The model that all revealed updates of a masked round make, in units; None while a file is missing."""
        roots = [log.reveals[seat].root for seat in log.revealed or []]
        files, base = self.updates(roots), self.model_file(log.base)
        if base is None or any(root not in files for root in roots):
            return None
        made = self.mode.next_file(base, [files[root] for root in roots], self.terms)
        return parse_model(made, self.terms.depth)

    def next_tree(self, log: RoundLog) -> Tree | None:
        """The tree over that file, which a checker needs at every block."""
        if (right := self.next_model(log)) is None:
            return None
        if (key := _accepted(log)) not in self._trees:
            self._trees = {key: Opened.of(right, Kind.MODEL).tree}
        return self._trees[key]

    def public_round(self, history: History, log: RoundLog, accepted: frozenset[int] | list[int]) -> PublicRound:
        """The part of a round that scoring uses, with the seats assumed to be accepted."""
        before = next((r for r in reversed(history.rounds[: log.number - 1]) if r.settled), None)
        published = self.well_formed(before, before.accepted) if before else {}
        updates = self.well_formed(log)
        older = next((r.base for r in reversed(history.rounds[: log.number - 1]) if r.base != log.base), None)
        file = None if older is None else self.model_file(older)  # a store may have deleted it: scoring continues without
        return PublicRound(
            log.number,
            self.model(log.base),
            {s: updates[s] for s in sorted(accepted) if s in updates},
            self.terms.trim,
            None if file is None else parse_model(file, self.terms.depth),
            published,
        )


def _accepted(log: RoundLog) -> _Accepted:
    """A round, and whose updates enter its model, which may become fewer until somebody proposes it."""
    return log.number, tuple(log.accepted)


def _digest(log: RoundLog) -> str:
    """Names what a round's memory follows from: the accepted updates, and who else revealed one."""
    roots = {str(seat): log.reveals[seat].root.hex() for seat in log.accepted}
    return sha256(canonical({"round": log.number, "accepted": roots, "revealed": list(log.revealed or [])})).hexdigest()

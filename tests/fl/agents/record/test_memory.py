"""What proposing, checking, disproving, answering, judging, scoring and auditing hold in memory: as much for many updates as
for few. tracemalloc counts what is allocated, numpy's arrays too, and no map of a file."""

import io
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.in_process import InProcessChain, reader_of
from support.manifests import manifest
from support.system import CHALLENGER, STRANGER, System, operator, salt

from fl.agents.record.public_record import Record
from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.proposer import Proposer
from fl.agents.runtime.consistency import Observer
from fl.learning.scoring import Scorer
from fl.log import Log
from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, pack_update, size_of
from fl.protocol.enums import Artifact
from fl.protocol.leaves import root_of
from fl.protocol.stream import aggregate_files
from fl.tools.audit.auditor import Auditor

DEPTH = 9
PARAMETERS = LEAF_PARAMETERS << DEPTH
FEW, MANY = 8, 32


@dataclass
class Round:
    """A round of so many updates, and what an agent sees in each of its phases. A wrong model was proposed first."""

    store: LocalStore
    events: list[Event]
    right: bytes
    node: FederationReader
    views: dict[str, Callable[[], View]]

    def audit(self, view: View) -> dict[str, int]:
        return Auditor.of(self.node, self.store).run(self.events).or_raise().checks


def play(folder, seats: int) -> Round:
    rng = np.random.default_rng(0)
    store = LocalStore(folder)
    genesis = pack_model(rng.integers(-(2**24), 2**24, PARAMETERS).astype(np.int32))
    store.put(genesis, Kind.MODEL)
    system = System.create(InProcessChain(), model=genesis, depth=DEPTH, manifest=store.put_manifest(manifest(PARAMETERS)))
    node = reader_of(system)
    played = Round(store, [], b"", node, {})
    system.join(seats, 2 * system.terms.min_stake).fund().rich(CHALLENGER)

    def seen_as(name: str) -> None:
        snapshot = node.look()
        played.events += snapshot.events
        past = list(played.events)

        def view() -> View:
            """As somebody who has just come."""
            observer = Observer(node, lambda: Record(system.terms, manifest(PARAMETERS), store), Log(io.StringIO()))
            fresh = replace(snapshot, events=past, anew=True)
            observer.take_in(fresh)
            return observer.view(fresh)

        played.views[name] = view

    def update() -> bytes:
        q = rng.integers(-127, 128, PARAMETERS, dtype=np.int8)
        return pack_update(q, rng.integers(6, 9, PARAMETERS // 32, dtype=np.uint8))

    system.open()
    roots = [store.put(update(), Kind.UPDATE) for _ in range(seats)]
    for seat, root in enumerate(roots):
        system.do("commit", seat, system.commitment(seat, root), by=operator(seat))
    system.skip()
    for seat, root in enumerate(roots):
        system.do("reveal", seat, root, salt(seat), b"")
    system.skip()
    committee = system.draw()
    seen_as("scoring")
    system.commit_scores({seat: bytes([200]) * seats for seat in committee}).skip()
    system.reveal_scores().skip()
    system.settle()
    seen_as("showing")
    system.skip()
    seen_as("proposing")
    files = [store.get(root, Kind.UPDATE, DEPTH) for root in roots]
    right = bytes(aggregate_files(genesis, files, system.terms.trim, system.terms.max_exponent))
    for model, name in ((right[:-1] + bytes([right[-1] ^ 1]), "wrong"), (right, "right")):
        store.put(model, Kind.MODEL)
        system.propose(model, len(played.views) % seats)
        seen_as(name)
        if name == "wrong":
            (action,) = Challenger().decide(played.views[name]())
            system.federation.send(action.function, *action.args, by=STRANGER)
    for seat in range(seats):
        system.do("demand", Artifact.UPDATE, seat, 5, by=CHALLENGER)
    seen_as("demanded")
    for action in Answerer().decide(played.views["demanded"]()):
        system.federation.send(action.function, *action.args, by=STRANGER)
    system.finish()
    seen_as("final")
    return replace(played, right=root_of(right, Kind.MODEL))


@pytest.fixture(scope="module")
def rounds(tmp_path_factory) -> Callable[[int], Round]:
    return cache(lambda seats: play(tmp_path_factory.mktemp("round"), seats))


def propose(round_: Round, view: View) -> bool:
    proposer = next(p for p in map(Proposer, sorted(view.history.seats)) if p.is_turn(view))
    (action,) = proposer.decide(view)
    return action.args[3] == round_.right


def disprove(round_: Round, view: View) -> bool:
    (action,) = Challenger().decide(view)
    return action.function == "challenge"


def judge(round_: Round, view: View) -> bool:
    return sorted(view.record.judged(view.history, view.round).inside) == view.round.revealed


def score(round_: Round, view: View) -> bool:
    log = view.round
    public = view.record.public_round(view.history, log, frozenset(log.revealed or []))
    return min(Scorer(lambda models, _: np.abs(models[:, 0]) + 1.0, None).score(log.revealed, public, {}, [])) > 0


ACTS: dict[str, tuple[str, Callable[[Round, View], Any]]] = {
    "judges": ("scoring", judge),
    "scores": ("scoring", score),
    "proposes": ("proposing", propose),
    "disproves": ("wrong", disprove),
    "checks": ("right", lambda round_, view: Challenger().decide(view) == []),
    "answers": ("demanded", lambda round_, view: len(Answerer().decide(view)) == len(view.round.accepted)),
    "audits": ("final", lambda round_, view: round_.audit(view)["models"] == 1),
}


def most(act: Callable[[Round, View], Any], round_: Round, view: View) -> int:
    """Bytes, at the peak, while the view and its record are in use."""
    tracemalloc.start()
    try:
        assert act(round_, view)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ACTS)
def test_whoever__needs_no_more_memory_for_more_updates(name, rounds, monkeypatch):
    monkeypatch.setattr("fl.protocol.stream.cores", lambda: 1)  # threads meet by chance
    monkeypatch.setattr("fl.protocol.stream.MEMORY", 1 << 20)  # as if models were large, so that few updates fill it too
    monkeypatch.setattr("fl.learning.gate.VALUES", 1 << 16)
    monkeypatch.setattr("fl.learning.scoring.MODELS", 8 * PARAMETERS)
    monkeypatch.setattr("fl.learning.scoring.CHUNK", 1 << 10)
    phase, act = ACTS[name]
    few, many = (most(act, rounds(n), rounds(n).views[phase]()) for n in (FEW, MANY))
    assert many - few < (MANY - FEW) * size_of(Kind.UPDATE, DEPTH) // 10, f"{few:,} and {many:,} bytes"

"""Who answers demands: the soonest first, whichever files they are of, and what the store lacks holds up nothing else."""

import numpy as np
import pytest
from support.in_process import InProcessChain, seen
from support.manifests import manifest
from support.system import CHALLENGER, STRANGER, System, random_model, random_update

from fl.agents.record.view import View
from fl.agents.roles import answerer
from fl.agents.roles.answerer import MAX_DEMANDS, Answerer
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind
from fl.protocol.enums import Artifact as A

DEPTH = 4
LEAVES = 1 << DEPTH


@pytest.fixture
def demanded(tmp_path):
    """(a federation, its store, what is seen of it) after 80 demands, of five files in turn, a second between any two."""
    rng = np.random.default_rng(0)
    updates = {seat: random_update(rng, DEPTH) for seat in range(3)}
    system = System.create(InProcessChain(), model=random_model(rng, DEPTH), depth=DEPTH, answer_window=120)
    store = LocalStore(tmp_path)
    system.join(3).fund().to_challenge(updates).rich(CHALLENGER)
    for model in (system.model, system.proposal):
        store.put(model, Kind.MODEL)
    for update in updates.values():
        store.put(update, Kind.UPDATE)
    for leaf in range(LEAVES):
        for what in [
            (A.UPDATE, 2),
            (A.PROPOSED, 0),
            (A.UPDATE, 0),
            (A.PREVIOUS, 0),
            (A.UPDATE, 1),
        ]:
            system.do("demand", *what, leaf, by=CHALLENGER)
            system.evm.warp(system.evm.time + 1)
    return system, seen(system, manifest(LEAF_PARAMETERS << DEPTH), store)


def made(view: View) -> list[tuple[object, ...]]:
    return [(d.artifact, d.seat, d.leaf) for d in view.round.demands]


def test_answers__are_to_the_soonest_of_all_files__and_right(demanded):
    system, view = demanded
    assert len(made(view)) == 5 * LEAVES > MAX_DEMANDS
    actions = Answerer().decide(view)
    assert [action.args[:3] for action in actions] == made(view)[:MAX_DEMANDS]
    for action in actions:
        system.federation.send(action.function, *action.args, by=STRANGER)
    assert system.round.openDemands == 5 * LEAVES - MAX_DEMANDS


def test_answers__open_each_file_once(demanded, monkeypatch):
    kinds, opened = [], answerer.Opened.of
    monkeypatch.setattr(answerer.Opened, "of", lambda data, kind: kinds.append(kind) or opened(data, kind))
    assert len(Answerer().decide(demanded[1])) == MAX_DEMANDS
    assert sorted(kind.name for kind in kinds) == ["MODEL"] * 2 + ["UPDATE"] * 3


def test_answers__go_on__where_the_store_lacks_a_file(demanded):
    _, view = demanded
    lost = view.record.store.path / f"{view.round.reveals[2].root.hex()}.update"
    lost.unlink()
    wanted = [what for what in made(view) if what[:2] != (A.UPDATE, 2)]
    assert [action.args[:3] for action in Answerer().decide(view)] == wanted

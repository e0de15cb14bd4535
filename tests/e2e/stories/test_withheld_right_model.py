"""A proposer that is right and shows its file to nobody: a checker has the file too, so the next round finds it."""

from pathlib import Path

import pytest
from attacks.gallery import files, root
from support.in_process import HOUSE, InProcessChain, InProcessFederation, lockstep_of, operated
from support.manifests import manifest
from support.system import System

from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.proposer import Proposer
from fl.agents.runtime.actions import Action, Call
from fl.agents.runtime.agent import Agent
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened

HIDER = 4


class HidesWhatIsRight(Proposer):
    """Proposes the right model, first of all, and publishes nothing."""

    def is_turn(self, view: View) -> bool:
        return view.facts.attempts == 0 and self.seat in view.eligible()

    def publishes(self, view: View) -> bool:
        return False


def test_right_model_that_its_proposer_withholds__is_published_by_who_checked_it(tmp_path: Path):
    federation = InProcessFederation(tmp_path, "linear", honest=4, rounds=3)
    key = operated(federation.system.join(1), HIDER)
    hider = Agent("hider", key, (HidesWhatIsRight(HIDER),), tmp_path / "hider", federation.store, HIDER)
    federation.play([hider, *federation.agents])
    federation.run()
    rounds = federation.loop.history.rounds
    assert [log.proposals[0].seat for log in rounds] == [HIDER] * 3
    assert all(log.adopted and len(log.commitments) == 4 for log in rounds)
    federation.audit()


class ShowsTheOldModel:
    """Answers every demand for the model that the round began with."""

    def __init__(self, data: bytes):
        self.file = Opened.of(data, Kind.MODEL)

    def decide(self, view: View) -> list[Action]:
        size, leaves = Kind.MODEL.value, [d.leaf for d in view.round.demands if d.artifact == Artifact.PREVIOUS]
        shown = [(leaf, self.file.show(leaf)) for leaf in leaves]
        return [Call("answer", (Artifact.PREVIOUS, 0, leaf, s[:size], s[size:]), shared=True) for leaf, s in shown]


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_model_that_the_round_began_with__is_bought_back_leaf_by_leaf_by_a_checker_that_lacks_it(tmp_path: Path, wrong: bool):
    s = System.create(InProcessChain(), depth=1)
    data, store = files(3, depth=1), LocalStore(tmp_path)
    s.join(3).fund().rich(HOUSE.address)
    for update in data.values():
        store.put(update, Kind.UPDATE)
    s.to_propose(data)
    right = s.aggregate()
    s.propose(right[:-1] + bytes([right[-1] ^ wrong]))
    store.put(s.proposal, Kind.MODEL)
    checker = Agent("checker", HOUSE, (Challenger(), Answerer(), Keeper(1)), tmp_path / "checker", store)
    other = Agent("other", operated(s, 0), (ShowsTheOldModel(s.model),), tmp_path / "other", store, 0)
    loop = lockstep_of(s, manifest(2 * LEAF_PARAMETERS), store, [other, checker])
    loop.run()
    assert loop.history.rounds[0].proposals[0].fell is wrong
    assert store.has(root(s.model, Kind.MODEL), Kind.MODEL)

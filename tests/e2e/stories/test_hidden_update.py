"""An accepted update that its author hides. What a majority of all who revealed cannot get is left out, and the model moves on.

Where too few report it, as everywhere on the stage here, a checker demands it, first where the proposal deviates most.

The chain keeps 28 bytes of an update's root. A cheat may announce a root whose other four are not its file's: no store knows
that name, the contract takes the file's every leaf, and a checker must, too."""

from pathlib import Path

import pytest
from attacks.gallery import files, judge, root
from support.daemon_cluster import DaemonCluster, logged
from support.in_process import HOUSE, InProcessChain, lockstep_of, operated
from support.keys import key_of
from support.manifests import manifest
from support.system import System, operator, salt

from fl.agents.adversaries import cast
from fl.agents.record.view import View
from fl.agents.roles.answerer import Answerer
from fl.agents.roles.challenger import Challenger
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.proposer import Proposer
from fl.agents.runtime.actions import Action, Call
from fl.agents.runtime.agent import Agent
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase
from fl.protocol.seats import from_bitmap
from fl.tools.audit.auditor import Auditor
from fl.tools.audit.verdict import Verdict

CHEAT = 4


class Shows:
    """Answers every demand for the cheat's update from the file that it shows to nobody else."""

    def __init__(self, data: bytes):
        self.file = Opened.of(data, Kind.UPDATE)

    def decide(self, view: View) -> list[Action]:
        wanted = [d.leaf for d in view.round.demands if (d.artifact, d.seat) == (Artifact.UPDATE, CHEAT)]
        shown, size = {leaf: self.file.show(leaf) for leaf in wanted}, Kind.UPDATE.value
        return [Call("answer", (Artifact.UPDATE, CHEAT, leaf, s[:size], s[size:]), shared=True) for leaf, s in shown.items()]


class ProposesAgain:
    """An accomplice: the same wrong model once more, when it has fallen."""

    def __init__(self, seat: int, model: bytes):
        self.seat, self.model = seat, model

    def decide(self, view: View) -> list[Action]:
        due = view.phase is Phase.PROPOSE and view.facts.attempts == 1
        args = (view.facts.number, view.facts.attempts + 1, self.seat, root(self.model, Kind.MODEL), b"")
        return [Call("propose", args, self.seat)] if due else []


def twisted(name: bytes) -> bytes:
    return name[:28] + bytes(byte ^ 0xFF for byte in name[28:])


class Stage:
    """Four updates that everybody has, the cheat's that nobody has, and a checker."""

    def __init__(self, folder: Path, depth: int, disguise=lambda name: name):
        self.s = s = System.create(InProcessChain(), depth=depth, challenge_window=1200)
        self.folder, self.store, self.data = folder, LocalStore(folder), files(5, depth)
        s.join(5).fund().rich(HOUSE.address)
        self.store.put(s.model, Kind.MODEL)
        for seat in range(CHEAT):
            self.store.put(self.data[seat], Kind.UPDATE)
        s.open().commit(self.data)
        name = disguise(root(self.data[CHEAT]))
        if name != root(self.data[CHEAT]):  # the contract takes no commitment that it holds already
            s.do("commit", CHEAT, s.commitment(CHEAT, name), by=operator(CHEAT))
        s.skip()
        s.reveal(*range(CHEAT))
        s.do("reveal", CHEAT, name, salt(CHEAT), b"")
        judge(s)
        house = Agent("house", HOUSE, (Challenger(), Answerer(), Keeper(1)), folder / "house", self.store)
        cheat = Agent("cheat", key_of(CHEAT), (Shows(self.data[CHEAT]),), folder / "cheat", self.store, CHEAT)
        honest = [Agent(f"honest {i}", key_of(i), (Proposer(i),), folder / str(i), self.store, i) for i in range(CHEAT)]
        self.agents = [cheat, house, *honest]

    def propose(self, leaf: int, adds: int) -> None:
        """The right model, but for one number that something is added to."""
        values = parse_model(self.s.aggregate(), self.s.terms.depth).copy()
        values[leaf * LEAF_PARAMETERS + 7] += adds
        self.store.put(pack_model(values), Kind.MODEL)
        self.s.propose(pack_model(values), CHEAT)

    def run(self, *others: Agent) -> tuple[bool, int]:
        """Whether the cheat's proposal fell, and how many leaves were demanded."""
        for seat in range(CHEAT + 1):  # keys that sign take over
            operated(self.s, seat)
        depth = self.s.terms.depth
        self.loop = lockstep_of(self.s, manifest(LEAF_PARAMETERS << depth), self.store, [*self.agents, *others])
        self.loop.run()
        return self.loop.history.rounds[0].proposals[0].fell, sum(e.name == "Demanded" for e in self.loop.history.events)


@pytest.mark.parametrize("disguise", [lambda name: name, twisted], ids=["own root", "twisted root"])
def test_hidden_update_of_a_right_model__is_bought_back_and_the_model_stands(tmp_path: Path, disguise):
    stage = Stage(tmp_path, 1, disguise)
    stage.propose(0, 0)
    right = root(stage.s.aggregate(), Kind.MODEL)
    assert stage.run() == (False, 2)
    assert stage.s.see("model") == right and stage.store.has(root(stage.data[CHEAT]), Kind.UPDATE)


@pytest.mark.parametrize("disguise", [lambda name: name, twisted], ids=["own root", "twisted root"])
def test_small_lie__beside_a_hidden_update__falls_when_its_leaf_was_bought(tmp_path: Path, disguise):
    stage = Stage(tmp_path, 1, disguise)
    stage.propose(1, 1)
    fell, demands = stage.run()
    assert fell and demands <= 2
    assert stage.s.see("model") == stage.s.terms.genesis


def test_gross_lie__beside_a_hidden_update__falls_to_one_demand(tmp_path: Path):
    stage = Stage(tmp_path, 7)
    stage.propose(100, 1 << 29)
    assert stage.run() == (True, 1)


def test_leaf_that_one_attempt_showed__is_not_paid_for_in_the_next(tmp_path: Path):
    stage = Stage(tmp_path, 3)
    stage.propose(5, 1 << 29)
    again = ProposesAgain(0, stage.s.proposal)
    accomplice = Agent("accomplice", key_of(0), (again,), tmp_path / "accomplice", stage.store, 0)
    assert stage.run(accomplice) == (True, 1)
    assert [proposal.fell for proposal in stage.loop.history.rounds[0].proposals] == [True, True]


def test_root_of_nothing__beside_a_hidden_update__falls_to_the_first_demand(tmp_path: Path):
    stage = Stage(tmp_path, 1)
    stage.s.do("propose", CHEAT, b"\x99" * 32, b"", by=operator(CHEAT))
    assert stage.run()[0]
    made = [e.fields for e in stage.loop.history.events if e.name == "Demanded"]
    assert (made[0]["artifact"], made[0]["leaf"]) == (Artifact.PROPOSED, 0)


# ---- left out, by daemons


class Cluster(DaemonCluster):
    SEATS = CHEAT + 1


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "cluster", min_reveals=5)
    yield made
    made.close()


def audited(cluster: DaemonCluster) -> Verdict:
    node = FederationReader.open(Rpc([cluster.url]), cluster.system.federation.address)
    auditor = Auditor.of(node, cluster.store)
    auditor.run(node.new_events())
    auditor.compare_accounting(node.accounting())
    return auditor.verdict()


def test_update_that_its_author_hides_once_accepted__is_left_out__and_the_model_moves_on(cluster):
    """Daemons play two rounds. Nobody is slashed, the author of what is missing included, whose pay stays."""
    stakes = cluster.stakes()
    cluster.start(*range(CHEAT)).start(CHEAT, cast=cast("hides_accepted"))
    cluster.play_round(2)
    logs = cluster.daemons[0].history.rounds[:2]
    for log in logs:
        assert log.excluded == [CHEAT] and set(log.accepted) == set(log.accepted_first) - {CHEAT} != set()
        assert len(log.reporters(CHEAT)) >= 3 and [p.fell for p in log.proposals] == [False] and log.adopted
        assert log.settled_pay(cluster.system.terms)[CHEAT] > 0
    assert not cluster.store.has(logs[0].reveals[CHEAT].root, Kind.UPDATE)
    assert cluster.stakes() == stakes
    assert "round 1: seat 4 is left out of the model and keeps its pay" in logged(cluster.daemons[0])
    reporter = logs[0].reporters(CHEAT)[0]
    assert "the chain has this seat's report of missing updates" in logged(cluster.daemons[reporter])
    verdict = audited(cluster).or_raise()
    assert any("round 1: seat 4 is left out of the model and keeps its pay: " in note for note in verdict.notes)
    assert [what for what in verdict.unknown if "round 1: which updates the gate lets in" in what]


def test_reports_in_the_last_second_of_show__are_in_the_model_that_a_careful_daemon_proposes(cluster):
    """A daemon that waits for confirmations does not know of them yet when it may propose: it waits until it does."""
    cluster.start(depth=3).play_to(Phase.SHOW)
    cluster.settle_down()
    system, stakes = cluster.system, cluster.stakes()
    cluster.evm.time = system.see("phaseEnd") - 1
    cluster.evm.rpc("anvil_setBlockTimestampInterval", 0)
    cluster.evm.rpc("evm_setNextBlockTimestamp", cluster.evm.time)
    for seat in (0, 1, 2):  # whose keys somebody stole
        system.do("reportMissing", seat, 1 << CHEAT, by=key_of(seat).address)
    assert CHEAT not in from_bitmap(system.round.accepted)
    cluster.evm.rpc("anvil_removeBlockTimestampInterval")
    cluster.play_round()
    log = cluster.daemons[0].history.rounds[0]
    assert log.excluded == [CHEAT] and [p.fell for p in log.proposals] == [False] and log.adopted
    assert cluster.stakes() == stakes
    notes = audited(cluster).or_raise().notes
    assert any("it is there now: it came late, their stores were down, or they lied" in note for note in notes)

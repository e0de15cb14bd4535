"""Training and scoring that take long, or fail: the seat goes on looking, and one role's trouble is no other role's.

when training takes as long as it likes: fees are tended, demands answered, metrics shown; what comes too late is dropped
when training or a role fails: it is said, and everything else is done
"""

import threading

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.daemon_cluster import logged
from support.system import CHALLENGER

from fl.agents.roles.casting import honest
from fl.agents.roles.training import PLAIN, SoloTrainer
from fl.agents.roles.validator import Validator
from fl.agents.runtime.workers import Inline, Threads
from fl.errors import UserCodeError
from fl.learning.evaluator import Evaluator
from fl.network.sender import GWEI, Fees
from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("daemon")

SLOW = 0


class SlowTrainer:
    """Trains until it is told to end."""

    def __init__(self):
        self.begun, self.end = threading.Event(), threading.Event()

    def change(self, base, number):
        self.begun.set()
        assert self.end.wait(300)
        return np.zeros(2), np.random.default_rng(0)


@pytest.fixture
def trainer():
    made = SlowTrainer()
    yield made
    made.end.set()


def test_daemon_that_trains__tends_fees__answers_demands__shows_metrics__and_drops_what_came_too_late(cluster, trainer):
    cluster.start(1, 2, 3)
    fees = Fees(cap=10 * GWEI, tip=GWEI, patience=2)
    cluster.start(SLOW, trainer=trainer, ahead=False, workers=Threads(), fees=fees)
    cluster.play_to(Phase.CHALLENGE)
    assert trainer.begun.is_set() and sorted(cluster.daemons[1].history.round.commitments) == [1, 2, 3]
    cluster.settle_down()
    cluster.end(1, 2, 3)
    daemon = cluster.daemons[SLOW]
    cluster.system.rich(CHALLENGER)
    cluster.system.do("demand", 0, 0, 0, by=CHALLENGER)
    cluster.settle_down()
    assert cluster.system.round.openDemands == 0, logged(daemon)

    cluster.system.do("demand", 0, 0, 0, by=CHALLENGER)
    cluster.mine(4)
    cluster.evm.rpc("evm_setAutomine", False)
    for _ in range(8):
        cluster.evm.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
        daemon.tick()
        cluster.evm.rpc("evm_mine")
    (answer,) = daemon.sender.transactions.open(daemon.sender.signer.address)
    assert answer.function == "answer" and len(answer.sent) >= 2, logged(daemon)
    assert 'treaty_transactions{function="answer",state="open"} 1.0' in daemon.metrics.text()
    assert daemon.workers.busy and not trainer.end.is_set()  # all of that while it trained

    trainer.end.set()
    while not daemon.workers.ready:
        assert daemon.workers.busy
    daemon.tick()
    assert not daemon.workers.busy and not (daemon.journal.folder / "1.update").exists()
    cluster.evm.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")


def test_training_within_the_look__would_hold_all_of_that_up(cluster, trainer):
    """The control: with work done inline, the same daemon does not come back from its look."""
    cluster.play_to_open()
    daemon = cluster.daemon(SLOW, trainer=trainer, ahead=False, workers=Inline())
    look = threading.Thread(target=daemon.tick)
    look.start()
    assert trainer.begun.wait(60)
    look.join(1.0)
    assert look.is_alive()
    trainer.end.set()
    look.join(60)
    assert not look.is_alive()
    daemon.journal.close()


def test_training_ahead__has_the_next_update_before_its_round_opens__the_same_as_without(cluster):
    """The seat trains while the proposal can be challenged; its commitment in the next round needs no more training."""
    updates = []
    for ahead in (True, False):
        mark, trainer = cluster.mark(), CountingTrainer(cluster)
        cluster.start(1, 2, 3).start(SLOW, trainer=trainer, ahead=ahead)
        cluster.play_to(Phase.CHALLENGE)
        cluster.settle_down()
        assert trainer.bases == ([1, 2] if ahead else [1]) and cluster.system.round.number == 1
        assert (cluster.daemons[SLOW].journal.folder / "2.ahead").is_file() is ahead
        cluster.play_to(Phase.REVEAL, 2)
        folder = cluster.daemons[SLOW].journal.folder
        assert trainer.bases == [1, 2] and SLOW in cluster.daemons[SLOW].history.round.commitments
        assert not ahead or (folder / "2.ahead").read_bytes() == b""  # it is as large as a model
        updates.append((folder / "2.update").read_bytes())
        cluster.end(0, 1, 2, 3)
        cluster.back(mark)
    assert updates[0] == updates[1]


def test_training_ahead_on_a_proposal_that_falls__is_thrown_away(cluster):
    """What was trained on it is not committed: the next round's update is trained on that round's base."""
    trainer = CountingTrainer(cluster)
    cluster.start(0, 1, 2, 3, trainer=None).end(SLOW)
    cluster.start(SLOW, trainer=trainer)
    cluster.play_to(Phase.CHALLENGE)
    cluster.settle_down()
    ahead = cluster.daemons[SLOW].journal.folder / "2.ahead"
    assert trainer.bases == [1, 2] and load(ahead.read_bytes())["base"].tobytes() == bytes(cluster.system.round.proposal)
    held = ahead.read_bytes()
    ahead.write_bytes(save({**load(held), "base": np.zeros(32, np.uint8)}))  # as if that proposal had fallen
    cluster.play_to(Phase.REVEAL, 2)
    assert trainer.bases == [1, 2, 2] and SLOW in cluster.daemons[SLOW].history.round.commitments


class CountingTrainer:
    """The honest training, with a list of the rounds that it was asked for."""

    def __init__(self, cluster):
        self.honest, self.bases = SoloTrainer(cluster.task, cluster.data.shards[SLOW].train, 0, SLOW), []

    def change(self, base, number):
        self.bases.append(number)
        return self.honest.change(base, number)


def test_work_beside_the_looks__commits_as_work_within_them_does(cluster):
    """A thread of its own changes nothing in what is sent."""
    updates = []
    for workers in (Inline(), Threads()):
        mark = cluster.mark()
        cluster.play_to_open()
        daemon = cluster.daemon(SLOW, workers=workers, depth=0)
        while cluster.system.see("recordOf", SLOW)[0] == 0:
            daemon.tick()
            cluster.mine()
        updates.append((daemon.journal.folder / "1.update").read_bytes())
        daemon.journal.close()
        cluster.back(mark)
    assert updates[0] == updates[1]


class FailingTrainer:
    def change(self, base, number):
        raise RuntimeError("the disk of the data is gone")


@pytest.mark.parametrize("workers", [Inline, Threads])
def test_training_that_fails__costs_the_seat_its_pay__and_nobody_a_stake(cluster, workers):
    whole = cluster.stakes()
    cluster.start(1, 2, 3)
    cluster.start(SLOW, trainer=FailingTrainer(), workers=workers())
    cluster.play_round(1)
    log = cluster.daemons[1].history.rounds[0]
    assert log.adopted and sorted(log.reveals) == [1, 2, 3] and cluster.stakes() == whole
    assert "the disk of the data is gone" in logged(cluster.daemons[SLOW])


class FailingValidator(Validator):
    def decide(self, view):
        raise ValueError("no idea")


def test_role_that_fails__stops_no_other_role_of_its_seat(cluster):
    def cast(seat, evaluator, shard, seed, journal, options=PLAIN):
        participant, _, proposer = honest(seat, evaluator, shard, seed, journal, options)
        return participant, FailingValidator(seat, evaluator, shard, journal), proposer

    cluster.start(0, 2, 3)
    cluster.start(1, cast=cast)  # whose turn it is to propose in round 1
    cluster.play_to(Phase.CHALLENGE)
    assert cluster.system.round.proposer == 1 and 1 in cluster.daemons[0].history.round.reveals
    assert "unexpected ValueError: no idea; going on" in logged(cluster.daemons[1])


class FailingEvaluator(Evaluator):
    def losses(self, vectors, part):
        raise UserCodeError("task linear: loss() fails: IndexError: Target 2 is out of bounds")


def test_scoring_that_fails__says_what_everybody_can_compute__and_costs_nobody_a_stake(cluster):
    def cast(seat, evaluator, shard, seed, journal, options=PLAIN):
        return honest(seat, FailingEvaluator(evaluator.task), shard, seed, journal, options)

    whole = cluster.stakes()
    cluster.start(0, 1, 2, 3, cast=cast)
    cluster.play_round(1)
    log = cluster.daemons[0].history.rounds[0]
    assert log.adopted and len(log.scores) == 3 and cluster.stakes() == whole
    assert all(
        "scoring failed, so this seat reveals the scores that everybody can compute" in logged(cluster.daemons[seat])
        for seat in log.scores
    )

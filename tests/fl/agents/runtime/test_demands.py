"""Demands made to trip honest daemons: all things at once, and the same thing again and again. Each one left open would cost a
right proposal's seat the slash for fraud, and pay the griefer the challenge fee."""

import pytest
from support.daemon_cluster import DaemonCluster, key_of, logged
from support.system import CHALLENGER

from fl.agents.record.history import Demanded
from fl.agents.runtime.daemon import Daemon
from fl.network.rpc import NodeRefused
from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("daemon")

EVERYTHING = [(0, 0, 0), (1, 0, 0), *((2, seat, 0) for seat in range(DaemonCluster.SEATS))]  # proposed, previous, updates


@pytest.fixture
def challenged(cluster):
    cluster.start().play_to(Phase.CHALLENGE)
    cluster.settle_down()
    cluster.system.rich(CHALLENGER)
    return cluster


def test_everything_demanded_at_once__is_answered_in_one_look(challenged):
    for what in EVERYTHING:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(2)
    daemon = challenged.daemons[challenged.system.round.proposer]  # whose stake hangs on them
    daemon.tick()
    challenged.mine()  # a node says that it has a transaction before a block does
    assert challenged.system.round.openDemands == 0, logged(daemon)


def test_same_leaf_demanded_again__is_answered_again__by_a_seat_that_is_alone(challenged):
    whole = challenged.stakes()
    challenged.end(1, 2, 3)
    for _ in range(4):
        challenged.system.do("demand", 0, 0, 0, by=CHALLENGER)
        challenged.mine()
        challenged.settle_down()
        assert challenged.system.round.openDemands == 0, logged(challenged.daemons[0])[-1000:]
    challenged.start(1, 2, 3).play_round(1)
    assert challenged.stakes() == whole and challenged.daemons[0].history.rounds[0].adopted
    assert "is not in the chain any more" not in logged(challenged.daemons[0])


# ---- who answers


def answers(cluster: DaemonCluster, *seats: int) -> dict[int, int]:
    """How many answers each of these seats sent. None of them may have come too late."""
    logs = {seat: logged(cluster.daemons[seat]) for seat in seats}
    assert not any("refused" in log for log in logs.values())
    return {seat: log.count("answer sent") for seat, log in logs.items()}


def watched(cluster: DaemonCluster, looks: int, *seats: int) -> None:
    """Everybody looks in the same block, and what is sent is mined after the last."""
    cluster.evm.rpc("evm_setAutomine", False)
    for _ in range(looks):
        for seat in seats:
            cluster.daemons[seat].tick()
        cluster.evm.rpc("evm_mine")
    cluster.evm.rpc("evm_setAutomine", True)


def test_demands__are_answered_by_the_proposer_alone(challenged):
    for what in EVERYTHING:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(1)
    watched(challenged, 3, *range(DaemonCluster.SEATS))
    assert challenged.system.round.openDemands == 0
    proposer = challenged.system.round.proposer
    assert answers(challenged, *range(DaemonCluster.SEATS)) == dict.fromkeys(range(DaemonCluster.SEATS), 0)
    sent = [t for t in challenged.daemons[proposer].sender.transactions.all() if t.function == "multicall"]
    assert len(sent) == 1  # all of them in one transaction


def test_demands__that_come_while_answers_are_under_way__are_answered_without_those(challenged):
    proposer = challenged.system.round.proposer
    daemon = challenged.daemons[proposer]
    for what in EVERYTHING[:3]:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(1)
    challenged.evm.rpc("evm_setAutomine", False)
    assert daemon.tick()
    challenged.evm.rpc("evm_setAutomine", True)
    for what in EVERYTHING[3:]:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(1)
    for _ in range(2):
        daemon.tick()
        challenged.mine()
    assert challenged.system.round.openDemands == 0, logged(daemon)
    sent = [t for t in daemon.sender.transactions.all() if t.function == "multicall"]
    assert len(sent) == 2 and "reverted" not in logged(daemon)


def test_demands__one_of_which_somebody_else_answered__are_answered_all_the_same(challenged):
    """The contract rejects the proposer's answers together, since one of them is no longer asked for."""
    proposer = challenged.system.round.proposer
    other = out_of_turn(challenged, next(seat for seat in range(DaemonCluster.SEATS) if seat != proposer))
    daemon = challenged.daemons[proposer]
    challenged.system.do("demand", *EVERYTHING[0], by=CHALLENGER)
    challenged.mine(2)
    assert other.tick()  # and before that is deep in the chain, all else is demanded
    for what in EVERYTHING[1:]:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(1)
    view = daemon._view(daemon.node.look(None, [daemon.player.party]))
    log = view.round
    log.demands[Demanded(1, *EVERYTHING[0])] = next(iter(log.demands.values()))  # as a node that lags would show it
    log.answers.clear()
    daemon.player.play(view)
    challenged.mine()
    assert challenged.system.round.openDemands == 0, logged(daemon)
    assert "multicall" not in {t.function for t in daemon.sender.transactions.all()}


def test_demands__whose_proposer_is_away__are_answered_once_each_by_turns(challenged):
    others = [seat for seat in range(DaemonCluster.SEATS) if seat != challenged.system.round.proposer]
    for what in EVERYTHING:
        challenged.system.do("demand", *what, by=CHALLENGER)
    challenged.mine(1)
    watched(challenged, 6, *others)
    assert challenged.system.round.openDemands == 0
    sent = answers(challenged, *others).values()
    assert sum(sent) == len(EVERYTHING) and max(sent) < len(EVERYTHING)


def out_of_turn(cluster: DaemonCluster, seat: int) -> Daemon:
    """A daemon whose turn is always there."""
    cluster.daemons[seat].turns.blocks = 0
    return cluster.daemons[seat]


def test_demand__with_an_answer_on_its_way__is_left_to_it__for_a_third_of_the_window(challenged):
    first, second = (out_of_turn(challenged, seat) for seat in (0, 1))
    challenged.system.do("demand", 0, 0, 0, by=CHALLENGER)
    _, deadline = challenged.system.see("demandInfo", 0, 0, 0)
    challenged.mine(1)
    challenged.evm.rpc("evm_setAutomine", False)
    assert first.tick() and not second.tick()
    challenged.evm.rpc("evm_setNextBlockTimestamp", deadline - 2 * challenged.system.terms.answer_window // 3)
    challenged.evm.rpc("anvil_dropAllTransactions")
    challenged.evm.rpc("evm_mine")
    assert challenged.system.round.openDemands == 1
    first.sender._broadcast(first.sender.transactions.open(key_of(0).address)[0])  # and does not arrive again
    assert second.tick()


def test_demand__is_answered_where_the_node_shows_no_pending_state(challenged):
    daemon = out_of_turn(challenged, 2)
    challenged.system.do("demand", 1, 0, 0, by=CHALLENGER)
    challenged.mine(1)
    reading = daemon.node.read

    def read(function, *args, at="latest"):
        if at == "pending":
            raise NodeRefused("eth_call", -32602, "pending block is not available", b"")
        return reading(function, *args, at=at)

    daemon.node.read = read
    assert daemon.tick() and "answer sent" in logged(daemon)

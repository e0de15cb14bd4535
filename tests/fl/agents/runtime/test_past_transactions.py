"""Transactions of a round or an attempt that is over, and deposits that a key cannot pay: losses that look like bad luck.

when a proposal was signed in one round and sent again in the next: it is withdrawn, since a right one would be a fraud there
when the operator's key cannot pay deposits from credit or tokens: the daemon says what that risks and who can pay how
"""

import pytest
from support.daemon_cluster import DaemonCluster, key_of, logged
from support.system import owner

from fl.network.transactions import SignedTransaction, State
from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("daemon")

VICTIM = 1  # whose turn it is to propose in round 1


def test_proposal_of_a_round_that_is_over__is_withdrawn_after_a_restart__and_costs_no_stake(cluster):
    whole = cluster.stakes()
    cluster.start().play_to(Phase.PROPOSE)
    sender = cluster.daemons[VICTIM].sender
    broadcast = sender._broadcast
    sender._broadcast = lambda t: None if t.function == "propose" else broadcast(t)  # it reaches no node
    for _ in range(4):
        cluster.daemons[VICTIM].tick()
        cluster.mine()
    (kept,) = [t for t in sender.transactions.all() if t.function == "propose"]
    assert kept.state is State.OPEN and kept.round == 1
    cluster.end(VICTIM)  # the machine is down for the rest of round 1
    cluster.evm.warp(cluster.now + cluster.system.terms.propose_window // 4)  # another seat's turn
    cluster.play_round(1)
    assert cluster.daemons[0].history.rounds[0].adopted
    cluster.play_to(Phase.PROPOSE, 2)
    daemon = cluster.daemons[VICTIM] = cluster.daemon(VICTIM)  # it is back, with its journal
    sent = []
    broadcast = daemon.sender._broadcast
    daemon.sender._broadcast = lambda t: (sent.append(t.last.raw), broadcast(t))
    daemon.tick()
    cluster.mine(2)
    daemon.tick()
    transaction = daemon.sender.transactions.get(kept.name)
    assert transaction.state is State.CANCELLED and transaction.nonce == kept.nonce
    assert kept.last.raw not in sent and sent[0] == transaction.last.raw  # before anything else was sent again
    assert "propose is withdrawn" in logged(daemon)
    cluster.play_round(2)
    assert cluster.stakes() == whole and cluster.daemons[0].history.rounds[1].adopted


@pytest.mark.parametrize("facts, now, past", [
    ({}, (1, 0), False),
    ({}, (2, 0), True),
    ({"attempt": 0}, (1, 0), False),
    ({"attempt": 0}, (1, 1), True),
    ({"attempt": 1}, (2, 1), True),
    ({"lasting": True}, (9, 3), False),
])  # fmt: skip
def test_transaction__is_past_when_its_round_or_attempt_is(facts, now, past):
    assert SignedTransaction("name", 1, "act", "0x", "", "0x", 0, 0, **facts).is_past(*now) is past


RISK = "and the deposits of 2 demands take 2 TTT"


def test_key_that_cannot_pay_deposits__is_told_what_it_risks__until_credit_and_tokens_suffice(cluster: DaemonCluster):
    system, deposit, key = cluster.system, cluster.system.terms.demand_deposit, key_of(0).address
    daemon = cluster.daemon(0)

    def told() -> int:
        daemon.log._told.clear()
        cluster.mine(2)
        daemon.tick()
        return logged(daemon).count(RISK)

    assert told() == 0  # joining gave it enough
    system.do("claimCredit", owner(0), by=key)
    assert told() == 1
    text = logged(daemon)
    assert "has 0 TTT as credit and tokens" in text and "pays with `ape run topup --seat 0 --deposits 2`" in text
    system.token.send("mint", key, deposit // 2, by=key)
    system.do("give", key, deposit, by=owner(0))
    assert told() == 2 and "has 1.5 TTT as credit and tokens" in logged(daemon)
    assert "`ape run topup --seat 0 --deposits 1`" in logged(daemon)
    system.token.send("mint", key, deposit // 2, by=key)
    assert told() == 2
    daemon.journal.close()

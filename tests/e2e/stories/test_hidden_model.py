"""A proposer that shows its wrong model to nobody, against daemons whose keys are set up as the guides say.

when operators hold ether and no tokens   then the credit that joining gave them pays for demands, and the proposer falls
when that credit is gone                  then nobody can force the model open, and the daemons have said so
"""

import pytest
from support.daemon_cluster import DaemonCluster, logged
from support.keys import key_of
from support.system import owner

from fl.agents.adversaries import cast
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of

pytestmark = pytest.mark.xdist_group("daemon")

LIAR = 3


def play(cluster: DaemonCluster) -> tuple[bytes, bytes]:
    """A round with one liar; the root of the right next model, and of the one that became final."""
    cluster.daemons[LIAR] = cluster.daemon(LIAR, cast=cast("withhold"))  # looks first, so that it is the first to propose
    cluster.start(0, 1, 2)
    assert not any(cluster.system.token.call("balanceOf", key_of(seat).address) for seat in range(cluster.SEATS))
    cluster.play_round(1)
    log = cluster.daemons[0].history.rounds[0]
    assert log.proposals[0].seat == LIAR
    right = root_of(cluster.daemons[0].observer.record.next_model(log), Kind.MODEL)
    return right, log.model


def test_hidden_wrong_model__falls__though_no_operator_holds_a_token(cluster):
    before = cluster.stakes()
    right, final = play(cluster)
    assert final == right
    lost = [a - b for a, b in zip(before, cluster.stakes(), strict=True)]
    assert lost == [0, 0, 0, cluster.system.terms.fraud_slash]


def test_hidden_wrong_model__becomes_final_where_operators_spent_their_credit__and_they_were_warned(cluster):
    for seat in range(cluster.SEATS):
        cluster.system.do("claimCredit", owner(seat), by=key_of(seat).address)
    before = cluster.stakes()
    right, final = play(cluster)
    assert final != right and cluster.stakes() == before
    assert all(f"ape run topup --seat {seat} --deposits 2`" in logged(cluster.daemons[seat]) for seat in range(3))

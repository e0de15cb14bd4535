"""Daemons of a federation over a token of six decimals: what they log and count is in that token."""

from collections.abc import Iterator

import pytest
from support.daemon_cluster import DaemonCluster, logged
from support.keys import key_of
from support.system import owner

from fl.network.denomination import RAW
from fl.network.rpc import NodeRefused
from fl.protocol.phases import Phase

pytestmark = pytest.mark.xdist_group("daemon")

ONE = 10**6
TERMS = {"min_stake": 100 * ONE, "no_reveal_slash": 25 * ONE, "no_scores_slash": ONE, "fraud_slash": 9 * ONE}
TERMS |= {"challenge_fee": ONE, "demand_deposit": ONE, "trainer_rate": 10 * ONE, "validator_rate": ONE, "proposer_fee": ONE}


@pytest.fixture
def cluster(tmp_path) -> Iterator[DaemonCluster]:
    """Every stake is 118 tokens; who does not reveal is left with 93."""
    cluster = DaemonCluster(tmp_path / "cluster", token="SixDecimalsToken", **TERMS)
    yield cluster
    cluster.close()


def metrics(daemon) -> dict[str, str]:
    lines = daemon.metrics.text().splitlines()
    return {line.split("{")[0].split(" ")[0]: line for line in lines if not line.startswith("#")}


def test_warnings_and_metrics__are_in_the_federation_s_token(cluster, tmp_path):
    cluster.start().play_to(Phase.REVEAL)
    cluster.end(2)
    fresh = cluster.daemons[2] = cluster.daemon(2, journal=tmp_path / "fresh")
    cluster.settle_down()
    assert "or 25 SIX are slashed" in logged(fresh)
    assert metrics(fresh)["treaty_stake_tokens"].endswith(" 118.0")
    cluster.skip()
    cluster.settle_down(until=Phase.SCORE_COMMIT)
    cluster.mine(3)
    fresh.tick()
    assert "stake 93 SIX is below 100 SIX: the seat sits out; top it up" in logged(fresh)
    text = fresh.metrics.text()
    assert metrics(fresh)["treaty_stake_tokens"].endswith(" 93.0") and "e-0" not in text and "e-1" not in text
    assert "# HELP treaty_stake_tokens The seat's stake, in SIX, which has 6 decimals." in text
    assert float(metrics(fresh)["treaty_pool_tokens"].split()[-1]) > 10**6  # it was funded with very many
    cluster.system.do("claimCredit", owner(2), by=key_of(2).address)
    view = fresh.observer.view(fresh.node.look(None, [fresh.player.party]), fresh.player.party)
    assert fresh.deposits.ready(view, fresh.node.terms.demand_deposit) is False
    assert "cannot pay a demand's deposit of 1 SIX: the seat's owner pays with `ape run topup --seat 2 --deposits 1`" in logged(
        fresh
    )


def test_refusal__is_told_in_the_federation_s_token(cluster):
    daemon, federation = cluster.daemon(0), cluster.system.federation
    joins = daemon.node.interface.call("join", owner(9), owner(9), 50 * ONE, b"")
    with pytest.raises(NodeRefused) as refused:
        daemon.node.rpc("eth_call", {"from": owner(9), "to": federation.address, "data": "0x" + joins.hex()}, "latest")
    reason = daemon.sender._why(refused.value)
    assert reason.startswith("a stake of 50 SIX is below the minimum of 100 SIX: nothing was taken")


def test_token_that_says_nothing_of_itself__leaves_no_seat_unguarded(cluster):
    cluster.evm.rpc("anvil_setCode", cluster.system.token.address, "0x60006000fd")
    daemon = cluster.daemon(0)
    daemon.tick()
    assert daemon.node.denomination is RAW and "treaty_stake_tokens The seat's stake, in token units" in daemon.metrics.text()
    assert metrics(daemon)["treaty_stake_tokens"].endswith(" 1.18e+08")

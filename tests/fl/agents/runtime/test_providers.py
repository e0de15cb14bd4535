"""Nodes with the habits of real providers: their own trouble is never taken for the contract's word, and costs no stake."""

import time
from itertools import pairwise

import pytest
from support.daemon_cluster import DaemonCluster, key_of, logged
from support.providers import LIMITS, by_number, limited, narrow, pruned, wants_tip

from fl.agents.runtime.daemon import Daemon
from fl.network import federation
from fl.network.federation import Distrust
from fl.network.rpc import NodeError
from fl.network.sender import GWEI, Fees
from fl.protocol.phases import Phase
from fl.tools.simulation.faulty_proxy import Proxy

pytestmark = pytest.mark.xdist_group("hostile")

VICTIM = 0


@pytest.fixture
def proxy(cluster):
    with Proxy(cluster.url) as made:
        yield made


def record(cluster: DaemonCluster) -> int:
    """0 nothing, 1 committed, 2 revealed."""
    return cluster.system.see("recordOf", VICTIM)[0]


def look(daemon: Daemon, cluster: DaemonCluster, times: int = 6) -> None:
    for _ in range(times):
        try:
            daemon.tick()
        except Exception as error:
            daemon.trouble(error)
        cluster.mine()


def reveal_with(cluster: DaemonCluster, daemon: Daemon) -> None:
    """The victim's daemon commits and reveals."""
    cluster.daemons[VICTIM] = daemon
    cluster.play_to(Phase.REVEAL)
    assert record(cluster) == 1, logged(daemon)
    look(daemon, cluster)
    assert record(cluster) == 2, logged(daemon)


@pytest.mark.parametrize("code", LIMITS)
def test_limited_node_beside_a_healthy_one__misses_no_reveal(cluster, proxy, code):
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    daemon = cluster.daemon(VICTIM, urls=[cluster.url, proxy.url])
    cluster.daemons[VICTIM] = daemon
    cluster.play_to(Phase.REVEAL)
    daemon.node.rpc.turn()  # the limited node is the one that would be asked
    proxy.refuse = limited(code)
    for _ in range(3):
        daemon.tick()  # raises for trouble: the other node has to answer at once
        cluster.mine()
    assert record(cluster) == 2 and "rate-limited" in logged(daemon) and "would be rejected" not in logged(daemon)


def test_single_limited_node__is_waited_for__and_the_seat_goes_on(cluster, proxy):
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    cluster.daemons[VICTIM] = daemon
    cluster.play_to(Phase.REVEAL)
    proxy.refuse = lambda call: (-32016, "over rate limit") if call["method"] != "eth_getBlockByNumber" else None
    look(daemon, cluster, 2)
    assert record(cluster) == 1 and "trying again" in logged(daemon)
    assert "would be rejected" not in logged(daemon) and "no federation" not in logged(daemon)
    proxy.refuse = lambda call: None
    look(daemon, cluster, 3)
    assert record(cluster) == 2


def test_estimate_that_a_node_will_not_make__is_no_refusal_of_the_contract(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.refuse = lambda call: (-32601, "method is not available") if call["method"] == "eth_estimateGas" else None
    look(daemon, cluster, 2)
    assert "would be rejected" not in logged(daemon) and "method is not available (-32601)" in logged(daemon)
    proxy.refuse = lambda call: None
    look(daemon, cluster, 3)
    assert record(cluster) == 1
    daemon.journal.close()


@pytest.mark.parametrize("text", ["execution reverted", "VM Exception while processing transaction: revert", "Reverted"])
def test_revert__is_the_contract_s_word_whatever_its_code(cluster, proxy, text):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.refuse = lambda call: (-32000, text) if call["method"] == "eth_estimateGas" else None
    look(daemon, cluster, 1)
    look(daemon, cluster, 1)
    assert f"commit would be rejected: {text}" in logged(daemon) and not proxy.done["drop"]
    daemon.journal.close()


def test_revert_that_one_of_two_nodes_made_up__does_not_stop_a_commitment(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    proxy.refuse = lambda call: (3, "execution reverted") if call["method"] == "eth_estimateGas" else None
    look(daemon, cluster, 3)
    assert record(cluster) == 1 and "would be rejected" not in logged(daemon), logged(daemon)
    daemon.journal.close()


@pytest.mark.parametrize("gas", ["0x5208", hex(1 << 60)])
def test_estimate_that_one_of_two_nodes_made_up__burns_no_gas_and_blocks_no_nonce(cluster, proxy, gas):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    proxy.change = lambda call, answer: {**answer, "result": gas} if call["method"] == "eth_estimateGas" else answer
    look(daemon, cluster, 3)
    (commit,) = daemon.sender.transactions.all()
    assert record(cluster) == 1 and 50_000 < commit.gas < 1 << 24, logged(daemon)
    daemon.journal.close()


def test_count_that_one_of_two_nodes_made_up__leaves_no_gap_of_nonces(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    count = cluster.sent(key_of(VICTIM))
    inflated = hex(count + 1000)
    proxy.change = lambda call, answer: (
        {**answer, "result": inflated} if call["method"] == "eth_getTransactionCount" else answer
    )
    look(daemon, cluster, 3)
    assert record(cluster) == 1 and [t.nonce for t in daemon.sender.transactions.all()] == [count], logged(daemon)
    daemon.journal.close()


def test_transaction_that_one_of_two_nodes_swallows__reaches_the_other_at_once(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    proxy.rule = lambda call: "swallow" if call["method"] == "eth_sendRawTransaction" else ""
    look(daemon, cluster, 2)
    assert proxy.done["swallow"] and record(cluster) == 1, logged(daemon)
    daemon.journal.close()


def test_nonce_that_one_of_two_nodes_calls_used__is_not_given_up(cluster, proxy):
    """Its word alone would have the same call signed again, at a second nonce."""
    cluster.play_to_open()
    cluster.evm.rpc("evm_setAutomine", False)
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url], depth=0)
    daemon.tick()
    count, lies = cluster.sent(key_of(VICTIM)), {"eth_getTransactionCount": hex(1000), "eth_getTransactionByHash": None}
    proxy.change = lambda call, answer: {**answer, "result": lies[call["method"]]} if call["method"] in lies else answer
    for _ in range(3):
        daemon.tick()
        daemon.sender.tend(*(daemon.node.head(),) * 2, cluster.system.round.number, 0)
    assert [t.nonce for t in daemon.sender.transactions.all()] == [count] and "another program" not in logged(daemon)
    cluster.evm.rpc("evm_setAutomine", True)
    daemon.journal.close()


def test_estimate_above_what_a_transaction_may_take__signs_nothing(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.change = lambda call, answer: {**answer, "result": hex(1 << 60)} if call["method"] == "eth_estimateGas" else answer
    look(daemon, cluster, 2)
    assert not daemon.sender.transactions.all() and "no transaction may take more" in logged(daemon)
    proxy.change = lambda call, answer: answer
    look(daemon, cluster, 3)
    assert record(cluster) == 1
    daemon.journal.close()


def test_narrow_spans__are_halved_until_they_fit__and_grow_when_taken(cluster, proxy, monkeypatch):
    monkeypatch.setattr(federation, "GROWS_AFTER", 2)
    cluster.mine(300)
    cluster.play_to_open()
    asked = []

    def refuse(call):
        if call["method"] == "eth_getLogs":
            words = call["params"][0]
            asked.append(int(words["toBlock"], 16) - int(words["fromBlock"], 16) + 1)
        return narrow(20)(call)

    proxy.refuse = refuse
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    snapshot = daemon.node.look()
    plain = cluster.daemon(1).node.look()
    assert [e.name for e in snapshot.events] == [e.name for e in plain.events] and len(snapshot.events) > 8
    taken = [size for size in asked if size <= 20]
    assert max(asked) > 20 and len(taken) > 10 and any(later > earlier for earlier, later in pairwise(asked))
    daemon.journal.close()


def test_answer_cut_off_at_a_number_of_logs__is_asked_for_in_halves(cluster, proxy, monkeypatch):
    whole = cluster.daemon(1).node.look().events
    monkeypatch.setattr(federation, "MAX_LOGS", 4)

    def cut(call, answer):
        return {**answer, "result": answer["result"][:4]} if call["method"] == "eth_getLogs" else answer

    proxy.change = cut
    assert cluster.daemon(VICTIM, urls=[proxy.url]).node.look().events == whole


def test_logs__are_asked_for_by_the_topics_of_our_events_alone(cluster, proxy):
    seen = []
    proxy.refuse = lambda call: seen.append(call) if call["method"] == "eth_getLogs" else None
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    daemon.node.look()
    (topics,) = seen[0]["params"][0]["topics"]
    names = {e["name"] for e in daemon.node.interface._abi if e["type"] == "event"}
    assert len(set(topics)) == len(topics) == len(names) > 15
    daemon.journal.close()


def test_pruned_node__serves_a_whole_round(cluster, proxy):
    cluster.mine(40)
    proxy.refuse = pruned(lambda: cluster.evm.block - 1)
    cluster.start(1, 2, 3)
    reveal_with(cluster, cluster.daemon(VICTIM, urls=[proxy.url]))


def test_node_without_reads_by_hash__serves_a_whole_round__and_is_asked_by_number_from_then_on(cluster, proxy):
    refused = []
    proxy.refuse = lambda call: refused.append(call) or by_number(call) if by_number(call) else None
    cluster.start(1, 2, 3)
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    reveal_with(cluster, daemon)
    assert 1 <= len(refused) <= 4  # the tries of the first look alone


def test_reads_by_number__of_a_block_that_changed_meanwhile__are_not_believed(cluster, proxy):
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.refuse = by_number
    head = daemon.node.head()
    proxy.change = lambda call, answer: _other_hash(answer) if call["method"] == "eth_getBlockByNumber" else answer
    with pytest.raises(Distrust, match=f"block {head.number} changed while it was read"):
        daemon.node.read("model", at=head)
    daemon.journal.close()


def _other_hash(answer):
    return {**answer, "result": {**answer["result"], "hash": "0x" + "77" * 32}}


def test_pool_that_wants_more__leaves_the_transaction_to_the_other_node__or_is_named(cluster, proxy):
    cluster.play_to_open()
    proxy.refuse = wants_tip(25 * GWEI)
    alone = cluster.daemon(VICTIM, urls=[proxy.url], fees=Fees(tip=GWEI))
    look(alone, cluster, 2)
    assert record(cluster) == 0 and "commit is not accepted yet: transaction gas price below minimum" in logged(alone)
    alone.journal.close()
    both = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url], fees=Fees(tip=GWEI))
    look(both, cluster, 2)
    assert record(cluster) == 1 and len(both.sender.transactions.all()) == 1
    both.journal.close()


# ---- the clock


def ahead(seconds: int):
    """A node whose head is dated later than it is."""

    def change(call, answer):
        latest = call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest" and answer["result"]
        if not latest:
            return answer
        block = answer["result"]
        return {**answer, "result": {**block, "timestamp": hex(int(block["timestamp"], 16) + seconds)}}

    return change


def test_clock_that_runs_ahead_on_one_of_two_nodes__gets_no_secret_early(cluster, proxy):
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    cluster.daemons[VICTIM] = daemon
    cluster.settle_down()
    assert record(cluster) == 1 and cluster.phase is Phase.COMMIT
    left = cluster.system.see("phaseEnd") - cluster.now
    reveals = cluster.system.terms.reveal_window
    daemon.node.clock = lambda: cluster.now + left  # our own clock would let the lie pass
    proxy.change = ahead(left + min(reveals * 3 // 4, 60))
    sent = cluster.sent(key_of(VICTIM))
    for _ in range(4):
        daemon.node.rpc._at = 0  # the liar is asked first
        look(daemon, cluster, 1)
    assert daemon.node.look().head.time > cluster.now and cluster.phase is Phase.COMMIT
    salts = [path.read_bytes().hex() for path in daemon.journal.folder.glob("*.salt")]
    sends = [s.raw for t in daemon.sender.transactions.all() for s in t.sent]
    assert cluster.sent(key_of(VICTIM)) == sent and not any(salt in raw for salt in salts for raw in sends)


def test_head_far_ahead_of_this_machine_s_clock__is_not_believed__and_the_next_node_is_asked(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    daemon.node.clock = lambda: cluster.now + 5
    proxy.change = ahead(3600)
    daemon.node.rpc._at = 0
    with pytest.raises(Distrust, match=r"is dated 3\d\d\d seconds ahead of this machine's clock"):
        daemon.tick()
    assert cluster.sent(key_of(VICTIM)) == 0
    look(daemon, cluster, 3)
    assert record(cluster) == 1
    daemon.journal.close()


def test_node_that_stands_still__does_not_hold_secrets_back_for_ever(cluster, proxy, monkeypatch):
    monkeypatch.setattr(federation, "STUCK", 20)
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    daemon = cluster.daemon(VICTIM, urls=[cluster.url, proxy.url])
    cluster.daemons[VICTIM] = daemon
    cluster.settle_down()
    old = cluster.evm.rpc("eth_getBlockByNumber", "latest", False)

    def stuck(call, answer):
        latest = call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest"
        return {**answer, "result": old} if latest else answer

    cluster.play_to(Phase.REVEAL)
    proxy.change = stuck
    daemon.node.rpc._at = 0
    assert daemon.node.look().earliest > int(old["timestamp"], 16)
    for _ in range(3):
        daemon.node.rpc._at = 0
        look(daemon, cluster, 1)
    assert record(cluster) == 2
    monkeypatch.setattr(federation, "STUCK", 10**6)  # what it is for: a younger clock would count
    assert daemon.node.look().earliest == int(old["timestamp"], 16)


def test_every_failure_is_counted__and_the_error_says_what_kind_it_was(cluster, proxy):
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.refuse = lambda call: (-32601, "the method does not exist")
    before = time.monotonic()
    with pytest.raises(NodeError) as failed:
        daemon.node.head()
    assert (failed.value.kind, failed.value.text) == ("refused", "the method does not exist (-32601)")
    assert daemon.node.rpc.failures["refused"] == 4 and time.monotonic() - before < 5
    daemon.journal.close()

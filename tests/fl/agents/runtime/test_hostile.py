"""Nodes that fail or lie, chains that turn back or stand still, soaring gas, full disks, stores that are away: on a real node.

when the node fails: nothing is sent on a guess; when it is back, the seat goes on and has lost nothing
when the node lies: it says so, and sends nothing
when the chain turns back: the same bytes go out again
"""

import errno
import os
import random
import threading
import time

import pytest
from support.daemon_cluster import DaemonCluster, Key, key_of, logged

import fl.network.stores.files
from fl.agents.runtime.daemon import Daemon
from fl.errors import StoreError, StoreSilentError
from fl.network.federation import Distrust, WrongChain
from fl.network.rpc import NodeError
from fl.network.sender import GWEI, Fees
from fl.network.stores.local import LocalStore
from fl.network.transactions import State
from fl.protocol.artifact import Kind
from fl.protocol.phases import Phase
from fl.tools.simulation.faulty_proxy import Proxy

pytestmark = pytest.mark.xdist_group("hostile")

VICTIM = 0


@pytest.fixture
def proxy(cluster):
    with Proxy(cluster.url, pause=1.0) as made:
        yield made


def record(cluster: DaemonCluster, seat: int = VICTIM) -> int:
    """0 nothing, 1 committed, 2 revealed."""
    return cluster.system.see("recordOf", seat)[0]


def look(daemon: Daemon, cluster: DaemonCluster, times: int = 6) -> None:
    """Some looks as the loop makes them, a block after each."""
    for _ in range(times):
        try:
            daemon.tick()
        except Exception as error:
            daemon.trouble(error)
        cluster.mine()


def finish(cluster: DaemonCluster, whole: list[int], number: int = 1) -> None:
    """The round ends, and nobody has lost anything."""
    for seat in range(cluster.SEATS):
        if seat not in cluster.daemons:
            cluster.start(seat)
    cluster.play_round(number)
    assert cluster.stakes() == whole
    assert cluster.daemons[VICTIM].history.rounds[number - 1].adopted


# ---- nodes that fail


@pytest.mark.parametrize("fault, says", [
    ("drop", "unreachable"),
    ("garbage", "garbage"),
    ("limit", "rate-limited"),
    ("error", "HTTP status 500"),
])  # fmt: skip
def test_node_that_fails__is_named__and_costs_nothing_once_it_is_back(cluster, proxy, fault, says):
    whole = cluster.stakes()
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    cluster.start(VICTIM, urls=[proxy.url])
    proxy.rule = lambda call: fault
    look(cluster.daemons[VICTIM], cluster, 2)
    assert says in logged(cluster.daemons[VICTIM]) and "trying again" in logged(cluster.daemons[VICTIM])
    assert record(cluster) == 0 and cluster.sent(key_of(VICTIM)) == 0
    proxy.rule = lambda call: ""
    finish(cluster, whole)


def test_node_that_is_silent__is_left_after_the_time_out(cluster, proxy):
    daemon = cluster.daemon(VICTIM, urls=[proxy.url], timeout=0.2)
    proxy.rule = lambda call: "hang"
    look(daemon, cluster, 1)
    assert "nothing within 0.2 s" in logged(daemon)
    daemon.journal.close()


def test_every_answer_to_a_send_is_lost__it_arrived_all_the_same__and_is_sent_once(cluster, proxy):
    whole = cluster.stakes()
    cluster.start(1, 2, 3)
    cluster.play_to(Phase.COMMIT)
    cluster.start(VICTIM, urls=[proxy.url])
    proxy.rule = lambda call: "deaf" if call["method"] == "eth_sendRawTransaction" else ""
    finish(cluster, whole)
    assert "whether it arrived is not known" in logged(cluster.daemons[VICTIM])
    transactions = cluster.daemons[VICTIM].sender.transactions.all()
    assert len(transactions) == cluster.sent(key_of(VICTIM)) == len({d.nonce for d in transactions})


def test_half_of_all_calls_are_lost__and_a_round_still_costs_nothing(cluster, proxy):
    whole, dice = cluster.stakes(), random.Random(7)
    cluster.start(1, 2, 3)
    cluster.start(VICTIM, urls=[proxy.url])
    proxy.rule = lambda call: dice.choice(("drop", "deaf", "", ""))
    daemon, ticking = cluster.daemons[VICTIM], cluster.daemons[VICTIM].tick

    def patient() -> bool:
        for _ in range(200):
            try:
                return ticking()
            except (NodeError, Distrust) as error:
                daemon.trouble(error)
        raise AssertionError(logged(daemon))

    daemon.tick = patient
    finish(cluster, whole)
    assert proxy.done["drop"] > 20 and proxy.done["deaf"] > 20


def test_second_node__takes_over_from_a_dead_one(cluster, proxy):
    cluster.play_to_open()
    proxy.rule = lambda call: "drop"
    daemon = cluster.daemon(VICTIM, urls=[proxy.url, cluster.url])
    look(daemon, cluster)
    assert record(cluster) == 1
    daemon.journal.close()


# ---- nodes that lie


def test_wrong_chain__ends_the_daemon__and_nothing_is_sent(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])
    proxy.change = lambda call, answer: {**answer, "result": "0x1"} if call["method"] == "eth_chainId" else answer
    with pytest.raises(WrongChain, match=f"the node is on chain 1, the federation on {cluster.evm.chain_id}"):
        daemon.run(threading.Event())
    assert cluster.sent(key_of(VICTIM)) == 0
    daemon.journal.close()


def header(call: dict) -> bool:
    return call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest"


LIES = {
    "a head from the past": (lambda r: {**r, "number": hex(int(r["number"], 16) - 6)}, "lags"),
    "a head that nobody has": (lambda r: {**r, "number": hex(int(r["number"], 16) + 500)}, "does not show block"),
    "a clock that went back": (lambda r: {**r, "timestamp": "0x1"}, "is later than its successor"),
    "no block at all": (lambda r: None, "does not show block latest"),
    "half a block": (lambda r: {"number": r["number"]}, "sent an invalid block"),
}


@pytest.mark.parametrize("lie", LIES)
def test_node_that_lies_about_its_head__is_not_believed(cluster, proxy, lie):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url], depth=2)
    daemon.node.look()
    cluster.mine(3)
    change, says = LIES[lie]
    proxy.change = lambda call, answer: {**answer, "result": change(answer["result"])} if header(call) else answer
    look(daemon, cluster, 2)
    assert says in logged(daemon)
    assert cluster.sent(key_of(VICTIM)) == 0
    proxy.change = lambda call, answer: answer
    look(daemon, cluster)
    assert record(cluster) == 1  # the truth is believed again
    daemon.journal.close()


def test_logs_left_out__are_noticed_by_the_state(cluster, proxy):
    cluster.start(1, 2, 3).play_to(Phase.REVEAL)
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])

    def change(call, answer):
        logs = call["method"] == "eth_getLogs"
        return {**answer, "result": answer["result"][: len(answer["result"]) // 2]} if logs else answer

    cluster.settle_down()
    cluster.skip()
    cluster.settle_down()  # closed and drawn, which the logs will not tell
    proxy.change = change
    look(daemon, cluster, 2)
    assert "logs and state differ" in logged(daemon) and cluster.sent(key_of(VICTIM)) == 0
    proxy.change = lambda call, answer: answer
    look(daemon, cluster, 3)
    assert daemon.history.round.committee
    daemon.journal.close()


def test_two_nodes_that_differ__are_both_doubted(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[cluster.url, proxy.url])

    def change(call, answer):
        block = call["method"] == "eth_getBlockByNumber" and answer["result"]
        return {**answer, "result": {**answer["result"], "hash": "0x" + "77" * 32}} if block else answer

    proxy.change = change
    look(daemon, cluster, 2)
    assert "the nodes show different blocks" in logged(daemon) and cluster.sent(key_of(VICTIM)) == 0
    daemon.journal.close()


def test_receipt_of_nothing__is_not_believed(cluster, proxy):
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, urls=[proxy.url])

    def change(call, answer):
        if call["method"] != "eth_getTransactionReceipt":
            return answer
        made = {"transactionHash": call["params"][0], "blockNumber": "0x1", "blockHash": "0x" + "11" * 32, "status": "0x1"}
        return {**answer, "result": made}

    proxy.rule = lambda call: "drop" if call["method"] == "eth_sendRawTransaction" else ""
    proxy.change = change
    look(daemon, cluster, 3)
    transaction = daemon.sender.transactions.all()[0]
    assert transaction.state is State.OPEN and transaction.mined_at is None
    proxy.rule, proxy.change = (lambda call: ""), (lambda call, answer: answer)
    look(daemon, cluster)
    assert record(cluster) == 1 and len(daemon.sender.transactions.all()) == 1
    daemon.journal.close()


# ---- chains that turn back, or stand still


def transaction(daemon: Daemon, function: str):
    return next(d for d in daemon.sender.transactions.all() if d.function == function)


@pytest.mark.parametrize("phase, function", [(Phase.COMMIT, "commit"), (Phase.REVEAL, "reveal")])
def test_reorganisation_that_undoes_a_deed__the_same_bytes_go_out_again(cluster, phase, function):
    whole = cluster.stakes()
    cluster.start(depth=3)
    cluster.play_to(phase)
    daemon = cluster.daemons[VICTIM]
    blocks = 0
    while not any(d.function == function and d.mined_at for d in daemon.sender.transactions.all()):
        look(daemon, cluster, 1)
        blocks += 1
        assert blocks < 12, logged(daemon)
    sent = [s.raw for s in transaction(daemon, function).sent]
    cluster.evm.rpc("anvil_reorg", 3, [])
    assert record(cluster) < (1 if function == "commit" else 2)
    look(daemon, cluster)
    assert f"{function} was undone by a reorganisation: the same bytes go out again" in logged(daemon)
    assert record(cluster) == (1 if function == "commit" else 2)
    assert [s.raw for s in transaction(daemon, function).sent] == sent
    finish(cluster, whole)


def test_reorganisation_below_what_was_confirmed__the_past_is_read_anew__settlement_and_all(cluster):
    whole = cluster.stakes()
    cluster.start(depth=1)
    cluster.play_to(Phase.SHOW)
    cluster.skip()
    cluster.skip()  # at once: anvil forgets the state of blocks that lie far back
    cluster.settle_down(until=Phase.CHALLENGE)
    look(cluster.daemons[1], cluster, 2)
    assert cluster.phase is Phase.CHALLENGE
    height = cluster.evm.block - 1
    settled = transaction(cluster.daemons[1], "settle").mined_at
    cluster.evm.rpc("anvil_reorg", height - settled + 1, [])
    cluster.evm.rpc("evm_setNextBlockTimestamp", cluster.evm.time)  # the blocks in the place of the others have older clocks
    cluster.mine()
    assert cluster.phase is Phase.SETTLE
    finish(cluster, whole)
    assert any("the past is read anew" in logged(d) for d in cluster.daemons.values())


def test_stale_proposal__is_withdrawn_at_its_own_nonce__since_it_would_be_fraud_if_it_arrived(cluster):
    cluster.start(depth=1)
    cluster.play_to(Phase.PROPOSE)
    cluster.evm.rpc("evm_setAutomine", False)
    daemon = cluster.daemons[1]
    look_quiet(daemon, cluster)
    proposal = transaction(daemon, "propose")
    assert proposal.mined_at is None
    daemon.observer.record.next_model = lambda log: None  # what is right has changed under it
    daemon._done = None
    daemon.tick()
    assert proposal.last.cancels and proposal.nonce == transaction(daemon, "propose").nonce
    cluster.mine(2)
    assert cluster.phase is Phase.PROPOSE and cluster.system.round.attempts == 0
    assert "propose is withdrawn" in logged(daemon)


def look_quiet(daemon: Daemon, cluster: DaemonCluster) -> None:
    """Looks until something is sent that no block has taken."""
    for _ in range(6):
        if daemon.tick():
            return
        cluster.mine()
    raise AssertionError(logged(daemon))


def test_chain_that_stands_still_across_a_deadline__is_told__and_the_round_goes_on(cluster):
    whole = cluster.stakes()
    cluster.start()
    cluster.play_to(Phase.COMMIT)
    cluster.settle_down()
    daemon = cluster.daemons[VICTIM]
    daemon.tick()
    daemon.pace = type(daemon.pace)(30.0, 30.0, 1)
    for _ in range(3):
        daemon.tick()
    assert "the chain produces no blocks" in logged(daemon)
    cluster.evm.warp(cluster.system.see("phaseEnd") + 5)  # the first block after the halt is past the deadline
    finish(cluster, whole)


def test_wrong_clock_of_the_machine__changes_nothing(cluster, monkeypatch):
    whole = cluster.stakes()
    monkeypatch.setattr(time, "time", lambda: 12.0)
    cluster.start()
    finish(cluster, whole)


# ---- gas and nonces


def unmined(cluster: DaemonCluster, **settings: object) -> Daemon:
    """A daemon whose first commitment waits to be mined."""
    cluster.play_to_open()
    daemon = cluster.daemon(VICTIM, **settings)
    cluster.evm.rpc("evm_setAutomine", False)
    look_quiet(daemon, cluster)
    return daemon


def test_gas_soars__the_fee_follows_at_the_same_nonce__up_to_the_cap(cluster):
    daemon = unmined(cluster, fees=Fees(cap=10 * GWEI, tip=GWEI, patience=2))
    commit = transaction(daemon, "commit")
    for _ in range(8):
        cluster.evm.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
        look(daemon, cluster, 1)
    fees = [s.fee for s in commit.sent]
    assert fees == sorted(fees) and len(fees) >= 2 and fees[-1] <= 10 * GWEI
    assert "gas costs 50 gwei and the cap is 10" in logged(daemon)
    assert cluster.sent(key_of(VICTIM)) == 0
    for _ in range(4):
        cluster.evm.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        look(daemon, cluster, 1)
    assert record(cluster) == 1 and cluster.sent(key_of(VICTIM)) == 1
    cluster.evm.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    daemon.journal.close()


def test_dropped_from_every_pool__the_same_bytes_go_out_again(cluster):
    daemon = unmined(cluster)
    raw = transaction(daemon, "commit").last.raw
    cluster.evm.rpc("anvil_dropAllTransactions")
    cluster.mine()
    assert record(cluster) == 0
    cluster.evm.rpc("evm_setAutomine", True)
    look(daemon, cluster, 3)
    assert record(cluster) == 1 and [s.raw for s in transaction(daemon, "commit").sent] == [raw]
    daemon.journal.close()


def test_nonce_taken_by_another_program__is_told__and_the_deed_gets_a_new_one(cluster):
    daemon = unmined(cluster)
    taken = transaction(daemon, "commit").nonce
    cluster.evm.rpc("anvil_dropAllTransactions")
    other = {
        "to": key_of(3).address,
        "value": 1,
        "gas": 21_000,
        "nonce": taken,
        "chainId": cluster.evm.chain_id,
        "data": b"",
        "type": 2,
    }
    raw = key_of(VICTIM).sign({**other, "maxFeePerGas": GWEI, "maxPriorityFeePerGas": 0})
    cluster.evm.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    cluster.evm.rpc("evm_setAutomine", True)
    cluster.mine(2)
    look(daemon, cluster)
    assert f"nonce {taken} of {key_of(VICTIM).address} was used by another program" in logged(daemon)
    assert record(cluster) == 1 and {d.state for d in daemon.sender.transactions.all()} == {State.LOST, State.DONE}
    daemon.journal.close()


def test_no_ether_for_gas__is_told__and_mended_by_sending_some(cluster):
    cluster.play_to_open()
    key = Key(0xBAD)
    cluster.hand_over(VICTIM, key)
    cluster.mine(2)
    cluster.evm.rpc("anvil_setBalance", key.address, "0x1")
    daemon = cluster.daemon(VICTIM, key=key)
    look(daemon, cluster, 2)
    assert record(cluster) == 0 and "ether" in logged(daemon)
    cluster.evm.rpc("anvil_setBalance", key.address, hex(10**19))
    look(daemon, cluster)
    assert record(cluster) == 1
    daemon.journal.close()


# ---- disks and stores


def test_disk_full_at_any_write__nothing_is_sent__and_it_goes_on_when_there_is_room(cluster, monkeypatch):
    cluster.play_to_open()
    mark, synced, failing = cluster.mark(), os.fsync, 0
    for fails_at in range(1, 20):
        daemon, count = cluster.daemon(VICTIM, depth=0), [0]

        def full(handle, count=count, fails_at=fails_at):
            count[0] += 1
            if count[0] == fails_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            synced(handle)

        before = cluster.sent(key_of(VICTIM))
        monkeypatch.setattr(fl.network.stores.files.os, "fsync", full)
        try:
            daemon.tick()
        except OSError as error:
            daemon.trouble(error)
        monkeypatch.setattr(fl.network.stores.files.os, "fsync", synced)
        if count[0] < fails_at:  # the whole look took fewer writes
            daemon.journal.close()
            break
        failing += 1
        kept = daemon.sender.transactions.all()
        assert "No space left on device" in logged(daemon)
        assert cluster.sent(key_of(VICTIM)) - before <= len(kept)
        if not kept:
            assert record(cluster) == 0
        look(daemon, cluster, 4)
        assert record(cluster) == 1 and cluster.sent(key_of(VICTIM)) == 1
        daemon.journal.close()
        mark = cluster.back(mark)
    assert failing >= 4


class Away(LocalStore):
    """A store that takes and shows nothing while it is away."""

    away = True
    blind = False  # shows nothing

    def put(self, data, kind):
        if self.away:
            raise StoreSilentError("the store does not answer")
        return super().put(data, kind)

    def get(self, root, kind, depth):
        if self.blind:
            raise StoreSilentError("the store does not answer")
        return super().get(root, kind, depth)

    def has(self, root, kind):
        return not self.away and super().has(root, kind)


def test_store_away_at_the_reveal__the_chain_is_told_in_time__and_the_file_follows(cluster):
    whole = cluster.stakes()
    away = Away(cluster.store.path)
    away.away = False
    cluster.start(1, 2, 3)
    cluster.start(VICTIM, store=away)
    cluster.play_to(Phase.REVEAL)
    away.away = True
    daemon = cluster.daemons[VICTIM]
    look(daemon, cluster)
    assert record(cluster) == 2 and "the store does not accept the file of reveal" in logged(daemon)
    root = daemon.history.round.reveals[VICTIM].root
    assert not cluster.store.has(root, Kind.UPDATE)
    away.away = False
    look(daemon, cluster, 2)
    assert cluster.store.has(root, Kind.UPDATE) and "the revealed update is in the store again" in logged(daemon)
    finish(cluster, whole)
    assert VICTIM in daemon.history.rounds[0].accepted


@pytest.mark.parametrize("back", [True, False])
def test_store_away_when_scores_are_due__a_validator_waits__and_scores_what_it_has_when_time_runs_out(cluster, back):
    whole = cluster.stakes()
    away = Away(cluster.store.path)
    away.away = False
    cluster.start(store=away)
    cluster.play_to(Phase.SCORE_COMMIT)
    away.blind = True
    look(cluster.daemons[1], cluster, 3)
    drawn = cluster.system.committee()
    for seat in drawn:
        look(cluster.daemons[seat], cluster, 2)
    assert [cluster.system.see("scoreRecordOf", i)[0] for i in range(3)] == [0, 0, 0]
    if back:
        away.blind = False
    else:
        cluster.evm.warp(cluster.now + cluster.system.terms.score_commit_window // 2)
    cluster.play_round(1)
    assert cluster.stakes() == whole
    assert bool(cluster.daemons[drawn[0]].history.rounds[0].accepted) is back


def test_store_away_when_scores_are_due__and_a_validator_restarted__costs_no_slash(cluster):
    """It holds nothing of the round, not even the model that it began with, and still reveals scores in time."""
    whole, away = cluster.stakes(), Away(cluster.store.path)
    away.away = False
    cluster.start(store=away)
    cluster.play_to(Phase.SCORE_COMMIT)
    away.blind = True
    drawn = cluster.system.committee()
    for seat in drawn:
        cluster.end(seat)
        cluster.start(seat, store=away)
    cluster.evm.warp(cluster.now + cluster.system.terms.score_commit_window // 2)
    cluster.play_to(Phase.SETTLE)
    away.blind = False  # what a proposal would have to be checked with
    cluster.play_round(1)
    assert cluster.stakes() == whole
    assert cluster.daemons[drawn[0]].history.rounds[0].scores == dict.fromkeys(drawn, bytes(4))


def test_no_room_for_files_when_scores_are_due__is_told__and_none_is_left_out_for_it(cluster, monkeypatch, tmp_path):
    whole = cluster.stakes()
    cluster.start()
    cluster.play_to(Phase.SCORE_COMMIT)
    with monkeypatch.context() as full:
        full.setattr("fl.network.stores.private_copy.FEW", 0)
        full.setenv("TMPDIR", str(tmp_path / "nowhere"))
        full.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        look(cluster.daemons[1], cluster, 3)
        cluster.skip()  # to the half of the window
        for seat in (drawn := cluster.system.committee()):
            look(cluster.daemons[seat], cluster, 2)
            assert "make room there, or set TMPDIR" in logged(cluster.daemons[seat])
    assert [cluster.system.see("scoreRecordOf", i)[0] for i in range(3)] == [0, 0, 0]
    cluster.play_round(1)
    assert cluster.stakes() == whole and cluster.daemons[drawn[0]].history.rounds[0].accepted


def test_store_away_at_the_proposal__nothing_is_proposed_that_nobody_could_open(cluster):
    away = Away(cluster.store.path)
    away.away = False
    cluster.start(0, 2, 3)
    cluster.start(1, store=away)
    cluster.play_to(Phase.PROPOSE)
    away.away = True
    look(cluster.daemons[1], cluster)
    assert cluster.phase is Phase.PROPOSE and "the store does not accept the file of propose" in logged(cluster.daemons[1])
    away.away = False
    look(cluster.daemons[1], cluster)
    assert cluster.phase is Phase.CHALLENGE


def test_store_that_serves_wrong_bytes__is_found_out__and_an_honest_round_still_ends(cluster):
    whole = cluster.stakes()
    cluster.start()
    cluster.play_to(Phase.REVEAL)
    cluster.settle_down()
    root = cluster.daemons[1].history.round.reveals[2].root
    path = cluster.store.path / f"{root.hex()}.update"
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(StoreError, match="altered"):
        cluster.store.get(root, Kind.UPDATE, cluster.system.terms.depth)
    cluster.play_round(1)
    assert cluster.stakes() == whole

"""Relaying: a host takes an act only if the chain would, and a daemon whose host is dead, refuses, sleeps or does not answer
sends its own transactions in time."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from support.daemon_cluster import DaemonCluster
from support.in_process import InProcessChain, operated, reader_of
from support.keys import key_of
from support.system import System, random_update, salt

from fl.log import Log
from fl.network.transactions import TransactionJournal
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase, phase_and_end
from fl.protocol.relayed import Act
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.relay import Relay

ETHER = 10**18
SENDER = key_of(40)
UPDATES = {seat: random_update(np.random.default_rng(seat)) for seat in range(3)}
ROOTS = {seat: root_of(data, Kind.UPDATE) for seat, data in UPDATES.items()}


@pytest.fixture
def system():
    system = System.create(InProcessChain()).join(3).fund()
    for seat in range(3):
        operated(system, seat)
    return system.open()


@pytest.fixture
def relay(system, tmp_path):
    ledger = Ledger(reader_of(system))
    ledger.look()
    return Relay(ledger, SENDER, TransactionJournal(tmp_path / "relayed"), ETHER, Metrics(), Log())


def commit(system: System, seat: int = 0, signer: int | None = None, round_: int = 1, value: bytes | None = None) -> dict:
    value = value or system.commitment(seat, ROOTS[seat])
    sign = key_of(seat if signer is None else signer).sign_typed
    call = "commit", (round_, seat, value), round_, sign, system.evm.chain_id, system.federation.address
    return Act.of_call(*call).to_json()


def reveal(system: System, seat: int = 0, root: bytes | None = None) -> dict:
    args = seat, root or ROOTS[seat], salt(seat), b""
    return Act.of_call("reveal", args, 1, None, system.evm.chain_id, system.federation.address).to_json()


def test_commit__of_the_operator_is_taken_once__and_another_value_of_it_is_not(system, relay):
    assert relay.offer(commit(system)) == (202, "taken")
    assert relay.offer(commit(system)) == (200, "this is under way")
    assert relay.offer(commit(system, value=b"\x07" * 32))[0] == 409
    assert relay.offer(commit(system, seat=1)) == (202, "taken")  # and no other seat is in its way


REFUSED = {
    "another key": (lambda s: commit(s, signer=1), 401, "not signed by the operator of seat 0"),
    "another round": (lambda s: commit(s, round_=2), 409, "round 2 is not open here"),
    "a later phase's act": (lambda s: reveal(s), 409, "the phase is commit"),
    "no such seat": (lambda s: {**commit(s), "seat": 9}, 403, "seat 9 has no commit to send"),
    "a signature that is none": (lambda s: {**commit(s), "signature": "ff" * 65}, 400, "not a signature"),
    "another kind": (lambda s: {**commit(s), "kind": "conclude"}, 400, "kind: one of"),
    "too few bytes": (lambda s: {**commit(s), "value": "00"}, 400, "value: 32 to 32 bytes"),
    "a number as text": (lambda s: {**commit(s), "round": "1"}, 400, "whole numbers"),
    "no object": (lambda s: [], 400, "kind: one of"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_act__that_the_chain_would_not_take__is_refused(system, relay, how):
    make, status, text = REFUSED[how]
    got, said = relay.offer(make(system))
    assert got == status and text in said
    assert not relay._pending


def test_reveal__is_taken_only_if_it_opens_the_commitment(system, relay):
    system.do("commit", 0, system.commitment(0, ROOTS[0]), by=key_of(0).address)
    system.skip()
    relay.ledger.look()
    assert relay.offer(reveal(system, root=ROOTS[1])) == (403, "this does not open what the seat committed to")
    assert relay.offer(reveal(system, seat=1))[0] == 403  # it has not committed
    assert relay.offer(reveal(system)) == (202, "taken")


def test_budget__that_is_spent__sends_daemons_on_their_own_way(system, relay):
    relay.spent = relay.budget
    assert relay.offer(commit(system)) == (503, "the budget for gas is spent: send the transaction yourself")


# ---- batches


def sent(system: System) -> int:
    return system.evm.nonces[SENDER.address]


def records(system: System) -> list[int]:
    return [system.see("recordOf", seat)[0] for seat in range(3)]


def test_batch__of_everybody__is_one_transaction_for_each_kind(system, relay):
    for seat in range(3):
        assert relay.offer(commit(system, seat))[0] == 202
        relay.step()
        assert sent(system) == int(seat == 2)  # it waits for those who may still come
    assert records(system) == [1, 1, 1]
    system.skip()
    relay.ledger.look()
    relay.step()  # looks after what it sent
    for seat in range(3):
        assert relay.offer(reveal(system, seat))[0] == 202
    relay.step()
    assert sent(system) == 2 and records(system) == [2, 2, 2] and not relay._due("commit", *now(relay))
    relay.ledger.look()
    relay.step()
    assert not relay._pending and relay.offer(reveal(system)) == (200, "the chain has it already")


def now(relay: Relay) -> tuple:
    snapshot, log = relay.ledger.known.snapshot, relay.ledger.history.round
    return log, *phase_and_end(snapshot.facts, relay.ledger.reader.terms, snapshot.head.time), snapshot


def test_batch__waits_for_a_part_of_its_window__and_leaves_out_what_was_done_meanwhile(system, relay):
    for seat in range(2):
        relay.offer(commit(system, seat))
    relay.step()
    assert sent(system) == 0
    system.do("commit", 0, b"\x09" * 32, by=key_of(0).address)  # the operator itself was faster, with another value
    system.evm.warp(system.evm.time + system.terms.commit_window // 8)
    relay.ledger.look()
    relay.step()
    assert sent(system) == 1 and records(system) == [1, 1, 0]
    assert system.see("recordOf", 0)[1] != system.commitment(0, ROOTS[0])


def test_batch__beyond_the_budget__is_not_sent(system, relay):
    for seat in range(3):
        relay.offer(commit(system, seat))
    relay.spent = relay.budget
    relay.step()
    assert sent(system) == 0


# ---- a daemon whose host is not what it should be


@contextmanager
def answering(status: int, seconds: float = 0.0):
    """A host that answers every act like this."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            offered.append(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

    offered: list[bytes] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", offered
        server.shutdown()


def to_half(cluster: DaemonCluster) -> None:
    """To the middle of the phase, where a daemon waits for nobody any more."""
    end = cluster.system.see("phaseEnd")
    half = cluster.now + (end - cluster.now + 1) // 2
    cluster.evm.rpc("evm_setNextBlockTimestamp", half)
    cluster.evm.time = half
    cluster.mine(2)


@pytest.mark.xdist_group("relays")
def test_daemons__whose_hosts_are_dead_refuse_sleep_or_are_silent__play_the_round_themselves(tmp_path):
    cluster = DaemonCluster(tmp_path)
    with answering(503) as (refuses, refused), answering(202) as (sleeps, taken), answering(202, 30.0) as (silent, _):
        hosts = {0: "http://127.0.0.1:9", 1: refuses, 2: sleeps, 3: silent}
        for seat, url in hosts.items():
            cluster.start(seat, hosts=[url])
        cluster.play_to_open()
        assert cluster.phase is Phase.COMMIT
        cluster.settle_down()
        time.sleep(1.5)  # the silent one is given up meanwhile
        cluster.settle_down()
        committed = {seat for seat in hosts if cluster.system.see("recordOf", seat)[0]}
        assert committed == {0, 1, 3}  # at once, since nobody took the act; the sleeper's waits for half of the window
        assert refused and taken
        to_half(cluster)
        cluster.settle_down()
        assert all(cluster.system.see("recordOf", seat)[0] for seat in hosts)
        while (r := cluster.system.round).number == 1 and r.live:
            before = cluster.phase
            cluster.settle_down()
            time.sleep(0.1)
            if cluster.phase is before and cluster.system.see("phaseEnd") > cluster.now:
                to_half(cluster)
                cluster.settle_down()
                time.sleep(1.2)
                cluster.settle_down()
            if cluster.phase is before:
                cluster.skip()
        played = cluster.daemons[0].history.rounds[0]
        cluster.end()
    terms = cluster.system.terms
    assert min(cluster.stakes()) == terms.min_stake + 2 * terms.fraud_slash  # nobody was slashed
    assert len(played.reveals) == 4 and len(played.scores) == terms.committee and played.adopted

"""Relaying: a host takes an act only if the chain would."""

import socket
import time

import numpy as np
import pytest
from support.in_process import InProcessChain, operated, reader_of
from support.keys import key_of
from support.system import System, random_update, salt

from fl.log import Log
from fl.network.host_relay import HostRelay
from fl.network.stores.base import Writer
from fl.network.stores.local import LocalStore
from fl.network.transactions import TransactionJournal
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.relayed import Act
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.purse import Payment, Purse
from fl.tools.host.relay import Relay
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer

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
    purse = Purse(tmp_path / "payments.jsonl", ETHER)
    return Relay(ledger, SENDER, TransactionJournal(tmp_path / "relayed"), purse, Metrics(), Log())


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
    relay.purse.pay(Payment("0x01", 1, "commit", (0,), 50_000, ETHER))
    assert relay.offer(commit(system)) == (503, "the budget for gas is spent: send the transaction yourself")


# ---- a seat's hosts


def test_hosts__are_asked_in_order_until_one_takes_the_act__and_nobody_waits_for_them(system, relay, tmp_path):
    host = Host(relay.ledger, LocalStore(tmp_path / "hosted"), relay=relay)
    server = WebServer(application(host), Address())
    server.start()
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = ["http://127.0.0.1:9", f"http://127.0.0.1:{silent.getsockname()[1]}", server.url]
        writer = Writer(system.evm.chain_id, system.federation.address, 0, key_of(0).sign_typed, told.append)
        began = time.monotonic()
        HostRelay(urls, writer, seconds=0.3).give(Act.parse(commit(system)))
        assert time.monotonic() - began < 0.2
        while not relay._pending:
            assert time.monotonic() - began < 10, told
            time.sleep(0.02)
    assert "cannot be reached" in told[0] and "did not answer" in told[1] and len(told) == 2
    host.relay = None
    HostRelay([server.url], writer).give(Act.parse(commit(system)))
    while "no host takes commit: this seat sends it itself" not in told[-1]:
        assert time.monotonic() - began < 10, told
        time.sleep(0.02)
    assert "HTTP status 404" in told[-2]
    server.stop()

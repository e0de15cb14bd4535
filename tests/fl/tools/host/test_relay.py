"""Relaying: a host takes an act only if the chain would."""

import socket
import time
from dataclasses import replace

import numpy as np
import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from support.in_process import InProcessChain, operated, reader_of
from support.keys import key_of
from support.system import System, owner, random_update, salt

from fl.log import Log
from fl.network import sender as sender_module
from fl.network.gas import relayed
from fl.network.host_relay import HostRelay
from fl.network.rpc import NodeRefused
from fl.network.sender import MAX_GAS
from fl.network.stores.base import Writer
from fl.network.stores.local import LocalStore
from fl.network.transactions import Signed, SignedTransaction, State, TransactionJournal
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.protocol.relayed import FORMS, Act
from fl.tools.host import relay as relay_module
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.purse import Payment, Purse
from fl.tools.host.relay import GAS_OF_WALLET, Relay, most_together, reserved
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer

ETHER = 10**18
SENDER = key_of(40)
UPDATES = {seat: random_update(np.random.default_rng(seat)) for seat in range(12)}
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
    "a kind that is no text": (lambda s: {**commit(s), "kind": []}, 400, "kind: one of"),
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


def test_budget__is_reserved_for_acts_at_their_largest(system, relay):
    price = relay._price(1)
    assert price > 0
    relay.purse.budget = price * reserved("commit", 2) - 1
    assert relay.offer(commit(system, 0)) == (202, "taken")
    assert relay.offer(commit(system, 1))[0] == 503
    relay.purse.budget += 1
    assert relay.offer(commit(system, 1)) == (202, "taken")


@pytest.mark.parametrize("kind", FORMS)
def test_most_acts_together__fit_a_transaction__whatever_their_operators_become(kind):
    most, batch, wallet = most_together(kind), FORMS[kind].batch, 0 if FORMS[kind].signs is None else GAS_OF_WALLET
    assert relayed(batch, most) + most * wallet <= MAX_GAS < relayed(batch, most + 1) + (most + 1) * wallet
    assert reserved(kind, most + 1) == relayed(batch, most) + relayed(batch, 1)


def test_journal__of_a_host_that_runs_for_years__does_not_fill_the_disk(system, relay):
    facts = -16, "commitMany", SENDER.address, "", SENDER.address, 0, 1
    old = SignedTransaction("000000-old", *facts, state=State.DONE)
    for transaction in (old, replace(old, name="000000-open", state=State.OPEN), replace(old, name="000001-new", round=1)):
        transaction.sent.append(Signed("00", "0x" + "00" * 32, 1, 1, 1))
        relay.sender.transactions.keep(transaction)
    relay.sender.tend = lambda *_: None
    relay.step()
    assert [path.stem for path in sorted(relay.sender.transactions.folder.iterdir())] == ["000000-open", "000001-new"]


# ---- between simulation and block


class Rushed(InProcessChain):
    """A chain on which somebody acts just before a signed transaction, which has only the gas that its sender allowed."""

    first = None
    gas = None

    def _eth_sendRawTransaction(self, raw: str) -> str:
        if self.first is not None:
            self.first()
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        self.gas = fields["gas"] - 21_000 - sum(16 if byte else 4 for byte in fields["data"])
        try:
            return super()._eth_sendRawTransaction(raw)
        finally:
            self.gas = None

    def _done(self, method: str, to: str, data: bytes, by: str) -> bytes:
        if self.gas is None:
            return super()._done(method, to, data, by)
        self.vm.reset_transient_storage()
        try:
            return bytes(self.vm.message_call(caller=by, to=to, calldata=data, gas=self.gas))
        except RuntimeError as error:
            raise NodeRefused(method, 3, str(error), b"") from None


def rushed(tmp_path, seats: int, wallets: int) -> Relay:
    """A relay that holds every seat's commitment and has sent it, to a chain on which the operators of the first seats became
    wallets that burn gas just before."""
    chain = Rushed()
    system = System.create(chain).join(seats).fund()
    for seat in range(seats):
        operated(system, seat)
    system.open()
    ledger = Ledger(reader_of(system))
    ledger.look()
    purse = Purse(tmp_path / "payments.jsonl", ETHER)
    relay = Relay(ledger, SENDER, TransactionJournal(tmp_path / "relayed"), purse, Metrics(), Log())
    for seat in range(seats):
        assert relay.offer(commit(system, seat)) == (202, "taken")
    wallet = chain.deploy("OddWallet")
    wallet.send("set", 3, SENDER.address, b"", by=SENDER.address)  # burns gas

    def first() -> None:
        chain.first = None
        for seat in range(wallets):
            system.do("setOperator", seat, wallet.address, by=owner(seat))

    chain.first = first
    relay.step()
    ledger.look()
    return relay


def test_batch__whose_operators_become_wallets_that_burn_gas__still_does_the_others(tmp_path):
    relay = rushed(tmp_path, 3, 2)
    assert set(relay.ledger.history.round.commitments) == {2}


def test_acts__that_one_transaction_may_have_no_gas_for__go_in_several(tmp_path, monkeypatch):
    for module in (relay_module, sender_module):
        monkeypatch.setattr(module, "MAX_GAS", 1_000_000)
    assert most_together("commit") == 4
    relay = rushed(tmp_path, 12, 11)
    assert set(relay.ledger.history.round.commitments) == {11}
    sent = relay.sender.transactions.open(SENDER.address)  # the second four are wallets when they are tried, and not sent
    assert len(sent) == 2 and all(batch.gas < 1_000_000 for batch in sent)


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

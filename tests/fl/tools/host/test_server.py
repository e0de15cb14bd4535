"""A host over real HTTP: it keeps what a confirmed block names, of the exact size, from the operator who signs; and a daemon's
store that uses it survives whatever the host does."""

import os
import socket
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests
from support.in_process import InProcessChain, operated, reader_of
from support.keys import Key, key_of
from support.system import System, random_model, random_update, salt

from fl.errors import TreatyError
from fl.network.stores import cid
from fl.network.stores.base import Writer
from fl.network.stores.hosted import HostStore
from fl.network.stores.local import LocalStore
from fl.network.stores.several import Stores
from fl.protocol.artifact import Kind
from fl.protocol.commitment import score_commitment
from fl.protocol.fraud import Opened
from fl.protocol.hosting import SEAT_HEADER, SIGNATURE_HEADER, upload
from fl.protocol.leaves import root_of
from fl.protocol.phases import Phase
from fl.tools.host import limits
from fl.tools.host.ledger import Ledger
from fl.tools.host.limits import Quota, Rates
from fl.tools.host.server import Host, application
from fl.tools.host.web import Address, WebServer

UPDATE = random_update(np.random.default_rng(0))
ROOT = root_of(UPDATE, Kind.UPDATE)
NAME = f"{ROOT.hex()}.update"


@dataclass
class Stage:
    """A federation with three seats whose keys are known, and a host that reads it."""

    system: System
    host: Host
    server: WebServer

    @property
    def url(self) -> str:
        return self.server.url

    def look(self) -> None:
        self.host.ledger.look()

    def headers(
        self, seat: int = 0, root: bytes = ROOT, size: int = len(UPDATE), key: Key | None = None, host: str = ""
    ) -> dict[str, str]:
        data = upload(self.system.evm.chain_id, self.system.federation.address, host or self.url, root, seat, size)
        return {SEAT_HEADER: str(seat), SIGNATURE_HEADER: (key or key_of(seat)).sign_typed(data).hex()}

    def put(self, data: bytes = UPDATE, name: str = NAME, **headers) -> requests.Response:
        return requests.put(f"{self.url}/{name}", data=data, headers=self.headers(**headers), timeout=5)

    def writer(self, seat: int = 0, told: list[str] | None = None) -> Writer:
        warn = (told if told is not None else []).append
        return Writer(self.system.evm.chain_id, self.system.federation.address, seat, key_of(seat).sign_typed, warn)

    def commits(self, seat: int = 0, data: bytes = UPDATE) -> None:
        root = Opened.of(data, Kind.UPDATE).tree.root
        self.system.do("commit", seat, self.system.commitment(seat, root), by=key_of(seat).address)

    def reveals(self, seat: int = 0, data: bytes = UPDATE) -> None:
        self.system.do("reveal", seat, Opened.of(data, Kind.UPDATE).tree.root, salt(seat), b"")


@pytest.fixture
def stage(tmp_path):
    system = System.create(InProcessChain()).join(3).fund()
    for seat in range(3):
        operated(system, seat)
    ledger = Ledger(reader_of(system))
    host = Host(ledger, LocalStore(tmp_path / "hosted"))
    server = WebServer(application(host), Address())
    host.urls = (server.url, "https://heart.example")
    server.start()
    yield Stage(system.open(), host, server)
    server.stop()


def revealed(stage: Stage) -> Stage:
    stage.commits()
    stage.system.skip()
    stage.reveals()
    stage.look()
    return stage


def until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


# ---- what it takes


def test_upload__is_kept_from_a_confirmed_reveal_on__and_read_by_root_and_by_cid(stage):
    stage.commits()
    stage.look()
    early = stage.put()
    assert early.status_code == 425 and "no confirmed block names this root yet" in early.text
    stage.system.skip()
    stage.reveals()
    assert stage.put().status_code == 425  # the chain has it, the host's reading does not yet
    stage.look()
    assert stage.put().status_code == 201 and stage.put().status_code == 200
    assert requests.get(f"{stage.url}/{NAME}", timeout=5).content == UPDATE
    assert requests.get(f"{stage.url}/ipfs/{cid.to_text(cid.cid_of(UPDATE))}", timeout=5).content == UPDATE
    assert HostStore(stage.url).get(ROOT, Kind.UPDATE, 0) == UPDATE and HostStore(stage.url).has(ROOT, Kind.UPDATE)


def test_upload__is_signed_for_the_host_by_one_of_its_addresses__however_they_are_spelt(stage):
    revealed(stage)
    here = stage.url.replace("127.0.0.1", "localhost")
    for host in ("https://heart.example", "https://HEART.example:443/", stage.url, here):
        assert stage.put(host=host).status_code == 201, host
        (stage.host.store.path / NAME).unlink()


def test_upload__that_one_host_was_given__is_nothing_worth_at_another(stage, tmp_path):
    """The first host passes on what the seat's own store gave it, word for word."""
    revealed(stage)
    passed: list[int] = []

    class First(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def do_PUT(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            done = requests.put(stage.url + self.path, data=data, headers=dict(self.headers), timeout=5)
            passed.append(done.status_code)
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), First) as first:
        threading.Thread(target=first.serve_forever, args=(0.02,), daemon=True).start()
        for url, taken in ((f"http://127.0.0.1:{first.server_port}", 401), (stage.url, 201)):
            store = HostStore(url)
            store.write_as(stage.writer())
            store.put(UPDATE, Kind.UPDATE)
            until(lambda store=store: store.waiting == 0)
            assert taken == 201 or passed == [taken]
        first.shutdown()
    assert [path.name for path in stage.host.store.path.iterdir()] == [NAME]


REFUSED = {
    "another key": ({"key": key_of(1)}, UPDATE, NAME, 401, "not signed by the operator of seat 0"),
    "another seat's key": ({"seat": 1, "key": key_of(0)}, UPDATE, NAME, 401, "not signed by the operator of seat 1"),
    "another seat": ({"seat": 1}, UPDATE, NAME, 403, "another seat revealed this, and seat 1 did not"),
    "no such seat": ({"seat": 9, "key": key_of(9)}, UPDATE, NAME, 401, "operator of seat 9"),
    "another size signed": ({"size": len(UPDATE) + 1}, UPDATE, NAME, 401, "not signed"),
    "another root signed": ({"root": bytes(32)}, UPDATE, NAME, 401, "not signed"),
    "another host signed": ({"host": "https://lung.example"}, UPDATE, NAME, 401, "for this host at http://127.0.0.1"),
    "another port signed": ({"host": "https://heart.example:8443"}, UPDATE, NAME, 401, "or https://heart.example"),
    "a byte more": ({}, UPDATE + b"0", NAME, 413, "has exactly 264"),
    "a byte fewer": ({}, UPDATE[:-1], NAME, 413, "has exactly 264"),
    "other bytes": ({}, bytes(len(UPDATE)), NAME, 422, "does not hash to its name"),
    "a document": ({}, b"{}", f"{ROOT.hex()}.json", 403, "seats give updates and models"),
    "a path": ({}, UPDATE, "..%2Fsecret.update", 404, "Not Found"),
    "a hidden file": ({}, UPDATE, ".partial-1.update", 403, "seats give updates"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_upload__of_anything_else__is_refused_and_leaves_nothing(stage, how):
    given, data, name, status, text = REFUSED[how]
    done = revealed(stage).put(data, name, **given)
    assert done.status_code == status and text in done.text
    assert list(stage.host.store.path.iterdir()) == []


def round_of(stage: Stage, seed: int) -> tuple[bytes, bytes]:
    """Seats 0 and 1 reveal an update each, and nobody scores: the round is void, and the next one opens."""
    system, updates = stage.system, tuple(random_update(np.random.default_rng(seed + seat)) for seat in (0, 1))
    if not system.round.live:
        system.open()
    for seat, data in enumerate(updates):
        stage.commits(seat, data)
    system.skip()
    for seat, data in enumerate(updates):
        stage.reveals(seat, data)
    stage.look()
    return updates


def kept_by(stage: Stage) -> set[bytes]:
    return {path.read_bytes() for path in stage.host.store.path.iterdir()}


def test_store__that_would_grow_too_large__lets_the_oldest_round_give_way__and_refuses_what_does_not_fit(stage):
    stage.host.keep_bytes = 5 * len(UPDATE)
    given: list[tuple[bytes, bytes]] = []

    def give(seat: int, data: bytes) -> requests.Response:
        root = root_of(data, Kind.UPDATE)
        return stage.put(data, f"{root.hex()}.update", seat=seat, root=root)

    for number in range(3):
        given.append(round_of(stage, 100 * number))
        for seat, data in enumerate(given[-1]):
            assert give(seat, data).status_code == 201
        if number == 2:
            break
        while stage.system.skip() is not Phase.VOID:
            pass
        stage.system.do("finalize")
    assert kept_by(stage) == {*given[1], *given[2]}  # the first round's two files gave way to the sixth
    stage.host.keep_bytes = 4 * len(UPDATE) - 1
    (stage.host.store.path / f"{root_of(given[2][1], Kind.UPDATE).hex()}.update").unlink()
    done = give(1, given[2][1])
    assert done.status_code == 507 and "keeps at most 1,055 bytes, which the last 2 rounds fill" in done.text
    assert kept_by(stage) == {*given[1], given[2][0]}  # none of the last two rounds' files was given up for it
    stage.host.keep_bytes = 4 * len(UPDATE)
    assert give(1, given[2][1]).status_code == 201  # what was refused holds no room


def test_upload__without_a_signature__is_refused(stage):
    revealed(stage)
    for headers in ({}, {SEAT_HEADER: "0", SIGNATURE_HEADER: "00" * 65}, {SEAT_HEADER: "-1", SIGNATURE_HEADER: "xy" * 65}):
        done = requests.put(f"{stage.url}/{NAME}", data=UPDATE, headers=headers, timeout=5)
        assert done.status_code in (400, 401)


def test_model__is_taken_from_any_seat_once_it_was_proposed(stage):
    model = random_model(np.random.default_rng(1))
    root = root_of(model, Kind.MODEL)
    given = {"data": model, "name": f"{root.hex()}.model", "seat": 2, "root": root, "size": len(model)}
    system = stage.system
    updates = {seat: random_update(np.random.default_rng(10 + seat)) for seat in range(3)}
    for seat, data in updates.items():
        stage.commits(seat, data)
    system.updates = updates
    system.skip()
    system.reveal()
    system.skip()
    committee = system.draw()
    for seat in committee:
        facts = system.evm.chain_id, system.federation.address, 1, seat, bytes([200] * 3), salt(seat, "scores")
        system.scores[seat] = bytes([200] * 3)
        system.do("commitScores", seat, score_commitment(*facts), by=key_of(seat).address)
    system.skip()
    system.reveal_scores()
    system.skip()
    system.settle()
    system.skip()
    stage.look()
    assert stage.put(**given).status_code == 425
    system.do("propose", 0, root, b"", by=key_of(0).address)
    stage.look()
    assert stage.put(**given).status_code == 201


def test_seat__that_sends_garbage_again_and_again__meets_its_quota_and_no_other_seat_does(stage):
    stage.commits(0)
    other = random_update(np.random.default_rng(5))
    stage.commits(1, other)
    stage.system.skip()
    stage.reveals(0)
    stage.reveals(1, other)
    stage.look()
    stage.host.quota = Quota(3 * len(UPDATE))
    assert [stage.put(bytes(len(UPDATE))).status_code for _ in range(4)] == [422, 422, 422, 429]
    root = root_of(other, Kind.UPDATE)
    assert stage.put(other, f"{root.hex()}.update", seat=1, root=root).status_code == 201


def test_visitor__that_asks_without_end__is_told_to_wait(stage):
    stage.host.reads.burst = 3
    stage.host.reads.per_second = 0
    codes = [requests.get(f"{stage.url}/treaty.json", timeout=5).status_code for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2


def test_rates__fill_up_again__and_forget_the_oldest_visitor():
    now = [0.0]
    rates, who = Rates(1, 2, clock=lambda: now[0]), "198.51.100.7"
    assert [rates.allows(who) for _ in range(3)] == [True, True, False] and rates.allows("198.51.100.8")
    now[0] = 1.0
    assert rates.allows(who) and not rates.allows(who)
    assert not any(who.encode() in key for key in rates._buckets)  # a visitor's address is not kept
    for other in range(limits.MAX_KEYS):
        rates.allows(str(other))
    assert len(rates._buckets) == limits.MAX_KEYS and rates.allows(who)


def test_rates__count_whoever_has_a_whole_network_of_addresses_once():
    rates = Rates(0, 2)
    assert [rates.allows(f"2001:db8:1:2::{i:x}") for i in range(3)] == [True, True, False]
    assert rates.allows("2001:db8:1:3::1") and rates.allows("::ffff:198.51.100.7") and rates.allows("198.51.100.7")
    assert not rates.allows("198.51.100.7") and rates.allows("198.51.100.8")


def test_token__travels_in_a_header__and_opens_writing_and_invitation(stage):
    revealed(stage).host.token = "secret"
    stage.host.invitation = b"{}"
    assert stage.put().status_code == 401
    assert requests.get(f"{stage.url}/invite.json?token=secret", timeout=5).status_code == 401
    shown = requests.get(f"{stage.url}/invite.json", headers={"Authorization": "Bearer secret"}, timeout=5)
    assert shown.status_code == 200 and shown.json() == {}


def test_slow_sender__is_cut_off(stage, monkeypatch):
    monkeypatch.setattr("fl.tools.host.server.PATIENCE", 0.3)
    revealed(stage)
    host, port = stage.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=5)) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in stage.headers().items())
        line.sendall(f"PUT /{NAME} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(UPDATE)}\r\n{head}\r\n".encode() + UPDATE[:5])
        assert b"408" in line.recv(100)
    until(lambda: list(stage.host.store.path.iterdir()) == [])
    assert stage.put().status_code == 201  # and the seat may try again


def test_host__that_was_killed_during_uploads__removes_them_when_it_starts_again(stage):
    store = stage.host.store.path
    for name, age in ((".upload-old", 4000), (".upload-new", 10)):
        (store / name).write_bytes(b"half")
        os.utime(store / name, (time.time() - age,) * 2)
    stage.host.note_cids()
    assert [path.name for path in store.iterdir()] == [".upload-new"]  # perhaps of another host with the same folder


# ---- a daemon's store that uses it


def test_store__gives_its_file_once_the_host_may_take_it(stage, tmp_path):
    stage.commits()
    stage.look()
    own, hosted = LocalStore(tmp_path / "own"), HostStore(stage.url)
    both = Stores([own, hosted])
    assert not both.owes(ROOT, Kind.UPDATE)  # nobody is named yet, and it is only read
    both.write_as(stage.writer())
    assert both.owes(ROOT, Kind.UPDATE)
    began = time.monotonic()
    both.put(UPDATE, Kind.UPDATE)
    assert time.monotonic() - began < 0.5 and not both.owes(ROOT, Kind.UPDATE) and hosted.waiting == 1
    time.sleep(1)
    assert list(stage.host.store.path.iterdir()) == []
    stage.system.skip()
    stage.reveals()
    stage.look()
    until(lambda: hosted.waiting == 0)
    assert LocalStore(stage.host.store.path).get(ROOT, Kind.UPDATE, 0) == UPDATE


def test_store__whose_host_is_dead__delays_nothing__and_gives_the_file_when_it_is_back(stage, tmp_path):
    revealed(stage)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    told: list[str] = []
    store = Stores([LocalStore(tmp_path / "own"), HostStore(f"http://127.0.0.1:{port}", 0.3)], warn=told.append)
    store.write_as(stage.writer(told=told))
    began = time.monotonic()
    store.put(UPDATE, Kind.UPDATE)
    assert store.get(ROOT, Kind.UPDATE, 0) == UPDATE and time.monotonic() - began < 0.5
    until(lambda: any("cannot be reached" in line for line in told))
    again = WebServer(application(stage.host), Address(port=port))
    stage.host.urls = (again.url,)
    again.start()
    until(lambda: (stage.host.store.path / NAME).is_file(), 20)
    again.stop()


def test_store__at_a_plain_web_server__is_only_read(stage, tmp_path):
    class Plain(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Plain) as plain:
        threading.Thread(target=plain.serve_forever, args=(0.02,), daemon=True).start()
        told: list[str] = []
        store = HostStore(f"http://127.0.0.1:{plain.server_port}")
        store.write_as(stage.writer(told=told))
        store.put(UPDATE, Kind.UPDATE)
        until(lambda: not store.writable)
        assert "is no host, so it is only read" in told[0]
        plain.shutdown()


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_file__that_somebody_put_into_a_shared_folder_in_place_of_one__is_not_served(stage, tmp_path, what):
    secret, path = tmp_path / "key.json", stage.host.store.path / NAME
    secret.write_text("secret")
    {"link": lambda: path.symlink_to(secret), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[what]()
    stage.host.note_cids()  # as at a start, which a pipe must not hold up
    for method in (requests.get, requests.head):
        assert method(f"{stage.url}/{NAME}", timeout=5).status_code == 404
    assert stage.host.names == {}


def test_host__that_lies_about_a_file__is_passed_over(stage, tmp_path):
    (stage.host.store.path / NAME).write_bytes(bytes(len(UPDATE)))
    other = LocalStore(tmp_path / "other")
    other.put(UPDATE, Kind.UPDATE)
    assert Stores([HostStore(stage.url), other]).get(ROOT, Kind.UPDATE, 0) == UPDATE


# ---- where it listens


@pytest.mark.parametrize(
    "given, message",
    [
        ({"host": "0.0.0.0"}, "would serve strangers without encryption"),
        ({"certificate": "cert.pem"}, "HTTPS needs both"),
        ({"port": 99999}, "cannot be served on"),
    ],
)
def test_address__that_cannot_be_served_safely__is_refused(stage, given, message):
    with pytest.raises(TreatyError, match=message):
        WebServer(application(stage.host), Address(**given))

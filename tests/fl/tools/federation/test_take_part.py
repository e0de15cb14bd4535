"""Taking part: what an invitation may make a stranger's machine do before anybody accepts it, and keys that are whole."""

import itertools
import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.in_process import InProcessChain, reader_of
from support.keys import key_of
from support.manifests import manifest
from support.system import System, owner

from fl.errors import TreatyError
from fl.network import ape_accounts
from fl.network.rpc import Rpc
from fl.network.stores import public_http
from fl.tools.federation import take_part
from fl.tools.federation.invitation import Invitation, Place
from fl.tools.federation.take_part import Guest, Visit
from fl.tools.federation.without_ether import loss_words

SPONSOR = key_of(0)


@contextmanager
def listening():
    """A server on this machine, as people have them, and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://localhost:{server.server_port}", asked
        server.shutdown()


def invited(tmp_path, hint: str, rpc: tuple[str, ...] = (), expires: int | None = None, chain_id: int = 1337) -> Guest:
    plain = Invitation(
        chain_id=chain_id,
        federation="0x" + "1" * 40,
        sponsor=SPONSOR.address,
        manifest=manifest().to_json(),
        hosts=(Place("https://host.example", "the sponsor"),),
        rpc=(hint,),
        expires=expires or int(time.time()) + 1000,
    )
    plain.signed(SPONSOR.sign_typed).write(tmp_path / "invite.json")
    return Guest(str(tmp_path / "invite.json"), tmp_path / "mine.csv", tmp_path / "taking-part", rpc=rpc)


def test_hint__cannot_press_a_button_on_a_machine_in_the_participant_s_network(tmp_path):
    with listening() as (place, asked):
        with pytest.raises(TreatyError, match=r"names a node inside your own network.*/api/v0/shutdown.*give --rpc"):
            Visit(invited(tmp_path, f"{place}/api/v0/shutdown"), lambda _: None, print)
        assert asked == []
        for hint, own in ((place, ()), (f"{place}/x", (f"{place}/mine",))):  # a local chain's node is asked, and one's own
            with pytest.raises(TreatyError, match="HTTP status 404"):
                Visit(invited(tmp_path, hint, own), lambda _: None, print)
        assert set(asked) == {"/", "/mine"}


def test_accepting__where_money_is_at_stake__wants_a_node_of_one_s_own_choice(tmp_path, monkeypatch):
    class Seen(Visit):
        def __init__(self, guest, network, tell):
            self.guest, self.urls, self.invitation = guest, ["https://hint.example"], Invitation.read(guest.invite)

        def show(self):
            pass

        def prepare_store(self):
            raise AssertionError("went on")

    monkeypatch.setattr(take_part, "Visit", Seen)
    (tmp_path / "mine.csv").write_text("x")
    for chain_id, rpc, match in (
        (1, (), "whose word.*--rpc URL.*https://hint.example.*Nothing was signed"),
        (1337, (), "went on"),
    ):
        guest = replace(invited(tmp_path, "https://hint.example", rpc, chain_id=chain_id), accept=True)
        with pytest.raises((TreatyError, AssertionError), match=match):
            take_part.take_part(guest, lambda _: None, print)
    with pytest.raises(AssertionError, match="went on"):
        own = invited(tmp_path, "https://hint.example", ("https://hint.example",), chain_id=1)
        take_part.take_part(replace(own, accept=True), lambda _: None, print)


@pytest.fixture
def names(monkeypatch):
    """Where names lead, which may change; addresses lead to themselves."""
    leads: dict[str, str] = {}

    def resolve(host, port, *_, **__):
        if not (address := leads.get(host, host if host[-1].isdigit() else "")):
            raise socket.gaierror(f"{host} is not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))]

    monkeypatch.setattr(public_http, "_strangers", set())
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return leads


@pytest.mark.parametrize("chain_id, name", [(1337, "node.example"), (1, "node.example"), (1, "localhost")])
def test_hint__whose_name_leads_inside__is_not_asked(tmp_path, names, chain_id, name):
    """A name that looks public may lead anywhere; on a chain of value nothing near is asked."""
    names |= {name: "127.0.0.1", "localhost": "127.0.0.1"}
    with listening() as (place, asked):
        guest = invited(tmp_path, place.replace("localhost", name), chain_id=chain_id)
        with pytest.raises(TreatyError, match=f"a node inside your own network.*{name}"):
            Visit(guest, lambda _: None, print)
        assert asked == []


def test_hint__whose_name_leads_inside_at_a_later_look__is_not_reached_by_any_library(tmp_path, names):
    names["node.example"] = "8.8.8.8"
    with listening() as (place, asked):
        port = int(place.rpartition(":")[2])
        visit = object.__new__(Visit)
        visit.guest = invited(tmp_path, f"http://node.example:{port}", chain_id=1)
        visit.invitation, visit.urls = Invitation.read(visit.guest.invite), [f"http://node.example:{port}"]
        visit.hints = []
        visit._check_hints()
        assert visit.hints == visit.urls  # which later commands in the folder check again
        names |= {"node.example": "127.0.0.1", "mine.example": "127.0.0.1"}
        for reach in (lambda: socket.create_connection(("node.example", port)), lambda: Rpc(visit.urls)("eth_chainId")):
            with pytest.raises((OSError, TreatyError), match=r"leads to 127\.0\.0\.1, which is not a public address"):
                reach()
        assert asked == []
        socket.create_connection(("mine.example", port)).close()  # other names lead where they lead


NEAR, PATH = Place("http://10.0.0.7:8019", "a friend"), Place("http://10.0.0.7/api/shutdown", "a friend")
REBOUND, FAR = Place("https://host.example", "the sponsor"), Place("https://far.example", "a university")


def meeting(tmp_path, chain_id: int, *hosts: Place, mine: list[int], known: tuple[str, ...] = ()) -> Visit:
    visit = object.__new__(Visit)
    visit.guest = Guest("", tmp_path, tmp_path, hosts=known)
    visit.invitation = Invitation(chain_id, "0x" + "1" * 40, SPONSOR.address, {}, hosts=hosts)
    visit.mine, visit.tell, visit.hints = mine, print, []
    return visit


def test_host__that_leads_inside__is_refused_at_first_and_left_out_later(tmp_path, names, capsys):
    names |= {"host.example": "192.168.0.1", "far.example": "8.8.8.8"}
    for chain_id, place in ((1, NEAR), (1, REBOUND), (1337, REBOUND), (1337, PATH)):
        with pytest.raises(TreatyError, match=f"inside your own network .*give --host {place.url}; nothing was sent"):
            meeting(tmp_path, chain_id, place, FAR, mine=[])._reached_hosts()
        assert meeting(tmp_path, chain_id, place, FAR, mine=[3])._reached_hosts() == [FAR.url]
        assert "the daemon goes on without it" in capsys.readouterr().out
        reached = meeting(tmp_path, chain_id, place, FAR, mine=[], known=(place.url,))._reached_hosts()
        assert reached == [place.url, FAR.url]
    assert meeting(tmp_path, 1337, NEAR, mine=[])._reached_hosts() == [NEAR.url]
    unknown = Place("https://down.example", "a hospital")
    assert meeting(tmp_path, 1, unknown, mine=[])._reached_hosts() == [unknown.url]  # it may be known later


def test_what_is_shown__is_not_hidden_by_a_manifest_s_word(monkeypatch):
    """A terminal told to conceal, clear or turn around what follows would not show the worst loss."""
    system = System.create(InProcessChain())
    reader, told = reader_of(system), []
    visit = object.__new__(Visit)
    visit.guest, visit.reader, visit.urls = Guest("", Path(), Path()), reader, ["https://node.example"]
    visit.hosts = []
    visit.invitation = Invitation(
        reader.chain_id, reader.address, SPONSOR.address, manifest(metric="AUC\x1b[8m\u202e").to_json(), hosts=()
    )
    visit.tell = told.append
    visit.show()
    assert any("worst loss" in line for line in told) and all(line.isprintable() for line in told)


@pytest.mark.parametrize("file", [1, 2, 3])
def test_keys__of_a_machine_that_stopped_half_way__are_made_whole_the_next_time(tmp_path, monkeypatch, file):
    visit = object.__new__(Visit)
    visit.guest, visit.tell = Guest("", tmp_path, tmp_path / "taking-part"), print
    monkeypatch.setattr(ape_accounts, "new_keystore", lambda passphrase: f"of {passphrase}")
    opened = itertools.count(1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", lambda *given: open(*given) if next(opened) != file else pytest.fail("it stops here"))
        with pytest.raises(pytest.fail.Exception):
            visit.make_keys()
    visit.make_keys()
    words = visit.guest.passphrase.read_text()
    assert len(words) == 32 and {path.name for path in visit.guest.keys.iterdir()} == {
        "passphrase",
        "owner.json",
        "operator.json",
    }
    assert all((visit.guest.keys / f"{name}.json").read_text() == f"of {words}" for name in ("owner", "operator"))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in visit.guest.keys.iterdir())


# ---- taking part without ether


def poor(words: str | None, *hosts: Place) -> Visit:
    system = System.create(InProcessChain())
    visit = object.__new__(Visit)
    visit.guest, visit.reader = Guest("", Path(), Path(), accept_loss=words), reader_of(system)
    visit.invitation = Invitation(1337, visit.reader.address, SPONSOR.address, manifest().to_json(), hosts=hosts)
    return visit


HERE, THERE = Place("https://a.example", "the sponsor"), Place("https://b.example", "a university")
SAME_OWNER, SAME_MACHINE = Place("https://b.example", "the sponsor"), Place("https://a.example:8443", "a university")


def test_loss__is_accepted_only_in_its_own_words__and_with_two_hosts_of_different_owners():
    words = loss_words(poor(None).reader)
    assert words == "I may lose 10 TTT a round if my hosts fail"
    assert not poor(None, HERE, THERE)._hosts_stand_in()
    assert poor(words, HERE, THERE)._hosts_stand_in()
    with pytest.raises(TreatyError, match="wants exactly these words: 'I may lose 10 TTT a round"):
        poor("yes", HERE, THERE)._hosts_stand_in()
    for hosts, shown in (((HERE, THERE), True), ((HERE, SAME_OWNER), False)):
        visit, told = poor(None, *hosts), list[str]()
        visit.tell, visit.urls, visit.hosts = told.append, ["https://node.example"], []
        visit.show()
        assert any(f"--accept-loss {words!r}" in line for line in told) is shown
    for hosts in ((HERE,), (HERE, SAME_OWNER), (HERE, SAME_MACHINE), ()):
        with pytest.raises(TreatyError, match=r"needs two hosts of different owners, .*: send"):
            poor(words, *hosts)._hosts_stand_in()


def test_keys__whose_passphrase_is_gone__are_not_given_another(tmp_path, monkeypatch):
    visit = object.__new__(Visit)
    visit.guest, visit.tell = Guest("", tmp_path, tmp_path / "taking-part"), print
    monkeypatch.setattr(ape_accounts, "new_keystore", lambda passphrase: f"of {passphrase}")
    visit.make_keys()
    visit.guest.passphrase.unlink()
    with pytest.raises(TreatyError, match="holds the owner and operator key, and no passphrase: put the file passphrase back"):
        visit.make_keys()
    assert not visit.guest.passphrase.exists()


def test_invitation__that_expired__asks_nobody(tmp_path):
    with listening() as (place, asked):
        guest = invited(tmp_path, place, expires=1_000_000_000)
        with pytest.raises(TreatyError, match="the invitation expired on 2001-09-09"):
            Visit(guest, lambda _: None, print)
        assert asked == []


def test_seat__that_a_killed_call_took__is_neither_paid_for_nor_taken_again(monkeypatch):
    """It was not there when this call looked, and is now."""
    system = System.create(InProcessChain()).join(1)
    visit, told = object.__new__(Visit), list[str]()
    visit.guest, visit.reader, visit.tell, visit.mine = Guest("", Path(), Path()), reader_of(system), told.append, []
    visit.rpc, visit.local = visit.reader.rpc, False
    visit.invitation = Invitation(1, visit.reader.address, SPONSOR.address, {}, hosts=())
    monkeypatch.setattr(visit, "_needs", lambda: {"owner": 10**30, "operator": 10**30})
    monkeypatch.setattr(take_part, "join", lambda *_, **__: pytest.fail("it takes another seat"))
    visit.wait_for_money(owner(0), owner(0), sleep=lambda _: pytest.fail("it asks for the stake again"))
    assert visit.seat(owner(0), system.seat(0).operator) == 0 and told == []

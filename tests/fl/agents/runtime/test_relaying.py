"""Seats whose commitments and reveals a relay sends: they pay no gas while it works, and lose nothing if it does not.

A host's relay collects and sends, on federations of real agents."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.in_process import InProcessFederation, reader_of
from support.keys import Key
from support.system import System

from fl.agents.record.view import View
from fl.agents.runtime.actions import Call, Wait
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.journal import Identity, Journal
from fl.agents.runtime.relaying import Relaying, SignedOnce
from fl.errors import ChainError, StoreError
from fl.log import Log
from fl.network.transactions import TransactionJournal
from fl.protocol.relayed import Act
from fl.tools.host.ledger import Ledger
from fl.tools.host.metrics import Metrics
from fl.tools.host.purse import Purse
from fl.tools.host.relay import Relay

ETHER = 10**18
RELAYED = (0, 1, 2)
PAYER = Key(0x9A1D)


class Server:
    """A host's relay as an agent of a lockstep: a role that acts by itself. awake: whether it sends."""

    def __init__(self, folder: Path, awake: bool = True):
        self.folder, self.awake = folder, awake
        self.acts: list[Act] = []
        self.relay: Relay | None = None

    def begin(self, system: System) -> None:
        journal, log = TransactionJournal(self.folder / "transactions"), Log(io.StringIO())
        purse = Purse(self.folder / "payments.jsonl", ETHER)
        self.relay = Relay(Ledger(reader_of(system)), PAYER, journal, purse, Metrics(), log)

    def give(self, act: Act, late: bool = False) -> None:
        self.acts.append(act)
        self.relay.ledger.look()
        status, text = self.relay.offer(act.to_json())
        assert status in (200, 202), text

    def decide(self, view: View) -> list:
        if self.awake:
            self.send()
        return [Wait(view.time + 10)] if self.awake and self.relay._pending else []

    def send(self) -> None:
        self.relay.ledger.look()
        self.relay.step()

    @property
    def sent(self) -> Counter[str]:
        """Transactions by function."""
        return Counter(transaction.function for transaction in self.relay.sender.transactions.all())


def relayed(folder: Path, server: Server, rounds: int = 2, **terms: object) -> InProcessFederation:
    """Four honest seats. The first three have the relay and do nothing but train, score and report; the last proposes."""
    federation = InProcessFederation(folder, honest=4, rounds=rounds, **terms)
    *seats, house = sorted(federation.agents, key=lambda agent: agent.name == "house")
    agents = [replace(a, roles=(*a.roles[:2], *a.roles[3:]), relay=server) if a.seat in RELAYED else a for a in seats]
    server.begin(federation.system)
    federation.play([*agents, Agent("server", PAYER, (server,), server.folder, federation.store), house])
    return federation


def nonces(federation: InProcessFederation) -> list[int]:
    """How many transactions each relayed seat's operator sent."""
    return [federation.system.evm.nonces[a.operator.address] for a in federation.agents if a.seat in RELAYED]


def test_relayed_seats__send_nothing__and_earn_as_others_do(tmp_path):
    server = Server(tmp_path / "server")
    federation = relayed(tmp_path, server)
    view = federation.run()
    assert nonces(federation) == [0, 0, 0]  # so that their keys need no ether
    assert view.facts.number == 2 and all(log.adopted for log in view.history.rounds)
    for log in view.history.rounds:
        assert sorted(log.commitments) == sorted(log.reveals) == sorted(log.accepted) == [0, 1, 2, 3]
        assert sorted(log.scores) == sorted(log.committee)
    assert set(server.sent) == {"commitMany", "commitScoresMany", "revealMany", "revealScoresMany"}
    assert server.sent["commitMany"] == server.sent["revealMany"] == 2  # one for all three, each round
    assert not [event for event in federation.events() if event.name == "Slashed"]
    federation.audit()


def test_relay_that_sleeps__is_passed_at_half_of_each_window(tmp_path):
    server = Server(tmp_path / "server", awake=False)
    federation = relayed(tmp_path, server, rounds=1)
    view = federation.run()
    (log,) = view.history.rounds
    assert sorted(log.commitments) == sorted(log.reveals) == [0, 1, 2, 3] and log.adopted
    assert not [event for event in federation.events() if event.name == "Slashed"]
    node, terms = federation.loop.node, federation.system.terms
    times = {
        (e.name, e.fields["seat"]): node.block(e.block).time for e in federation.events() if e.name in ("Committed", "Revealed")
    }
    reveals = log.opened_at + terms.commit_window
    for seat in RELAYED:
        assert times["Committed", seat] >= log.opened_at + terms.commit_window // 2
        assert times["Revealed", seat] >= reveals + terms.reveal_window // 2
    assert times["Committed", 3] < log.opened_at + terms.commit_window // 2  # it has no relay
    server.send()  # it wakes up, and has nothing left to do
    assert not server.sent


def test_relayed_reports_of_a_hidden_update__cost_their_seats_nothing__and_leave_it_out(tmp_path):
    server = Server(tmp_path / "server")
    federation = relayed(tmp_path, server, 1, task="heart", kinds=["hides_accepted"])
    (log,) = federation.run().history.rounds
    assert nonces(federation) == [0, 0, 0] and server.sent["reportMissingMany"] == 1
    assert log.excluded == [4] and len(set(log.reporters(4)) & set(RELAYED)) >= 2 and log.adopted
    assert [seats for seats in ledger_of(server) if seats == tuple(seat for seat in log.reporters(4) if seat in RELAYED)]
    federation.audit()


def ledger_of(server: Server) -> list[tuple[int, ...]]:
    """The seats of each batch of reports that the host paid for."""
    lines = map(json.loads, server.relay.purse.path.read_text().splitlines())
    return [tuple(sorted(line["seats"])) for line in lines if line["kind"] == "reportMissing"]


def test_relay_that_sleeps_in_show__is_passed_at_three_quarters(tmp_path):
    server = Server(tmp_path / "server", awake=False)
    federation = relayed(tmp_path, server, 1, task="heart", kinds=["hides_accepted"])
    (log,) = federation.run().history.rounds
    assert log.excluded == [4] and log.adopted
    node, terms = federation.loop.node, federation.system.terms
    reports = {e.fields["seat"]: node.block(e.block).time for e in federation.events() if e.name == "MissingReported"}
    (settled,) = (node.block(e.block).time for e in federation.events() if e.name == "Settled")
    assert settled + terms.show_window // 2 <= reports.pop(3) < settled + 3 * terms.show_window // 4  # it has no relay
    assert reports and all(time >= settled + 3 * terms.show_window // 4 for time in reports.values())
    assert len({act for act in server.acts if act.kind == "reportMissing"}) == len(RELAYED)  # signed once each
    assert not [event for event in federation.events() if event.name == "Slashed"]


class Deaf:
    """Takes nothing, so often as it is asked."""

    asked = 0

    def give(self, act: Act, late: bool = False) -> None:
        self.asked += 1
        raise ChainError("the relay is full")


def test_relay_that_takes_nothing__is_trouble__and_passed_at_half(tmp_path):
    federation = relayed(tmp_path, Server(tmp_path / "server"), rounds=1)
    deaf, troubles = Deaf(), []
    for player in federation.loop.players:
        if player.executor.relaying:
            player.executor.relaying.relay = deaf
            player.executor.trouble = troubles.append
    view = federation.run()
    assert sorted(view.history.rounds[0].reveals) == [0, 1, 2, 3]
    assert deaf.asked >= len(troubles) > 3
    assert "the relay does not have commit, which is sent directly later: the relay is full" in str(troubles[0])
    assert not [event for event in federation.events() if event.name == "Slashed"]


def test_seat_that_lost_its_update__signs_no_second_value__and_replaces_the_first_by_itself(tmp_path):
    server = Server(tmp_path / "server", awake=False)
    federation = relayed(tmp_path, server, rounds=1)
    lost = {}

    def watch(view: View) -> None:
        if not lost and server.acts:
            victim = lost["first"] = server.acts[0]
            for name in ("update", "salt", "locator"):
                (federation.folder / str(victim.seat) / f"1.{name}").unlink()

    federation.loop.watch = watch
    view = federation.run()
    first, log = lost["first"], view.history.rounds[0]
    assert log.commitments[first.seat] != first.parts[0]
    commits = {act for act in server.acts if act.kind == "commit"}
    assert len(commits) == 3 and [act for act in commits if act.seat == first.seat] == [first]
    assert first.seat in log.reveals and not [event for event in federation.events() if event.name == "Slashed"]


# ---- what was signed


VALUE, OTHER = b"\xaa" * 32, b"\xbb" * 32
COMMIT = "commit", (7, 1, VALUE), 7


def once(folder: Path, key: Key | None = None) -> SignedOnce:
    folder.mkdir(exist_ok=True)
    return SignedOnce(folder, key or Key(5), 31337, "0x" + "ab" * 20)


def test_signed_once__after_a_restart_it_is_the_same_signature__and_no_other_value(tmp_path):
    first = once(tmp_path).act(*COMMIT)
    assert once(tmp_path).act(*COMMIT) == first
    other = "commit", (7, 1, OTHER), 7
    assert once(tmp_path).act(*other) is None and once(tmp_path, Key(6)).act(*other) is None
    assert once(tmp_path).act(*COMMIT) == first  # the rejected act left it as it was
    assert once(tmp_path).act("commit", (7, 2, VALUE), 7) is None
    for function, number in (("commit", 8), ("commitScores", 7)):
        free = once(tmp_path).act(function, (number, 1, OTHER), number)
        assert (free.kind, free.round, free.parts[0]) == (function, number, OTHER)


def test_signed_once__is_on_disk_before_anybody_sees_it(tmp_path, monkeypatch):
    given = []

    class Relay:
        def give(self, act, late):
            given.append((sorted(path.name for path in tmp_path.iterdir()), late))

    monkeypatch.setattr("fl.agents.runtime.relaying.write_durably", lambda *a, **k: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        once(tmp_path).act(*COMMIT)
    monkeypatch.undo()
    relaying = Relaying(Relay(), once(tmp_path))
    call = Call("commit", (7, 1, VALUE), relay_until=10)
    view = SimpleNamespace(time=2, facts=SimpleNamespace(number=7))
    assert relaying.offers(call, view)
    for view.time in (5, 6):
        assert relaying.offers(call, view)  # offered as often as it is asked for, and to all hosts when it is late
    assert given == [(["7.Commit.signature"], late) for late in (False, False, True)]


DAMAGE = [b"", b"{", b"[]", b'{"seat": 1}', b'{"seat": 1, "value": "zz", "signature": ""}', b"\xff"]


@pytest.mark.parametrize("damage", [*DAMAGE, "another round", "another signature"])
def test_signed_once__on_a_damaged_file__signs_nothing(tmp_path, damage):
    path = tmp_path / "7.Commit.signature"
    facts = once(tmp_path).act(*COMMIT).to_json()
    others = {"another round": facts | {"round": 8}, "another signature": facts | {"signature": "ff" * 65}}
    path.write_bytes(json.dumps(others[damage]).encode() if damage in others else damage)
    with pytest.raises(StoreError, match="nothing is signed on a guess"):
        once(tmp_path).act(*COMMIT)


def test_signed_once__is_forgotten_with_its_round(tmp_path):
    journal = Journal(tmp_path / "j", Identity(1, "0x", "0x" + "cd" * 20, 1))
    for number in (7, 40):
        for function in ("commit", "commitScores"):
            once(journal.folder).act(function, (number, 1, VALUE), number)
    journal.prune(40)
    assert sorted(p.name for p in journal.folder.glob("*.signature")) == ["40.Commit.signature", "40.CommitScores.signature"]
    journal.close()

"""Seats whose commitments and reveals a relay sends: they pay no gas while it works, and lose nothing if it does not.

The server that collects and sends is played here, with the functions of fl/network/relays.py, on federations of real agents."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from support.in_process import InProcessFederation
from support.keys import Key

from fl.agents.record.view import View
from fl.agents.runtime.agent import Agent
from fl.agents.runtime.journal import Identity, Journal
from fl.agents.runtime.relaying import Relaying, SignedOnce
from fl.errors import ChainError, StoreError
from fl.log import Log
from fl.network import relays
from fl.network.relays import Commitment, SignedCommitment
from fl.network.rpc import NodeRefused
from fl.network.sender import Fees, Sender
from fl.network.transactions import TransactionJournal
from fl.protocol.signatures import ActKind, Signature

RELAYED = (0, 1, 2)
PAYER = Key(0x9A1D)
COMMIT = Commitment(ActKind.COMMIT, 7, 1, b"\xaa" * 32)


class Server:
    """Takes acts, and sends them as an agent of a lockstep: a role that acts by itself. awake: whether it sends."""

    def __init__(self, folder: Path, awake: bool = True):
        self.folder, self.awake = folder, awake
        self.acts: list[relays.Relayed] = []
        self.sent: dict[str, int] = {}  # transactions by function
        self.federation: InProcessFederation | None = None

    def give(self, act: relays.Relayed) -> None:
        self.acts.append(act)

    def decide(self, view: View) -> list:
        if self.awake:
            self.send(view)
        return []

    def send(self, view: View) -> None:
        node = self.federation.loop.node
        journal = TransactionJournal(self.folder / "transactions")
        sender = Sender(node.rpc, PAYER, node.chain_id, journal, Fees(), Log(io.StringIO()), node.refusal)
        for batch in relays.batches(self.acts, view.terms.max_seats):
            try:
                transaction = relays.send(node, sender, batch, node.head())
            except NodeRefused:  # not its phase
                continue
            if transaction is not None:
                self.sent[batch.function] = self.sent.get(batch.function, 0) + 1


def relayed(folder: Path, server: Server, rounds: int = 2, **terms: object) -> InProcessFederation:
    """Four honest seats. The first three have the relay and do nothing but train and score; the last proposes."""
    federation = InProcessFederation(folder, honest=4, rounds=rounds, **terms)
    *seats, house = sorted(federation.agents, key=lambda agent: agent.name == "house")
    agents = [replace(a, roles=a.roles[:2], relay=server) if a.seat in RELAYED else a for a in seats]
    server.federation = federation
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
    server.send(view)  # it wakes up, and has nothing left to do
    assert server.sent == {}


class Deaf:
    """Takes nothing, so often as it is asked."""

    asked = 0

    def give(self, act: relays.Relayed) -> None:
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
        given = [act for act in server.acts if isinstance(act, SignedCommitment)]
        if not lost and given:
            victim = given[0].commitment
            for name in ("update", "salt", "locator"):
                (federation.folder / str(victim.seat) / f"1.{name}").unlink()
            lost["first"] = victim

    federation.loop.watch = watch
    view = federation.run()
    first, log = lost["first"], view.history.rounds[0]
    assert log.commitments[first.seat] != first.value
    assert [a.commitment for a in server.acts if isinstance(a, SignedCommitment) and a.commitment.seat == first.seat][:1] == [
        first
    ]
    assert (
        len({a.commitment for a in server.acts if isinstance(a, SignedCommitment) and a.commitment.kind is ActKind.COMMIT}) == 3
    )
    assert first.seat in log.reveals and not [event for event in federation.events() if event.name == "Slashed"]


# ---- what was signed


def once(folder: Path, key: Key | None = None) -> SignedOnce:
    folder.mkdir(exist_ok=True)
    return SignedOnce(folder, key or Key(5), 31337, "0x" + "ab" * 20)


def test_signed_once__after_a_restart_it_is_the_same_signature__and_no_other_value(tmp_path):
    first = once(tmp_path).sign(COMMIT)
    assert once(tmp_path).sign(COMMIT) == first
    other = replace(COMMIT, value=b"\xbb" * 32)
    assert once(tmp_path).sign(other) is None and once(tmp_path, Key(6)).sign(other) is None
    assert once(tmp_path).sign(COMMIT) == first  # the refusal left it as it was
    assert once(tmp_path).sign(replace(COMMIT, seat=2)) is None
    for free in (replace(other, round=8), replace(other, kind=ActKind.COMMIT_SCORES)):
        assert once(tmp_path).sign(free).commitment == free


def test_signed_once__is_on_disk_before_anybody_sees_it(tmp_path, monkeypatch):
    given = []

    class Relay:
        def give(self, act):
            given.append(sorted(path.name for path in tmp_path.iterdir()))

    monkeypatch.setattr("fl.agents.runtime.relaying.write_durably", lambda *a, **k: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        once(tmp_path).sign(COMMIT)
    monkeypatch.undo()
    relaying = Relaying(Relay(), once(tmp_path))
    call, view = type("Call", (), {"relay": COMMIT, "relay_until": 10}), type("View", (), {"time": 9})
    assert relaying.takes(call, view) and relaying.takes(call, view)
    assert given == [["7.Commit.signature"]]  # given once
    view.time = 10
    assert not relaying.takes(call, view)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"seat": 1}', b'{"seat": 1, "value": "zz", "signature": ""}', b"\xff"])
def test_signed_once__on_a_damaged_file__signs_nothing(tmp_path, damage):
    once(tmp_path).sign(COMMIT)
    (tmp_path / "7.Commit.signature").write_bytes(damage)
    with pytest.raises(StoreError, match="nothing is signed on a guess"):
        once(tmp_path).sign(COMMIT)


def test_signed_once__is_forgotten_with_its_round(tmp_path):
    journal = Journal(tmp_path / "j", Identity(1, "0x", "0x" + "cd" * 20, 1))
    for number in (7, 40):
        for kind in ActKind:
            once(journal.folder).sign(replace(COMMIT, round=number, kind=kind))
    journal.prune(40)
    assert sorted(p.name for p in journal.folder.glob("*.signature")) == ["40.Commit.signature", "40.CommitScores.signature"]
    journal.close()


# ---- batches


def test_batches__are_by_kind_and_round__one_entry_a_seat__no_longer_than_allowed():
    signature = Signature(bytes(32), bytes(32))
    acts = [SignedCommitment(replace(COMMIT, seat=seat, round=number), signature) for number in (7, 8) for seat in range(5)]
    acts += [acts[0], SignedCommitment(replace(COMMIT, value=bytes(32)), signature)]  # of one seat again
    acts += [SignedCommitment(replace(COMMIT, kind=ActKind.COMMIT_SCORES), signature)]
    acts += [relays.Opening(7, 3, bytes(32), bytes(32), b""), relays.ScoreOpening(7, 3, b"\x01", bytes(32))]
    made = relays.batches(acts, 3)
    shape = [(b.function, b.round, [entry[0] for entry in b.entries]) for b in made]
    assert shape == [
        ("commitMany", 7, [0, 1, 2]),
        ("commitMany", 7, [3, 4]),
        ("commitMany", 8, [0, 1, 2]),
        ("commitMany", 8, [3, 4]),
        ("commitScoresMany", 7, [1]),
        ("revealMany", 7, [3]),
        ("revealScoresMany", 7, [3]),
    ]
    assert made[0].entries[1][1] == COMMIT.value  # the first that came
    assert relays.batches([], 3) == []

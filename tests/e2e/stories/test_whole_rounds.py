"""Whole federations: honest ones learn, every cheat is caught, every actor may die at any moment, the audit agrees."""

from dataclasses import replace

import pytest
from support.in_process import HOUSE, InProcessFederation
from support.system import SPONSOR, owner

from fl.agents.record.view import View
from fl.agents.roles.participant import Participant
from fl.agents.runtime.agent import Agent
from fl.errors import AuditError
from fl.network.stores.files import write_durably
from fl.protocol.artifact import Kind, parse_model
from fl.protocol.fixed_point import to_float
from fl.protocol.phases import Phase


def leave_all(federation: InProcessFederation) -> None:
    """Everybody withdraws, and nothing is left but what others may still take out."""
    s = federation.system
    s.evm.warp(s.evm.time + 10**7)
    for seat in range(len(federation.agents) - 1):
        s.do("exit", seat, by=owner(seat))
        s.do("withdraw", seat, owner(seat), by=owner(seat))
    s.do("conclude", by=SPONSOR)
    s.do("refund")
    for account in (SPONSOR, HOUSE.address):
        if s.see("credits", account):
            s.do("claimCredit", account, by=account)
    if s.accounting()["slashed"]:
        s.do("sweep")
    assert s.held() == 0


def test_linear__finds_two_and_zero(tmp_path):
    federation = InProcessFederation(tmp_path, honest=3, rounds=40)
    federation.run()
    root = federation.system.see("model")
    w, b = to_float(parse_model(federation.store.get(root, Kind.MODEL, 0), 0))[:2]
    assert abs(w - 2) < 0.05 and abs(b) < 0.2
    assert federation.audit().rounds == 40
    leave_all(federation)


def test_heart__learns_in_three_rounds__and_the_audit_agrees(tmp_path):
    federation = InProcessFederation(tmp_path, "heart", honest=4, rounds=3)
    start = federation.metric()
    federation.run()
    assert federation.metric() > start + 0.2
    verdict = federation.audit()
    assert (verdict.rounds, verdict.checks["models"], verdict.checks["accounting"]) == (3, 3, 8)


@pytest.mark.parametrize("kind", ["scaled_flip", "free_rider"])
def test_poisoner__is_left_out_and_unpaid_as_a_trainer(tmp_path, kind):
    federation = InProcessFederation(tmp_path, "heart", honest=4, kinds=[kind], rounds=3)
    federation.run()
    for log in federation.loop.history.rounds:
        assert 4 not in log.accepted
    federation.audit()


def test_silent_committer__is_slashed__and_the_round_goes_on(tmp_path):
    federation = InProcessFederation(tmp_path, honest=4, kinds=["no_reveal"], rounds=2)
    federation.run()
    terms = federation.system.terms
    assert federation.system.seat(4).stake == terms.min_stake + 2 * terms.fraud_slash - terms.no_reveal_slash
    assert all(log.adopted for log in federation.loop.history.rounds)
    federation.audit()
    leave_all(federation)


@pytest.mark.parametrize("kind", ["wrong_model", "withhold"])
def test_forger__falls__and_an_honest_proposal_follows(tmp_path, kind):
    federation = InProcessFederation(tmp_path, honest=4, kinds=[kind], rounds=1)
    federation.run()
    log = federation.loop.history.rounds[0]
    assert next((p.seat, p.fell) for p in log.proposals) == (4, True)
    assert log.adopted and log.proposal.seat != 4
    terms = federation.system.terms
    assert federation.system.seat(4).stake == terms.min_stake + terms.fraud_slash
    federation.audit()
    leave_all(federation)


def test_lying_validator__cannot_move_the_accepted_set__and_earns_less(tmp_path):
    federation = InProcessFederation(
        tmp_path, "heart", honest=6, kinds=["lying_validator"], rounds=4, committee=5, min_reveals=5
    )
    federation.run()
    federation.audit()  # the audit compares the committee's verdict with the gate's
    pay = {}
    for log in federation.loop.history.rounds:
        for seat, amount in zip(log.validators, log.validator_pay, strict=True):
            pay.setdefault(seat == 6, []).append(amount)
    if True in pay:
        assert max(pay[True]) < max(pay[False])


DEADLY = list(Phase)[Phase.COMMIT : Phase.FINAL]


class Mortal:
    """Any role, until it dies."""

    def __init__(self, agent: Agent, phase: Phase):
        self.agent, self.phase, self.dead = agent, phase, False

    def decide(self, view: View):
        self.dead = self.dead or view.phase == self.phase
        return [] if self.dead else [action for role in self.agent.roles for action in role.decide(view)]


@pytest.mark.parametrize("victims", [1, 2, 4], ids=["one participant", "two of four", "all participants"])
@pytest.mark.parametrize("phase", DEADLY, ids=lambda p: p.name.lower())
def test_actors_killed_at_a_phase__leave_a_round_that_ends__and_everybody_can_withdraw(tmp_path, phase, victims):
    federation = InProcessFederation(tmp_path, honest=4, rounds=1)
    housekeeping = federation.agents[-1]
    for i in range(victims):
        agent = federation.agents[i]
        federation.agents[i] = Agent(
            agent.name, agent.operator, (Mortal(agent, phase),), agent.journal, agent.store, agent.seat
        )
    federation.play([*federation.agents[:-1], housekeeping])
    federation.run()
    log = federation.loop.history.rounds[0]
    assert log.finalized
    assert log.adopted or log.voided or not log.proposals
    federation.audit()
    leave_all(federation)


@pytest.mark.parametrize("phase", DEADLY, ids=lambda p: p.name.lower())
def test_everybody_killed_at_a_phase__still_leaves_stakes_that_can_be_withdrawn(tmp_path, phase):
    federation = InProcessFederation(tmp_path, honest=4, rounds=1)
    for _ in range(200):
        view = federation.loop.look()
        if view.phase is phase:
            break
        if not federation.loop.act():
            federation.loop.wait(view)
    assert federation.system.phase is phase
    leave_all(federation)


def test_crash_after_the_journal_and_before_the_transaction__commits_to_the_same_update(tmp_path):
    federation = InProcessFederation(tmp_path, honest=4, rounds=1)
    view = federation.loop.look()
    while view.phase is Phase.IDLE:  # until the round opens
        federation.loop.act() or federation.loop.wait(view)
        view = federation.loop.look()
    participant = federation.agents[0].roles[0]
    (train,) = participant.decide(view)
    for name, data in train.run(view).items():
        write_durably(participant.journal / name, data)
    (call,) = participant.decide(view)
    again = Participant(participant.seat, participant.task, participant.shard, participant.seed, participant.journal)
    assert call.function == "commit" and again.decide(view) == [call]


def test_same_seed__same_model_roots__whoever_was_drawn(tmp_path):
    roots = []
    for run in range(2):
        federation = InProcessFederation(tmp_path / str(run), "heart", honest=4, kinds=["sign_flip"], rounds=3)
        federation.system.evm.mine(run * 13)  # other block hashes, other committees
        federation.run()
        roots.append([(log.model, tuple(log.committee)) for log in federation.loop.history.rounds])
    assert [r for r, _ in roots[0]] == [r for r, _ in roots[1]]
    assert [c for _, c in roots[0]] != [c for _, c in roots[1]]


# ---- the audit can fail


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    federation = InProcessFederation(
        tmp_path_factory.mktemp("whole"), "heart", honest=4, kinds=["scaled_flip", "wrong_model"], rounds=2
    )
    federation.run()
    federation.audit()
    return federation


def test_audit__names_a_flipped_byte_of_the_store(played):
    for path in sorted(played.store.path.iterdir()):
        if path.suffix == ".update" and bytes.fromhex(path.stem) not in {
            log.reveals[s].root for log in played.loop.history.rounds for s in log.accepted
        }:
            continue
        good = path.read_bytes()
        bad = bytearray(good)
        bad[len(bad) // 3] ^= 1
        path.write_bytes(bytes(bad))
        try:
            if path.suffix == ".model" and bytes.fromhex(path.stem) not in {log.model for log in played.loop.history.rounds} | {
                played.system.terms.genesis
            }:
                continue  # the forger's model: the audit needs no wrong file
            with pytest.raises(AuditError, match=path.stem[:16]):
                played.audit()
        finally:
            path.write_bytes(good)


TAMPER = [
    ("Revealed", "salt", lambda v: bytes(32)),
    ("Revealed", "root", lambda v: bytes(32)),
    ("Drawn", "committee", lambda v: v ^ (1 << 112)),
    ("Drawn", "committee", lambda v: v | 1),
    ("Drawn", "seed", lambda v: b"\x01" * 32),
    ("Drawn", "prevRandao", lambda v: b"\x01" * 32),
    ("Committed", "round", lambda v: v + 1),
    ("Finalized", "round", lambda v: v + 1),
    ("Proposed", "attempt", lambda v: v + 1),
    ("ScoresRevealed", "scores", lambda v: bytes([v[0] ^ 1]) + v[1:]),
    ("Settled", "paid", lambda v: v + 1),
    ("Settled", "medians", lambda v: bytes([v[0] ^ 1]) + v[1:]),
    ("Settled", "accepted", lambda v: v ^ 1),
    ("Slashed", "amount", lambda v: v + 1),
    ("RoundOpened", "pot", lambda v: v + 1),
    ("RoundOpened", "base", lambda v: bytes(32)),
    ("Finalized", "model", lambda v: bytes(32)),
    ("Joined", "stake", lambda v: v + 1),
    ("Funded", "amount", lambda v: v + 1),
]


@pytest.mark.parametrize("name, field, change", TAMPER, ids=[f"{n}.{f}" for n, f, _ in TAMPER])
def test_audit__names_a_changed_event(played, name, field, change):
    events = played.events()
    index = next(i for i, e in enumerate(events) if e.name == name)
    facts = {**events[index].fields, field: change(events[index].fields[field])}
    with pytest.raises(AuditError):
        played.audit([*events[:index], replace(events[index], fields=facts), *events[index + 1 :]])


def test_audit__says_which_left_out_update_nobody_shows(played):
    log = played.loop.history.rounds[0]
    seat = next(s for s in log.revealed if s not in log.accepted)
    path = played.store.path / f"{log.reveals[seat].root.hex()}.update"
    assert played.audit().notes == ()
    good = path.read_bytes()
    path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    try:
        (result,) = played.audit().notes
    finally:
        path.write_bytes(good)
    assert (
        result.startswith(f"round 1, seat {seat}: an update that was left out is not shown: {path.name} in ")
        and "does not hash to its name" in result
    )


@pytest.mark.parametrize("change", [lambda a, b: [b, a], lambda a, b: [a, a, b]], ids=["swapped", "twice"])
@pytest.mark.parametrize("name", ["Committed", "Revealed", "ScoresRevealed", "Settled"])
def test_audit__names_events_out_of_the_chains_order(played, name, change):
    events = played.events()
    index = next(i for i, e in enumerate(events) if e.name == name)
    with pytest.raises(AuditError, match="not in the chain's order, or recorded twice"):
        played.audit([*events[:index], *change(*events[index : index + 2]), *events[index + 2 :]])


@pytest.mark.parametrize("name", ["Revealed", "Slashed", "Closed", "Drawn", "Settled", "Finalized", "Joined"])
def test_audit__names_a_missing_event(played, name):
    events = played.events()
    index = next(i for i, e in enumerate(events) if e.name == name)
    with pytest.raises(AuditError):
        played.audit([*events[:index], *events[index + 1 :]])

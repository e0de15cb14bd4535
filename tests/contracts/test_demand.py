"""demand, answer, expire, reclaim

when a leaf is demanded       then whoever shows it earns the deposit, and if nobody does the proposal falls
when the window nears its end then no demand is taken: an answer must still be challengeable
"""

import numpy as np
import pytest
from support.evm import refused
from support.system import CHALLENGER, STRANGER, UNIT, System, address, operator, owner, random_update

from fl.protocol.artifact import Kind
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened
from fl.protocol.phases import Phase
from fl.protocol.terms import ZERO_ADDRESS


@pytest.fixture
def open_system():
    rng = np.random.default_rng(5)
    system = System.create(depth=1).join(5).fund()
    system.to_challenge({seat: random_update(rng, 1) for seat in range(5)})
    system.rich(CHALLENGER)
    yield system
    assert sum(system.accounting().values()) == system.held()


def shown(system, artifact, seat, leaf):
    data = {Artifact.PROPOSED: system.proposal, Artifact.PREVIOUS: system.model}.get(artifact) or system.updates[seat]
    opened = Opened.of(data, Kind.UPDATE if artifact == Artifact.UPDATE else Kind.MODEL)
    both = opened.show(leaf)
    return both[: opened.kind.value], both[opened.kind.value :]


@pytest.mark.parametrize("artifact, seat", [(Artifact.PROPOSED, 0), (Artifact.PREVIOUS, 0), (Artifact.UPDATE, 3)])
def test_demand__answered__pays_the_answerer(open_system, artifact, seat):
    system = open_system
    deadline = system.evm.time + system.terms.answer_window
    about = {"artifact": artifact, "seat": seat, "leaf": 1}
    events = system.do("demand", artifact, seat, 1, by=CHALLENGER)
    assert events[0] == ("Demanded", {"round": 1, "attempt": 1, "by": CHALLENGER, **about, "deadline": deadline})
    assert system.see("demandInfo", artifact, seat, 1) == (CHALLENGER, deadline)
    assert (system.round.openDemands, system.accounting()["deposits"]) == (1, UNIT)
    content, path = shown(system, artifact, seat, 1)
    events = system.do("answer", artifact, seat, 1, content, path, by=STRANGER)
    answered = {"round": 1, "attempt": 1, "by": STRANGER, **about, "content": content, "path": path}
    assert events == [("Answered", answered), ("Credited", {"account": STRANGER, "amount": UNIT})]
    assert system.see("demandInfo", artifact, seat, 1) == ("0x" + "00" * 20, 0)
    assert (system.round.openDemands, system.accounting()["deposits"], system.see("credits", STRANGER)) == (0, 0, UNIT)
    system.finish()


def test_demand__unanswered__topples_the_proposal(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    deadline = system.evm.time + system.terms.answer_window
    system.evm.warp(deadline - 1)
    with refused("AnswerPending", deadline - 1, deadline):
        system.do("expire", Artifact.PROPOSED, 0, 0)
    system.evm.warp(deadline)
    content, path = shown(system, Artifact.PROPOSED, 0, 0)
    with refused("AnswerTooLate", deadline, deadline):
        system.do("answer", Artifact.PROPOSED, 0, 0, content, path)
    events = system.do("expire", Artifact.PROPOSED, 0, 0, by=STRANGER)
    terms, about = system.terms, {"artifact": Artifact.PROPOSED, "seat": 0, "leaf": 0}
    assert events == [
        ("DepositReclaimed", {"round": 1, "attempt": 1, "by": CHALLENGER, **about}),
        ("ProposalFell", {"round": 1, "attempt": 1, "seat": 0, "by": STRANGER}),
        ("Slashed", {"seat": 0, "offence": 2, "amount": terms.fraud_slash, "stake": terms.min_stake - terms.fraud_slash}),
        ("Credited", {"account": CHALLENGER, "amount": terms.challenge_fee}),
        ("Credited", {"account": CHALLENGER, "amount": terms.demand_deposit}),
    ]
    assert system.phase is Phase.PROPOSE


def test_demand__refusals(open_system):
    system = open_system
    with refused("LeafOutOfRange", 2, 2):
        system.do("demand", Artifact.PROPOSED, 0, 2, by=CHALLENGER)
    with refused("NotAccepted", 1):
        system.do("demand", Artifact.PROPOSED, 1, 0, by=CHALLENGER)
    with refused("NotAccepted", 9):
        system.do("demand", Artifact.UPDATE, 9, 0, by=CHALLENGER)
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    with refused("DemandOpen", Artifact.PROPOSED, 0, 0):
        system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    last = system.see("phaseEnd") - 2 * system.terms.answer_window
    content, path = shown(system, Artifact.PROPOSED, 0, 0)
    system.do("answer", Artifact.PROPOSED, 0, 0, content, path)
    system.evm.warp(last - 1)
    system.do("demand", Artifact.PROPOSED, 0, 1, by=CHALLENGER)
    content, path = shown(system, Artifact.PROPOSED, 0, 1)
    system.do("answer", Artifact.PROPOSED, 0, 1, content, path)
    system.evm.warp(last)
    with refused("DemandTooLate", last, last):
        system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    system.skip()
    with refused("WrongPhase", Phase.CHALLENGE, Phase.FINAL):
        system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)


def test_answer__refusals(open_system):
    system = open_system
    content, path = shown(system, Artifact.PROPOSED, 0, 0)
    with refused("NoDemand", Artifact.PROPOSED, 0, 0):
        system.do("answer", Artifact.PROPOSED, 0, 0, content, path)
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    with refused("WrongProofLength", 1024, 1023):
        system.do("answer", Artifact.PROPOSED, 0, 0, content[:-1], path)
    with refused("WrongProofLength", 32, 64):
        system.do("answer", Artifact.PROPOSED, 0, 0, content, path * 2)
    with refused("WrongLeaf", Artifact.PROPOSED, 0):
        system.do("answer", Artifact.PROPOSED, 0, 0, content, bytes(32))
    other, path = shown(system, Artifact.PROPOSED, 0, 1)
    with refused("WrongLeaf", Artifact.PROPOSED, 0):
        system.do("answer", Artifact.PROPOSED, 0, 0, other, path)
    system.skip()
    with refused("WrongPhase", Phase.CHALLENGE, Phase.PROPOSE):
        system.do("answer", Artifact.PROPOSED, 0, 0, content, path)


def test_expire__refusals(open_system):
    system = open_system
    with refused("NoDemand", Artifact.PROPOSED, 0, 0):
        system.do("expire", Artifact.PROPOSED, 0, 0)
    system.finish()
    with refused("NoDemand", Artifact.PROPOSED, 0, 0):
        system.do("expire", Artifact.PROPOSED, 0, 0)


def test_demand__left_open_when_the_window_closes__topples_by_the_clock(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    end = system.see("phaseEnd")
    assert system.skip() is Phase.PROPOSE
    assert system.see("phaseEnd") == end + system.terms.propose_window
    root = Opened.of(system.aggregate(), Kind.MODEL).tree.root
    fell, slashed, proposed = system.do("propose", 1, root, b"", by=operator(1))  # and nobody is paid for what the clock did
    assert fell == ("ProposalFell", {"round": 1, "attempt": 1, "seat": 0, "by": ZERO_ADDRESS})
    assert (slashed[0], proposed[0]) == ("Slashed", "Proposed")
    r = system.round
    assert (r.attempts, r.proposer, r.fallen) == (2, 1, 1)
    assert system.seat(0).stake == system.terms.min_stake - system.terms.fraud_slash
    with refused("NoDemand", Artifact.PROPOSED, 0, 0):  # it belongs to the first attempt
        system.do("expire", Artifact.PROPOSED, 0, 0)
    reclaimed = {"round": 1, "attempt": 1, "by": CHALLENGER, "artifact": Artifact.PROPOSED, "seat": 0, "leaf": 0}
    assert system.do("reclaim", 1, 1, Artifact.PROPOSED, 0, 0)[0] == ("DepositReclaimed", reclaimed)
    with refused("NoDemand", Artifact.PROPOSED, 0, 0):
        system.do("reclaim", 1, 1, Artifact.PROPOSED, 0, 0)


def test_demand__left_open_and_nobody_calls__is_booked_by_finalize(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    system.skip()
    system.evm.warp(system.see("phaseEnd"))
    assert system.phase is Phase.FINAL
    events = system.do("finalize")
    assert [e[0] for e in events] == ["ProposalFell", "Slashed", "Finalized"]
    assert events[0][1]["by"] == ZERO_ADDRESS
    assert system.see("model") == system.terms.genesis
    assert system.accounting()["slashed"] == system.terms.fraud_slash  # nobody proved it, nobody is paid
    system.do("reclaim", 1, 1, Artifact.PROPOSED, 0, 0)
    assert system.see("credits", CHALLENGER) == UNIT


def test_demand__left_open_when_the_window_closes__may_still_be_expired_for_the_fee(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    system.skip()
    system.do("expire", Artifact.PROPOSED, 0, 0)
    assert system.see("credits", CHALLENGER) == UNIT + system.terms.challenge_fee


def test_reclaim__while_the_proposal_stands__is_refused(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    with refused("ProposalStands", 1, 1):
        system.do("reclaim", 1, 1, Artifact.PROPOSED, 0, 0)


def test_two_demands__one_expired__the_other_reclaimed(open_system):
    system = open_system
    system.do("demand", Artifact.PROPOSED, 0, 0, by=CHALLENGER)
    system.rich(STRANGER)
    system.do("demand", Artifact.UPDATE, 2, 1, by=STRANGER)
    system.evm.warp(system.evm.time + system.terms.answer_window)
    system.do("expire", Artifact.UPDATE, 2, 1)
    assert system.see("demandInfo", Artifact.PROPOSED, 0, 0) == ("0x" + "00" * 20, 0)  # it went with the proposal
    system.do("reclaim", 1, 1, Artifact.PROPOSED, 0, 0)
    assert system.accounting()["deposits"] == 0
    assert system.see("credits", CHALLENGER) == UNIT
    assert system.see("credits", STRANGER) == UNIT + system.terms.challenge_fee


def test_deposit__comes_from_credit_first__and_the_rest_from_tokens(open_system):
    system = open_system
    poor, part = address("poor"), UNIT // 4
    system.do("give", poor, UNIT + part, by=CHALLENGER)
    credit = system.accounting()["credit"]
    (_, used) = system.do("demand", Artifact.PROPOSED, 0, 0, by=poor)  # it holds no tokens
    assert used == ("CreditUsed", {"account": poor, "amount": UNIT})
    assert (system.see("credits", poor), system.accounting()["credit"]) == (part, credit - UNIT)
    with refused("ERC20InsufficientAllowance", system.federation.address.lower(), 0, UNIT - part):
        system.do("demand", Artifact.PROPOSED, 0, 1, by=poor)
    system.token.send("mint", poor, UNIT - part, by=poor)
    system.token.send("approve", system.federation.address, UNIT - part, by=poor)
    used = system.do("demand", Artifact.PROPOSED, 0, 1, by=poor)[1]
    assert used == ("CreditUsed", {"account": poor, "amount": part})
    assert (system.see("credits", poor), system.token.call("balanceOf", poor)) == (0, 0)
    assert system.accounting()["deposits"] == 2 * UNIT
    system.evm.warp(system.evm.time + system.terms.answer_window)
    system.do("expire", Artifact.PROPOSED, 0, 0)  # what comes back is credit, for the next demand
    assert system.see("credits", poor) == UNIT + system.terms.challenge_fee


def test_deposit__never_comes_from_what_a_seat_earned(open_system):
    system = open_system.finish()
    system.to_challenge(system.updates)
    earned = system.seat(1).earned
    assert earned > UNIT
    for account in (operator(1), address("owner", 99)):
        with refused("ERC20InsufficientAllowance", system.federation.address.lower(), 0, UNIT):
            system.do("demand", Artifact.PROPOSED, 0, 0, by=account)
    system.token.send("approve", system.federation.address, UNIT, by=owner(1))
    held = system.token.call("balanceOf", owner(1))
    system.do("demand", Artifact.PROPOSED, 0, 0, by=owner(1))  # an owner that demands pays from its wallet as well
    assert (system.seat(1).earned, system.token.call("balanceOf", owner(1))) == (earned, held - UNIT)


def test_demands_without_deposit__work_too():
    rng = np.random.default_rng(5)
    system = System.create(demand_deposit=0).join(3).fund()
    system.to_challenge({seat: random_update(rng) for seat in range(3)})
    system.do("demand", Artifact.PROPOSED, 0, 0)
    content, path = shown(system, Artifact.PROPOSED, 0, 0)
    assert [e[0] for e in system.do("answer", Artifact.PROPOSED, 0, 0, content, path)] == ["Answered"]
    system.do("demand", Artifact.PROPOSED, 0, 0)
    system.evm.warp(system.evm.time + 60)
    system.do("expire", Artifact.PROPOSED, 0, 0)
    assert system.see("credits", STRANGER) == system.terms.challenge_fee


def test_demand_for_a_deposit_of_one_unit__takes_and_returns_it():
    rng = np.random.default_rng(5)
    system = System.create(demand_deposit=1).join(3).fund()
    system.to_challenge({seat: random_update(rng) for seat in range(3)})
    system.do("demand", Artifact.PROPOSED, 0, 0, by=system.rich(CHALLENGER))
    assert system.accounting()["deposits"] == 1
    system.evm.warp(system.evm.time + 60)
    system.do("expire", Artifact.PROPOSED, 0, 0)
    assert system.see("credits", CHALLENGER) == 1 + system.terms.challenge_fee


def test_proposer_of_the_last_round__is_free_once_that_has_ended(open_system):
    system = open_system
    system.finish()
    system.do("exit", 0, by=owner(0))
    system.open()
    system.do("withdraw", 0, owner(0), by=owner(0))


def test_proposer_that_leaves__stays_engaged_until_the_round_ends(open_system):
    system = open_system
    system.do("exit", 0, by=owner(0))
    with refused("StillEngaged", 0, 1):
        system.do("withdraw", 0, owner(0), by=owner(0))
    system.finish()
    system.do("withdraw", 0, owner(0), by=owner(0))


def test_late_joiner__cannot_propose_and_can_leave_at_once():
    rng = np.random.default_rng(6)
    system = System.create().join(4).fund()
    system.open()
    system.join(1)
    system.commit({s: random_update(rng) for s in range(4)})
    system.skip()
    system.reveal()
    system.skip()
    system.commit_scores({s: bytes([9] * 4) for s in system.draw()})
    system.skip()
    system.reveal_scores()
    system.skip()
    system.settle()
    system.skip()
    with refused("NotActive", 1, 4):
        system.propose(b"\x01" * 1024, 4)
    system.do("exit", 4, by=owner(4))
    system.do("withdraw", 4, owner(4), by=owner(4))

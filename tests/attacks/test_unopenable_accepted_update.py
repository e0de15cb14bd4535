"""Unopenable accepted update

Tries: a lying majority accepts an update that only they hold, so that nobody else can propose, or check what they propose
Attacker pays: nothing, and it keeps its pay; 50 for a proposal that counts the update all the same
Victim pays: a report, 71,000 to 88,000 gas: the update is left out. If too few report, deposits as before Show, or a round
"""

import pytest
from attacks.gallery import Money, files, leaf_and_path
from support.evm import refused
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.phases import Phase

UPDATE, HIDDEN = 2, 4
HONEST = (0, 1, 2)


def settled(**terms: int) -> tuple[System, Money]:
    """Show begins; seat 4's file was seen by seat 3 alone, which was drawn with it."""
    s = System.create(**terms).join(5).fund().to_settle(files(5, terms.get("depth", 0)))
    s.settle()
    assert s.phase is Phase.SHOW
    s.rich(CHALLENGER)
    money = Money(s, attacker=[*map(owner, (3, 4)), operator(4)], honest=[owner(i) for i in HONEST], challenger=CHALLENGER)
    return s, money


def reported(s: System) -> None:
    for seat in HONEST:
        s.do("reportMissing", seat, 1 << HIDDEN, by=operator(seat))
    assert s.round.accepted == 0b01111
    s.skip()


def test_a_hidden_update__is_left_out__and_the_model_goes_on():
    s, money = settled()
    reported(s)
    del s.updates[HIDDEN]  # nobody needs it
    s.propose(s.aggregate()).finish()
    assert s.see("model") != s.terms.genesis
    assert money.change("honest") == s.terms.proposer_fee
    assert money.change("attacker") == money.change("challenger") == 0


@pytest.mark.parametrize("depth", [0, 8])
def test_a_wrong_model_over_a_hidden_update__falls_to_one_proof__at_any_depth(depth):
    """Where each of 2^8 leaves had to be bought, nobody would have bought the one in question."""
    s, money = settled(depth=depth, challenge_window=1200)
    whole = s.aggregate()  # what the attacker's own files give
    reported(s)
    s.propose(whole, 3)
    with refused("NotAccepted", HIDDEN):  # nobody need ask for the file any more
        s.do("demand", UPDATE, HIDDEN, 0, by=CHALLENGER)
    del s.updates[HIDDEN]
    trimmed, proposed = parse_model(s.aggregate(), depth), parse_model(whole, depth)
    at = int((trimmed != proposed).argmax())
    s.do("challenge", at // LEAF_PARAMETERS, at % LEAF_PARAMETERS, s.proof(at // LEAF_PARAMETERS), by=CHALLENGER)
    s.propose(s.aggregate()).finish()
    assert s.see("model") != s.terms.genesis
    assert money.change("attacker") == -s.terms.fraud_slash
    assert money.change("honest") == s.terms.proposer_fee and money.change("challenger") == s.terms.challenge_fee


def test_if_too_few_report__a_hidden_update_freezes_the_model_for_nothing():
    s, money = settled()
    for seat in HONEST[:2]:
        s.do("reportMissing", seat, 1 << HIDDEN, by=operator(seat))
    assert s.skip() is Phase.PROPOSE
    assert s.skip() is Phase.FINAL  # nobody honest proposes on files that it does not have
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    assert money.change("attacker") == money.change("honest") == 0


def test_if_too_few_report__a_proposal_on_a_file_that_is_not_shown__falls():
    s, money = settled()
    s.skip()
    s.propose(s.aggregate(), 4)
    s.do("demand", UPDATE, HIDDEN, 0, by=CHALLENGER)  # who lacks the file asks for it
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", UPDATE, HIDDEN, 0)
    assert money.change("attacker") == -s.terms.fraud_slash
    assert money.change("honest") == 0 and money.change("challenger") == s.terms.challenge_fee


def test_if_too_few_report__a_file_that_is_sold_leaf_by_leaf__may_earn_more_than_a_fraud_costs():
    s, money = settled(depth=6, challenge_window=600)
    s.skip()
    forged = parse_model(s.aggregate(), 6).copy()
    forged[63 * LEAF_PARAMETERS] += 1
    s.propose(pack_model(forged), 4)
    for leaf in range(64):  # who lacks the file cannot tell which leaf of it matters
        s.do("demand", UPDATE, HIDDEN, leaf, by=CHALLENGER)
        s.do("answer", UPDATE, HIDDEN, leaf, *leaf_and_path(s.updates[HIDDEN], Kind.UPDATE, leaf), by=operator(4))
        if leaf < 63:
            right = int(parse_model(s.proposal, 6)[leaf * LEAF_PARAMETERS])
            with refused("CoordinateCorrect", right):
                s.do("challenge", leaf, 0, s.proof(leaf), by=CHALLENGER)
    s.do("challenge", 63, 0, s.proof(63), by=CHALLENGER)
    t = s.terms
    assert money.change("attacker") == 64 * t.demand_deposit - t.fraud_slash > 0
    assert money.change("challenger") == t.challenge_fee - 64 * t.demand_deposit

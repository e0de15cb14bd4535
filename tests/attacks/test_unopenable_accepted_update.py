"""Unopenable accepted update

Tries: a lying majority accepts an update that only they hold, so that nobody else can propose, or check what they propose
Attacker pays: nothing if nobody proposes; 50 for a proposal on a file that is not shown; if shown, it earns a deposit a leaf
Victim pays: a round of training; a deposit for each of 2^depth leaves, or a wrong model may stand. Draw more validators
"""

from attacks.gallery import Money, files, leaf_and_path
from support.evm import refused
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.phases import Phase

UPDATE = 2


def settled(**terms: int) -> tuple[System, Money]:
    """Seat 4's file was seen by the committee alone."""
    s = System.create(**terms).join(5).fund().to_propose(files(5, terms.get("depth", 0)))
    s.rich(CHALLENGER)
    return s, Money(s, attacker=[owner(4), operator(4)], honest=[owner(i) for i in range(4)], challenger=CHALLENGER)


def test_a_hidden_update_that_nobody_proposes_on__freezes_the_model_for_nothing():
    s, money = settled()
    assert s.skip() is Phase.FINAL  # nobody honest proposes on files that it does not have
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    assert money.change("attacker") == money.change("honest") == 0


def test_a_proposal_on_a_file_that_is_not_shown__falls():
    s, money = settled()
    s.propose(s.aggregate(), 4)
    s.do("demand", UPDATE, 4, 0, by=CHALLENGER)  # who lacks the file asks for it
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", UPDATE, 4, 0)
    assert money.change("attacker") == -s.terms.fraud_slash
    assert s.skip() is Phase.FINAL
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    assert money.change("honest") == 0 and money.change("challenger") == s.terms.challenge_fee


def test_a_file_that_is_sold_leaf_by_leaf__may_earn_more_than_a_fraud_costs__and_only_the_leaf_in_question_disproves():
    s, money = settled(depth=6, challenge_window=600)
    forged = parse_model(s.aggregate(), 6).copy()
    forged[63 * LEAF_PARAMETERS] += 1
    s.propose(pack_model(forged), 4)
    for leaf in range(64):  # who lacks the file cannot tell which leaf of it matters
        s.do("demand", UPDATE, 4, leaf, by=CHALLENGER)
        s.do("answer", UPDATE, 4, leaf, *leaf_and_path(s.updates[4], Kind.UPDATE, leaf), by=operator(4))
        if leaf < 63:
            right = int(parse_model(s.proposal, 6)[leaf * LEAF_PARAMETERS])
            with refused("CoordinateCorrect", right):
                s.do("challenge", leaf, 0, s.proof(leaf), by=CHALLENGER)
    s.do("challenge", 63, 0, s.proof(63), by=CHALLENGER)
    t = s.terms
    assert money.change("attacker") == 64 * t.demand_deposit - t.fraud_slash > 0
    assert money.change("challenger") == t.challenge_fee - 64 * t.demand_deposit

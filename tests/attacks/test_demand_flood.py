"""Griefing demands

Tries: demands every leaf of a correct proposal, or one leaf again and again, so that its proposer misses one and is slashed
Attacker pays: a deposit for each demand, and about as much gas as an answer costs (88,000 to 125,000)
Victim pays: gas of answers, which deposits must exceed; 50 if one is left unanswered. A daemon answers all that are due at once
"""

from attacks.gallery import Money, files, leaf_and_path
from support.system import CHALLENGER, System, operator, owner

from fl.protocol.artifact import Kind


def test_every_demand_answered__pays_the_proposer():
    s = System.create(depth=3).join(3).fund().to_challenge(files(3, depth=3))
    s.rich(CHALLENGER)
    money = Money(s, attacker=CHALLENGER, proposer=[owner(0), operator(0)])
    things = [(0, 0, s.proposal, Kind.MODEL), (1, 0, s.model, Kind.MODEL)]
    things += [(2, seat, data, Kind.UPDATE) for seat, data in s.updates.items()]
    made = 0
    for artifact, seat, data, kind in things:
        for leaf in range(8):
            s.do("demand", artifact, seat, leaf, by=CHALLENGER)
            made += 1
            s.do("answer", artifact, seat, leaf, *leaf_and_path(data, kind, leaf), by=operator(0))
    assert made == 40 and s.round.openDemands == 0
    s.finish()
    assert money.change("attacker") == -made * s.terms.demand_deposit
    assert money.change("proposer") == made * s.terms.demand_deposit + s.terms.proposer_fee


def test_the_same_leaf_again_and_again__pays_each_time():
    s = System.create().join(3).fund().to_challenge(files(3))
    s.rich(CHALLENGER)
    money = Money(s, attacker=CHALLENGER)
    for _ in range(5):
        s.do("demand", 0, 0, 0, by=CHALLENGER)
        s.do("answer", 0, 0, 0, *leaf_and_path(s.proposal, Kind.MODEL, 0), by=operator(0))
    assert money.change("attacker") == -5 * s.terms.demand_deposit

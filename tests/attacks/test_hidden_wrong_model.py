"""Hidden wrong model

Tries: proposes the root of a wrong model and shows nobody the file, where the checkers' operators hold no tokens
Attacker pays: the slash for fraud: 50
Victim pays: nothing: the deposit comes from the credit that joining gave, and comes back with a fee of 5
"""

from attacks.gallery import Money, files
from support.system import System, operator, owner

from fl.protocol.enums import Artifact


def test_an_operator_without_tokens__demands_from_its_credit__and_the_proposal_falls():
    s = System.create(depth=2).join(4).fund()
    deposits = s.terms.demands_to_pay() * s.terms.demand_deposit
    s.do("give", operator(0), deposits, by=owner(0))
    s.to_propose(files(4, depth=2))
    money = Money(s, attacker=owner(3), victim=[owner(0), operator(0)])
    assert s.token.call("balanceOf", operator(0)) == 0
    s.propose(b"\x01" * 4096, 3)
    for leaf in range(s.terms.demands_to_pay()):
        s.do("demand", Artifact.PROPOSED, 0, leaf, by=operator(0))
    assert s.see("credits", operator(0)) == 0
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", Artifact.PROPOSED, 0, 0)
    for leaf in range(1, s.terms.demands_to_pay()):
        s.do("reclaim", 1, 1, Artifact.PROPOSED, 0, leaf)
    assert s.see("credits", operator(0)) == deposits + s.terms.challenge_fee
    assert money.change("attacker") == -s.terms.fraud_slash
    assert money.change("victim") == s.terms.challenge_fee

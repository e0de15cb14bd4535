"""Wrong aggregate

Tries: proposes a model with one wrong number in it
Attacker pays: the slash for fraud: 50 (45 if a friend collects the fee)
Victim pays: nothing; the challenger gets 5 for its gas
"""

from attacks.gallery import Money, files
from support.system import CHALLENGER, System, owner

from fl.protocol.artifact import pack_model, parse_model


def test_one_wrong_number__costs_its_proposer_the_slash():
    s = System.create().join(4).fund().to_propose(files(4))
    money = Money(s, attacker=owner(3), challenger=CHALLENGER, victims=[owner(i) for i in range(3)])
    wrong = parse_model(s.aggregate(), 0).copy()
    wrong[200] += 1
    s.propose(pack_model(wrong), 3)
    s.do("challenge", 0, 200, s.proof(), by=CHALLENGER)
    assert money.change("attacker") == -s.terms.fraud_slash
    assert money.change("challenger") == s.terms.challenge_fee
    assert money.change("burnt") == s.terms.fraud_slash - s.terms.challenge_fee
    s.propose(s.aggregate(), 0).finish()
    assert money.change("victims") == s.terms.proposer_fee

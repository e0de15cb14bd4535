"""Unopenable proposal

Tries: proposes 32 random bytes as a root, so that nobody can show which number is wrong
Attacker pays: the slash for fraud: 50
Victim pays: nothing; the demander gets 5 and its deposit back
"""

from attacks.gallery import Money, files
from support.system import CHALLENGER, System, operator, owner


def test_a_random_root__falls_to_one_demand():
    s = System.create(depth=2).join(4).fund().to_propose(files(4, depth=2))
    s.rich(CHALLENGER)
    money = Money(s, attacker=owner(3), challenger=CHALLENGER)
    s.do("propose", 3, b"\x99" * 32, b"", by=operator(3))
    s.do("demand", 0, 0, 0, by=CHALLENGER)
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", 0, 0, 0)
    assert money.change("attacker") == -s.terms.fraud_slash
    assert money.change("challenger") == s.terms.challenge_fee

"""Unopenable accepted update

Tries: a lying majority accepts an update that only they hold; then one of them proposes on it
Attacker pays: the slash for fraud: 50, unless they show the file
Victim pays: one round of training: the model stays as it was, everybody keeps its pay
"""

from attacks.gallery import Money, files
from system import CHALLENGER, System, owner

from fl.protocol.phases import Phase


def test_a_hidden_update__freezes_the_model_for_a_round_and_corrupts_nothing():
    s = System.create().join(5).fund().to_propose(files(5))  # seat 4's file: seen by the committee alone
    s.rich(CHALLENGER)
    money = Money(s, attacker=owner(4), honest=[owner(i) for i in range(4)], challenger=CHALLENGER)
    s.propose(s.aggregate(), 4)
    s.do("demand", 2, 4, 0, by=CHALLENGER)  # who lacks the file asks for it
    s.evm.warp(s.evm.time + s.terms.answer_window)
    s.do("expire", 2, 4, 0)
    assert money.change("attacker") == -s.terms.fraud_slash
    assert s.skip() is Phase.FINAL  # nobody honest proposes on files that it does not have
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    assert money.change("honest") == 0 and money.change("challenger") == s.terms.challenge_fee

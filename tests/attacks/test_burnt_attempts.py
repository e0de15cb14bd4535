"""Burning all attempts

Tries: proposes a wrong model in every attempt of a round, so that no right one is left to adopt
Attacker pays: 50 for each attempt (45 with a friend that collects the fee): 150
Victim pays: one round of training: the model stays, everybody keeps its pay
"""

from attacks.gallery import Money, files
from system import CHALLENGER, System, owner

from fl.protocol.phases import Phase


def test_three_burnt_attempts__cost_three_slashes_and_leave_the_model():
    s = System.create().join(6).fund().to_propose(files(6))
    money = Money(s, attacker=[owner(i) for i in (3, 4, 5)], honest=[owner(i) for i in (0, 1, 2)])
    for seat in (3, 4, 5):
        s.propose(b"\x01" * 1024, seat)
        s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    assert s.phase is Phase.FINAL
    s.do("finalize")
    assert s.see("model") == s.terms.genesis
    assert money.change("attacker") == -s.terms.max_attempts * s.terms.fraud_slash
    assert money.change("honest") == 0

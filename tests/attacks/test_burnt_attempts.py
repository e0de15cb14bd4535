"""Burning all attempts

Tries: proposes a wrong model in every attempt of a round, so that no correct one is left to adopt
Attacker pays: 50 for each attempt (45 if it proves the fraud itself, which one transaction can do once Show ends): 135 to 150
Victim pays: one round of training: the model does not change, everybody keeps their pay
"""

from attacks.gallery import Money, files, root
from support.system import CHALLENGER, STRANGER, System, owner

from fl.protocol.artifact import Kind
from fl.protocol.fraud import Opened, challenge_proof
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


def test_all_attempts__in_one_transaction__leave_no_moment_for_a_right_proposal():
    s = System.create().join(6).fund().to_propose(files(6))
    money, cheats, wrong = Money(s, attacker=[STRANGER, *map(owner, (3, 4, 5))]), (3, 4, 5), b"\x01" * 1024
    for seat in cheats:
        s.do("setOperator", seat, STRANGER, by=owner(seat))
    opened = [Opened.of(data, Kind.UPDATE) for data in s.updates.values()]
    proof = challenge_proof(0, opened, Opened.of(s.model, Kind.MODEL), Opened.of(wrong, Kind.MODEL))
    calls = []
    for attempt, seat in enumerate(cheats, 1):
        calls.append(s.federation.data("propose", 1, attempt, seat, root(wrong, Kind.MODEL), b""))
        calls.append(s.federation.data("challenge", 0, 0, proof))
    s.do("multicall", calls, by=STRANGER)
    assert s.phase is Phase.FINAL
    assert money.change("attacker") == -3 * (s.terms.fraud_slash - s.terms.challenge_fee)

"""Stolen operator key

Tries: does all the harm a hot key can: commits nonsense, scores nonsense, proposes a wrong model, tries to take the stake
Attacker pays: gas; it earns the fee of 5 if it proves its own fraud
Victim pays: the slashes of one round, 50 to 60; below the minimum the seat sits out. The owner can replace the key at any time
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import CHALLENGER, STRANGER, System, operator, owner


def test_a_thief_with_the_hot_key__can_waste_slashes_and_take_nothing():
    s = System.create().join(5).fund().to_propose(files(5))
    money = Money(s, thief=operator(4), victim=owner(4))
    for transaction, args in (
        ("withdraw", (4, STRANGER)),
        ("claim", (4, STRANGER)),
        ("exit", (4,)),
        ("setOperator", (4, STRANGER)),
    ):
        with refused("NotOwner", 4, owner(4), operator(4)):
            s.do(transaction, *args, by=operator(4))
    s.propose(b"\x01" * 1024, 4)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    assert money.change("victim") == -s.terms.fraud_slash and money.change("thief") == 0
    s.propose(s.aggregate(), 0).finish()
    s.open()
    with refused("NotActive", 2, 4):  # below the minimum: no further harm can be done
        s.do("commit", 4, b"\x01" * 32, by=operator(4))
    s.do("setOperator", 4, STRANGER, by=owner(4))
    with refused("NotOperator", 4, STRANGER, operator(4)):
        s.do("commit", 4, b"\x01" * 32, by=operator(4))


def test_at_worst__a_round_costs_the_slashes_that_the_terms_add_up():
    s = System.create().join(5, stake=10 * 100 * 10**18).fund()
    s.open().commit(files(5))
    s.skip()
    s.reveal()
    s.skip()
    drawn = s.draw()
    victim = drawn[0]
    money = Money(s, victim=owner(victim))
    s.commit_scores({seat: bytes([200] * 5) for seat in drawn[1:]})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    s.skip()
    s.propose(b"\x01" * 1024, victim)
    s.do("challenge", 0, 0, s.proof(), by=CHALLENGER)
    lost = s.terms.no_scores_slash + s.terms.fraud_slash
    assert money.change("victim") == s.terms.trainer_rate * 200 // 255 - lost

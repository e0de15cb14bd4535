"""A minority of the committee lies

Tries: two of five validators give a victim 0 and a friend 255
Attacker pays: most of a validator's pay: they are far from the medians
Victim pays: nothing
"""

from attacks.gallery import Money, files
from support.system import System, owner


def test_two_liars_of_five__move_nobody_s_pay_but_their_own():
    s = System.create(committee=5, min_reveals=5).join(9).fund()
    s.open().commit(files(9))
    s.skip()
    s.reveal()
    s.skip()
    drawn = s.draw()
    victim, friend = sorted(set(range(9)) - set(drawn))[:2]
    money = Money(s, victim=owner(victim), friend=owner(friend), liar=owner(drawn[0]), honest=owner(drawn[4]))
    lie = bytes(0 if i == victim else 255 if i == friend else 200 for i in range(9))
    vectors = {seat: lie if seat in drawn[:2] else bytes([200] * 9) for seat in drawn}
    s.commit_scores(vectors)
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    pay = s.terms.trainer_rate * 200 // 255
    assert money.change("victim") == money.change("friend") == pay
    assert money.change("honest") == pay + s.terms.validator_rate
    whole, lost = 255 * 8, s.terms.strictness * (200 + 55)
    assert money.change("liar") == pay + s.terms.validator_rate * (whole - lost) // whole

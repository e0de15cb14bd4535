"""Underpaying sponsor

Tries: a sponsor that holds most of a committee gives everybody 1 of 255, takes the model and asks for its money back
Attacker pays: what an honest round would have cost it: what it withholds pays for later rounds, and is burnt after notice
Victim pays: the round's pay, all but 1/255 of it
"""

from attacks.gallery import Money, files, judge
from support.system import SPONSOR, System, owner


def test_what_a_sponsor_s_validators_withhold__never_returns_to_it():
    s = System.create().join(7).fund(10_000 * 10**18)
    pool, cost = s.accounting()["pool"], s.terms.round_cost(7)
    money = Money(s, trainers=[owner(i) for i in range(7)], sponsor=SPONSOR)
    s.open().commit(files(7)).skip()
    s.reveal()
    drawn = judge(s, honest=200, lies=dict.fromkeys(range(7), b"\x01" * 7))
    s.propose(s.aggregate(), drawn[0]).finish()
    assert s.see("model") != s.terms.genesis
    assert money.change("trainers") < cost // 4
    s.do("conclude", by=SPONSOR)
    s.do("refund")
    assert s.see("credits", SPONSOR) == pool - cost
    assert money.change("burnt") == cost - money.change("trainers")

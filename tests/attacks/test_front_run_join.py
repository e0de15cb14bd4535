"""Front-running a join

Tries: joins just before somebody else, to take the seat that they were about to get
Attacker pays: a stake
Victim pays: nothing: the next seat is as good, and no right depends on an index
"""

from attacks.gallery import Money
from support.system import STRANGER, System, operator, owner


def test_the_next_seat__is_as_good():
    s = System.create().join(2).fund()
    for account in (STRANGER, owner(9)):
        s.rich(account)
    money = Money(s, victim=owner(9))
    s.do("join", STRANGER, STRANGER, s.terms.min_stake, b"", by=STRANGER)
    joined = s.do("join", owner(9), operator(9), s.terms.min_stake, b"", by=owner(9))[0][1]
    assert (joined["seat"], joined["owner"], joined["operator"]) == (3, owner(9), operator(9))
    assert money.change("victim") == 0

"""A fallen seat's index

Tries: joins during a round, proposes a wrong model and leaves at once, so that the next owner of that seat index cannot propose
Attacker pays: gas of a refused call
Victim pays: nothing: only seats that were active when the round opened may propose, and these cannot leave before it ends
"""

from attacks.gallery import Money, files, judge
from support.evm import refused
from support.system import System, operator, owner


def test_a_seat_that_joins_during_a_round__cannot_propose_in_it():
    s = System.create().join(4).fund()
    s.open().commit(files(4))
    s.join(1)
    money = Money(s, attacker=owner(4), victim=owner(9))
    s.skip()
    s.reveal()
    judge(s)
    with refused("NotActive", 1, 4):
        s.propose(b"\x01" * 1024, 4)
    s.do("exit", 4, by=owner(4))
    s.do("withdraw", 4, owner(4), by=owner(4))
    assert money.change("attacker") == 0
    s.rich(owner(9))
    money = Money(s, victim=owner(9))
    s.do("join", owner(9), operator(4), s.terms.min_stake, b"", by=owner(9))
    s.propose(s.aggregate(), 0).finish()
    s.to_challenge(files(4, seed=8), proposer=4).finish()
    assert money.change("victim") == s.terms.proposer_fee


def test_a_seat_that_fell__cannot_leave_before_its_round_ends():
    s = System.create().join(4).fund().to_challenge(files(4), b"\x01" * 1024, proposer=3)
    s.do("challenge", 0, 0, s.proof())
    s.do("exit", 3, by=owner(3))
    with refused("StillEngaged", 3, 1):
        s.do("withdraw", 3, owner(3), by=owner(3))
    with refused("ProposerFell", 3):
        s.propose(s.aggregate(), 3)

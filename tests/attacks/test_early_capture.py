"""Early capture

Tries: takes min_reveals seats as soon as the pool is funded, opens a round before anybody else joins, and scores itself 255
Attacker pays: nothing: it earns 47 a round here
Victim pays: the pool pays for worthless updates. Fund only once seats you trust have joined, with min_reveals near their number
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import STRANGER, System, operator


def alone(**terms: object) -> tuple[System, Money]:
    s = System.create(**terms).fund()
    s.rich(STRANGER)
    money = Money(s, attacker=STRANGER)
    for seat in range(3):
        s.do("join", STRANGER, operator(seat), s.terms.min_stake, b"", by=STRANGER)
    return s, money


def test_alone_in_an_open_federation__a_trio_takes_the_whole_pot():
    s, money = alone()
    s.to_propose(files(3), score=255)
    s.propose(s.aggregate()).finish()
    assert money.change("attacker") == s.terms.round_cost(3)


def test_min_reveals__keeps_a_trio_from_opening():
    s, _ = alone(min_reveals=10)
    with refused("TooFewSeats", 3, 10):
        s.do("openRound")

"""Sitting out

Tries: commits nothing, so that fewer than min_reveals reveal and the round is void
Attacker pays: nothing, if the others are fewer than min_reveals
Victim pays: a round's work; the pot pays for a later one. Keep min_reveals below the number of seats you trust to take part
"""

from attacks.gallery import Money, files
from support.system import System, owner

from fl.protocol.phases import Phase


def played_by(seats: int) -> tuple[System, Money]:
    s = System.create(min_reveals=5).join(6).fund()
    money = Money(s, idle=[owner(i) for i in range(seats, 6)], diligent=[owner(i) for i in range(seats)])
    s.open().commit(files(seats))
    s.skip()
    s.reveal()
    s.skip()
    s.do("close")
    return s, money


def test_two_idle_seats_that_min_reveals_needs__void_the_round_for_nothing():
    s, money = played_by(4)
    assert s.phase is Phase.VOID
    s.do("finalize")
    assert (money.change("idle"), money.change("diligent"), money.change("burnt")) == (0, 0, 0)


def test_one_idle_seat_that_min_reveals_can_miss__stops_nothing():
    s, _ = played_by(5)
    assert s.phase is Phase.DRAW

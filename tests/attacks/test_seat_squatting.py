"""Seat squatting

Tries: takes every free seat and does nothing, so that nobody can join and every round must be funded for idle seats
Attacker pays: 100 of locked stake a seat, which it can withdraw at will; no slash
Victim pays: whoever wants to join has to wait. An allowlist gives each owner one seat; otherwise use an admission contract
"""

from attacks.gallery import Money, files
from support.evm import refused
from support.system import STRANGER, System, operator, owner


def test_squatters__keep_others_out_and_stop_no_round():
    s = System.create(max_seats=8).join(3).fund()
    s.rich(STRANGER)
    money = Money(s, squatter=STRANGER, victims=[owner(i) for i in range(3)])
    for seat in range(3, 8):
        s.do("join", STRANGER, operator(seat), s.terms.min_stake, b"", by=STRANGER)
    s.rich(owner(9))
    with refused("SeatsFull", 8):
        s.do("join", owner(9), operator(9), s.terms.min_stake, b"", by=owner(9))
    s.to_challenge(files(3)).finish()
    assert money.change("victims") > 0 and money.change("squatter") == 0


def test_idle_seats__must_be_funded_for_though_they_are_never_paid():
    s = System.create(max_seats=8).join(3)
    s.fund(s.terms.round_cost(3))
    s.rich(STRANGER)
    s.do("join", STRANGER, operator(3), s.terms.min_stake, b"", by=STRANGER)
    with refused("PoolTooSmall", s.terms.round_cost(3), s.terms.round_cost(4)):
        s.do("openRound")
    s.fund(s.terms.round_cost(8) - s.terms.round_cost(3))  # the sponsor's remedy: fund for max_seats; what is unused stays
    s.do("openRound")

"""Sponsor that holds seats

Tries: gets its own seats, or others', slashed, or a round voided, to get the money back through the pool
Attacker pays: every slash in full, and the whole cost of a round in which somebody revealed an update
Victim pays: nothing
"""

from attacks.gallery import Money, files
from support.system import SPONSOR, STRANGER, System, operator, owner


def test_what_a_sponsor_s_seats_lose__never_returns_to_it():
    s = System.create().join(4).fund()
    s.rich(SPONSOR)
    for seat in (4, 5):
        s.do("join", SPONSOR, operator(seat), s.terms.min_stake, b"", by=SPONSOR)
    pool = s.accounting()["pool"]
    money = Money(s, sponsor=SPONSOR, honest=[owner(i) for i in range(4)])
    s.open().commit(files(6))
    s.skip()
    s.reveal(0, 1, 2, 3)
    s.skip()
    s.do("close")
    s.evm.warp(s.evm.time + 10**6)
    s.do("finalize", by=STRANGER)
    assert money.change("sponsor") == -2 * s.terms.no_reveal_slash == -money.change("burnt")
    cost = s.terms.round_cost(6)
    assert s.accounting()["pool"] == pool - cost and money.change("honest") == 0
    s.do("conclude", by=SPONSOR)
    s.do("refund")
    assert money.change("sponsor") == pool - cost - 2 * s.terms.no_reveal_slash

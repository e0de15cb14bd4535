"""Dust and rounding theft

Tries: picks amounts for which divisions leave a remainder, and pays in single units
Attacker pays: gas
Victim pays: nothing: what rounding leaves is kept for later rounds, to the unit
"""

from attacks.gallery import Money, files, judge
from support.system import STRANGER, System, owner


def test_remainders__are_kept_for_later_rounds():
    odd = {"trainer_rate": 101, "validator_rate": 7, "proposer_fee": 3}
    s = System.create(**odd).join(5).fund(10_007)
    money = Money(s, seats=[owner(i) for i in range(5)])
    s.open().commit(files(5))
    s.skip()
    s.reveal()
    judge(s, honest=77)
    s.propose(s.aggregate()).finish()
    paid = 5 * (101 * 77 // 255) + 3 * 7 + 3
    assert money.change("seats") == paid
    assert s.accounting()["pool"] + s.accounting()["kept"] == 10_007 - paid
    assert s.accounting()["kept"] == s.terms.round_cost(5) - paid


def test_single_units__are_counted_to_the_unit():
    s = System.create(min_stake=100, no_reveal_slash=1, no_scores_slash=1, fraud_slash=50, challenge_fee=1, demand_deposit=1)
    s.join(3).fund(1)
    s.rich(STRANGER)
    money = Money(s, payer=STRANGER, seat=owner(1))
    for _ in range(7):
        s.do("topUp", 1, 1, by=STRANGER)
        s.do("fund", 1, by=STRANGER)
    assert money.change("payer") == -14 and money.change("seat") == 7
    assert s.accounting()["pool"] == 8

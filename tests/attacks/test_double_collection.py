"""Collecting a demand twice

Tries: expires, reclaims and answers the same demand, and another's, in every order
Attacker pays: gas of reverted calls
Victim pays: nothing: each deposit goes back once, to the account that paid it
"""

import itertools

import pytest
from attacks.gallery import Money, files
from support.evm import Reverted
from support.system import CHALLENGER, STRANGER, System, owner

CALLS = [
    ("expire", (0, 0, 0)),
    ("expire", (1, 0, 0)),
    ("reclaim", (1, 1, 0, 0, 0)),
    ("reclaim", (1, 1, 1, 0, 0)),
]


@pytest.mark.parametrize("order", itertools.permutations(range(4)), ids=lambda o: "".join(map(str, o)))
def test_in_any_order__each_deposit_returns_once_and_one_fee_is_paid(order):
    s = System.create().join(3).fund().to_challenge(files(3))
    s.rich(CHALLENGER)
    s.rich(STRANGER)
    money = Money(s, one=CHALLENGER, two=STRANGER, proposer=owner(0))
    s.do("demand", 0, 0, 0, by=CHALLENGER)
    s.do("demand", 1, 0, 0, by=STRANGER)
    s.evm.warp(s.evm.time + s.terms.answer_window)
    for _ in range(2):  # what was refused at first may be taken later
        for index in order:
            function, args = CALLS[index]
            try:
                s.do(function, *args)
            except Reverted as error:
                assert error.name in ("NoDemand", "ProposalStands")
    assert s.accounting()["deposits"] == 0
    assert money.change("one") + money.change("two") == s.terms.challenge_fee
    assert {money.change("one"), money.change("two")} == {0, s.terms.challenge_fee}
    assert money.change("proposer") == -s.terms.fraud_slash

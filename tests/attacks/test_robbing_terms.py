"""Terms that rob

Tries: terms under which an honest seat loses most of its stake, or has it locked for years, and the sponsor gets it
Attacker pays: gas of a refused creation
Victim pays: a quarter of its stake at worst for silence in a round; slashes are burnt, and no round lasts over 90 days
"""

from dataclasses import replace

import pytest
from attacks.gallery import Money, files
from support.evm import refused
from support.system import BURN, SPONSOR, STRANGER, UNIT, System, owner

from fl.protocol.terms import check


@pytest.mark.parametrize(
    ("rule", "terms"),
    [
        (3, {"no_reveal_slash": 48 * UNIT, "no_scores_slash": UNIT}),
        (3, {"no_scores_slash": 26 * UNIT}),
        (14, {"challenge_window": 365 * 86400}),
        (20, {"max_attempts": 8, "challenge_window": 30 * 86400}),
    ],
)
def test_terms_that_take_nearly_everything__found_no_federation(rule, terms):
    s = System.create()
    with refused("BadTerms", rule):
        s.factory.send("create", replace(s.terms, **terms).as_tuple(), by=SPONSOR)
    assert check(replace(s.terms, **terms))[0][0] == rule


def test_a_round_in_which_everybody_misses_the_reveal__costs_a_quarter_at_most_and_makes_nobody_richer():
    s = System.create(no_reveal_slash=25 * UNIT, no_scores_slash=25 * UNIT).join(5).fund()
    money = Money(s, seats=[owner(i) for i in range(5)], sponsor=SPONSOR, stranger=STRANGER)
    s.open().commit(files(5))
    s.evm.warp(s.evm.time + 10**6)
    s.do("finalize", by=STRANGER)
    s.do("sweep", by=STRANGER)
    assert money.change("seats") == -5 * s.terms.min_stake // 4
    assert money.change("sponsor") == money.change("stranger") == 0
    assert s.token.call("balanceOf", BURN) == 5 * s.terms.min_stake // 4

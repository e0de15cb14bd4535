"""Selling answers

Tries: proposes a wrong model, collects the deposits of checkers who walk to the wrong leaf, then proves its own fraud
Attacker pays: more than it earns, under any terms: rule 18 of the terms
Victim pays: deposits of at most depth + 1 demands, paid back by the fee if the terms provide for it
"""

from dataclasses import replace

import pytest
from support.evm import refused
from support.system import BASE_TERMS, STRANGER, UNIT, System


def most_earned(terms) -> int:
    return (terms.depth + 1) * terms.demand_deposit + terms.challenge_fee


@pytest.mark.parametrize("depth", [0, 4, 17])
def test_terms_under_which_it_would_pay__make_no_federation(depth):
    s = System.create()
    fair = (BASE_TERMS.fraud_slash - BASE_TERMS.challenge_fee) // (depth + 1)
    terms = replace(s.terms, depth=depth, demand_deposit=fair + UNIT)
    assert most_earned(terms) > terms.fraud_slash
    with refused("BadTerms", 18):
        s.factory.send("create", terms.as_tuple(), by=STRANGER)
    terms = replace(terms, demand_deposit=fair - 1)
    assert most_earned(terms) < terms.fraud_slash
    s.factory.send("create", terms.as_tuple(), by=STRANGER)


def test_the_shipped_terms__pay_the_walk_back_at_every_depth():
    from fl.tools.federation.deploy import DEFAULTS

    assert 23 * DEFAULTS["demand_deposit"] <= DEFAULTS["challenge_fee"]

"""Gas must not drift unseen: a part of the recorded table is measured again, within one part in a hundred. The EVM that counts
by the next fork's rules must count right."""

import pytest
from next_rules import NEXT, TODAY, NextRules, Rules
from support.evm import AnvilEvm

from fl.network.gas import TABLE, relayed

TOLERANCE = 0.01
SENDER = "0x" + "11" * 20
BLOCK = {"number": "0x1", "timestamp": "0x6b0c79d8", "mixHash": "0x" + "11" * 32}


@pytest.fixture(scope="module")
def node():
    evm = AnvilEvm()
    yield evm
    evm.close()


@pytest.mark.parametrize("seats", [5, 10])
def test_actions__cost_what_the_table_says(node, seats):
    from measure import actions

    assert actions(node, seats) == pytest.approx(TABLE[TODAY]["actions"][str(seats)], rel=TOLERANCE)


def test_challenge__costs_what_the_table_says(node):
    from measure import challenge

    result = TABLE[TODAY]["challenge"]["10 seats, 34M parameters"]
    assert challenge(node, 10, 17) == (pytest.approx(result["gas"], rel=TOLERANCE), result["bytes"])


@pytest.mark.parametrize(("rules", "engine"), [(TODAY, AnvilEvm), (NEXT, NextRules)])
def test_relayed_acts__at_their_largest_take_what_the_table_says__and_a_relay_reserves_it(rules, engine):
    from measure import largest

    evm = engine()
    try:
        measured = largest(evm)
    finally:
        evm.close()
    for batch, gas in measured.items():
        assert gas == pytest.approx(TABLE[rules]["relayed at most"][batch], rel=TOLERANCE)
        assert gas["first"] <= relayed(batch, 1) * (1 + TOLERANCE)


@pytest.mark.parametrize(("rules", "most"), [(TODAY, 8_000_000), (NEXT, 1 << 23)])
def test_no_call_exceeds_what_a_public_transaction_may(rules, most):
    table = TABLE[rules]
    assert all(c["gas"] < most and c["bytes"] < 131_072 for c in table["challenge"].values())
    assert all(a["most of any call above"] < most for a in table["actions"].values())
    assert table["actions"]["128"]["settle, first round"] < (3_000_000 if rules == TODAY else 4_000_000)


# ---- the next rules


def test_next_rules__today_each_transaction_counts_as_in_its_receipt__and_the_next_ones_as_recorded():
    """NextRules compares every transaction's gas with the node's receipt, to the unit."""
    from measure import actions, answers

    evm = NextRules()
    try:
        assert actions(evm, 5) == pytest.approx(TABLE[NEXT]["actions"]["5"], rel=TOLERANCE)
        assert answers(evm, 6) == pytest.approx(TABLE[NEXT]["answers"]["6"], rel=TOLERANCE)
    finally:
        evm.close()


# By hand, from the EIPs: 12,000 for a transaction and 3,000 to reach another account (2780), 12,000 to create one, 2,100 for a
# cold slot and 10,000 to change it (8038), 1,530 for each of a slot's 64 bytes, an account's 120 and a contract's own (8037);
# calldata at 4 and 16 gas a byte, and no less than 64 in all (7976).
SLOT, ACCOUNT, CALLED, MADE = 64 * 1530, 120 * 1530, 12_000 + 3_000, 12_000 + 12_000
BY_HAND = {
    "a call of nobody": (None, "0x", CALLED),
    "calldata that is all of the cost": (None, "0x" + "00" * 100, CALLED + 64 * 100),
    "a contract with a slot": ("0x60015f5500", None, MADE + 2 + 68 + 5 + 2_100 + 10_000 + SLOT + ACCOUNT),
    "a contract of three bytes": ("0x60035ff3", None, MADE + 2 + 64 + 5 + 3 + 3 * 1530 + 6 + ACCOUNT),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_next_rules__are_those_of_the_eips(name):
    code, data, wanted = BY_HAND[name]
    rules = Rules(NEXT)
    try:
        to = None if code else "0x" + "22" * 20
        done = rules.ask(hashes={}, block=BLOCK, to=to, data=code or data, gas=1 << 24, **{"from": SENDER})
    finally:
        rules.close()
    assert (done["gas"], done["error"]) == (wanted, None)

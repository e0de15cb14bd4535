"""Gas must not drift unseen: a part of the committed table is measured again, within one part in a hundred."""

import json
from pathlib import Path

import pytest
from support.evm import AnvilEvm

TABLE = json.loads((Path(__file__).parent / "gas.json").read_text())
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def node():
    evm = AnvilEvm()
    yield evm
    evm.close()


@pytest.mark.parametrize("seats", [5, 10])
def test_actions__cost_what_the_table_says(node, seats):
    from measure import actions

    assert actions(node, seats) == pytest.approx(TABLE["actions"][str(seats)], rel=TOLERANCE)


def test_challenge__costs_what_the_table_says(node):
    from measure import challenge

    result = TABLE["challenge"]["10 seats, 34M parameters"]
    assert challenge(node, 10, 17) == (pytest.approx(result["gas"], rel=TOLERANCE), result["bytes"])


def test_no_call_exceeds_what_a_public_transaction_may():
    assert all(c["gas"] < 8_000_000 and c["bytes"] < 131_072 for c in TABLE["challenge"].values())
    assert all(a["most of any call above"] < 8_000_000 for a in TABLE["actions"].values())
    assert TABLE["actions"]["128"]["settle, first round"] < 3_000_000

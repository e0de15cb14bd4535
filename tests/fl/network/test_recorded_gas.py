"""The recorded gas, and what follows from it."""

import json
from pathlib import Path

import pytest

from fl.network import gas

BLOCKS = json.loads((Path(__file__).parents[2] / "support" / "mainnet_blocks.json").read_text())


def shape(table):
    return {name: shape(part) for name, part in table.items()} if isinstance(table, dict) else type(table)


def test_table__has_every_figure_under_both_rules():
    today, then = gas.TABLE[gas.TODAY], gas.TABLE[gas.NEXT]
    assert shape(today) == shape(then) and set(gas.TABLE) == {"values", gas.TODAY, gas.NEXT}
    assert all(set(gas.CALLS) <= set(row) for row in today["actions"].values())


@pytest.mark.parametrize("rules", gas.RULES)
def test_limit__suffices_where_words_became_empty_meanwhile(rules):
    """The estimate of a later `settle` is enough for the first one, which costs the most more of all calls."""
    for n, row in gas.TABLE[rules]["actions"].items():
        assert gas.limit(row["settle"], rules) >= row["settle, first round"], n


@pytest.mark.parametrize("rules", gas.RULES)
def test_money_to_hold__pays_for_what_it_is_for(rules):
    own = [gas.gas_of(call, 128, rules) for call in gas.OWN]
    assert sum(own) < gas.ROUND and all(gas.limit(call, rules) <= gas.ROUND for call in own)
    assert gas.TABLE[rules]["actions"]["5"]["take a seat"] < gas.seat(rules)
    for batch, one in gas.TABLE[rules]["relayed at most"].items():
        assert one["first"] <= gas.relayed(batch, 1) and one["first"] + one["more"] <= gas.relayed(batch, 2), batch
        assert gas.relayed(batch, 0) == 0, batch


def test_gas__between_and_beyond_what_was_measured():
    row = {n: gas.TABLE[gas.TODAY]["actions"][str(n)]["settle"] for n in gas.SEATS}
    assert all(gas.gas_of("settle", n) == value for n, value in row.items())
    assert row[10] < gas.gas_of("settle", 30) < row[50] and row[5] // 2 <= gas.gas_of("settle", 3) < row[5]
    assert gas.answer(5) == gas.answer(6) > gas.answer(0) and gas.challenge(13, 7) == gas.challenge(17, 10)
    assert gas.answer(22) == gas.TABLE[gas.TODAY]["answers"]["22"]["answer"]


@pytest.mark.parametrize("fork", BLOCKS)
def test_rules__are_read_from_a_block(fork):
    assert gas.rules_of(BLOCKS[fork]) == gas.TODAY
    assert gas.rules_of({**BLOCKS[fork], "blockAccessListHash": "0x" + "ab" * 32}) == gas.NEXT
    assert gas.rules_of({**BLOCKS[fork], "blockAccessListHash": None}) == gas.TODAY

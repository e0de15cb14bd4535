"""The terms are one list in the contract's struct, in the words that contracts read, and in Python."""

import re
import sys
from dataclasses import fields
from pathlib import Path

from support.evm import contract_types

from fl.protocol.terms import AMOUNTS, WINDOWS, Terms

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tooling"))
from terms_reader import READER, field_names, written  # noqa: E402

PYTHON = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in field_names()]


def abi() -> list[dict]:
    view = next(e for e in contract_types()["Federation"].abi if e.get("name") == "terms")
    return view["outputs"][0]["components"]


def test_struct__is_read_whole():
    assert [component["name"] for component in abi()] == field_names()


def test_terms_of_python__are_the_struct_s_fields__in_order_and_type():
    kinds = {"address": "str", "bytes32": ("bytes", "Label"), "uint256": ("int", "Seconds", "TokenUnits")}
    assert [f.name for f in fields(Terms)] == PYTHON
    wrong = [f.name for f, component in zip(fields(Terms), abi(), strict=True) if f.type not in kinds[component["type"]]]
    assert wrong == []


def test_words_of_the_reader__are_the_struct_s():
    assert READER.read_text() == written(), "run: python tooling/terms_reader.py && ape compile --force"


def test_every_window_is_in_seconds__and_every_amount_in_token_units():
    assert {name for name in PYTHON if name.endswith("_window")} == set(WINDOWS)
    assert {name for name in PYTHON if name.endswith(("_stake", "_slash", "_fee", "_deposit", "_rate"))} == set(AMOUNTS)


def test_every_limit_of_a_window_and_an_amount__is_the_contract_s():
    """Of each kind, a term that only Python or only the contract limits would be a rule that the two do not share."""
    rules = (ROOT / "contracts" / "libraries" / "TermsRules.sol").read_text()
    camel = dict(zip(PYTHON, field_names(), strict=True))
    assert [w for w in WINDOWS if f"_badWindow(t.{camel[w]})" not in rules] == []
    assert [a for a in AMOUNTS if f"t.{camel[a]} > MAX_AMOUNT" not in rules] == []

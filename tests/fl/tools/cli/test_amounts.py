"""Amounts and times as people write them: exact there and back, and whatever is none is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import TermsError
from fl.network.denomination import Denomination
from fl.tools.cli.amounts import parse_amount, parse_duration, show_duration


@given(st.integers(0, 2**96), st.integers(0, 24))
def test_amount__there_and_back(units, decimals):
    assert parse_amount(Denomination(decimals, "T").number(units).replace(",", ""), decimals, "x") == units


@pytest.mark.parametrize("given, units", [("2.5", 2500), (2.5, 2500), (3, 3000), ("1_000", 10**6), (0.1, 100), ("1e2", 10**5)])
def test_amount__is_exact(given, units):
    assert parse_amount(given, 3, "x") == units


@pytest.mark.parametrize("given", ["", "x", "nan", "-inf", True, None, "1,5", -1, "0.0001", 1e40, [1]], ids=str)
def test_amount__that_is_none__is_refused_by_name(given):
    with pytest.raises(TermsError, match=r"^--stake (is|must be) "):
        parse_amount(given, 3, "--stake")


@pytest.mark.parametrize(
    "given, seconds", [(90, 90), ("90", 90), ("90s", 90), ("2h", 7200), ("1d 12h", 129600), ("1.5h", 5400), ("2W", 1209600)]
)
def test_duration__is_whole_seconds(given, seconds):
    assert parse_duration(given, "x") == seconds


@pytest.mark.parametrize("given", ["", "h", "2 hours", "1.5", 600.5, True, None, "0.1s", "2h and", "-1h"], ids=str)
def test_duration__that_is_none__is_refused_by_name(given):
    with pytest.raises(TermsError, match=r"^commit_window must be a time"):
        parse_duration(given, "commit_window")


@pytest.mark.parametrize("seconds, result", [(0, "0s"), (59, "59s"), (3600, "1h"), (3661, "1h 1m"), (90061, "1d 1h")])
def test_duration__is_told_in_two_units(seconds, result):
    assert show_duration(seconds) == result

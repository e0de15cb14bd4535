"""The committee for the seats that are expected: what a sponsor wrote stays, and the terms stay legal."""

import pytest

from fl.tools.federation.terms_file import PRESETS, for_seats

LAPTOP = PRESETS["laptop"]


@pytest.mark.parametrize("seats, committee", [(1, 3), (6, 3), (7, 5), (11, 5), (12, 7), (128, 7)])
def test_committee__grows_with_the_seats(seats, committee):
    terms = for_seats(LAPTOP, {}, seats)
    assert (terms["committee"], terms["min_reveals"]) == (committee, committee)
    assert {name for name in LAPTOP if terms[name] != LAPTOP[name]} <= {"committee", "min_reveals"}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_expectation__leaves_the_preset(preset):
    assert for_seats(PRESETS[preset], {"trim": 1}, None) == PRESETS[preset] | {"trim": 1}


def test_choice_of_the_sponsor__stays():
    assert for_seats(LAPTOP, {"committee": 3}, 50) == LAPTOP | {"committee": 3}
    assert for_seats(PRESETS["l2"], {}, 8)["min_reveals"] == 7  # more than the committee needs


@pytest.mark.parametrize("least, committee", [(2, 3), (3, 3), (4, 3), (5, 5), (6, 5), (7, 7), (20, 7)])
def test_committee__is_no_larger_than_the_reveals_that_a_round_may_have(least, committee):
    terms = for_seats(LAPTOP, {"min_reveals": least}, 30)
    assert (terms["committee"], terms["min_reveals"]) == (committee, least)

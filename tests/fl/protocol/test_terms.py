"""What the rules of terms name, one by one; and sets of seats.

when a federation has room for one: only the committee is too large for it
when a seat is no seat: it enters no set
"""

from dataclasses import replace

import pytest
from support.system import BASE_TERMS

from fl.protocol.seats import contains, from_bitmap, to_bitmap
from fl.protocol.terms import check


def broken(**terms: int) -> list[int]:
    return [number for number, _ in check(replace(BASE_TERMS, token=BASE_TERMS.sponsor, **terms))]


def test_check__room_for_one_seat__is_too_little_for_a_committee_alone():
    assert broken(max_seats=1) == [12] and broken(max_seats=0) == [10, 12] and broken(max_seats=129) == [10]


@pytest.mark.parametrize("term, rule", [("depth", 7), ("max_exponent", 8), ("trim", 9), ("strictness", 19), ("min_stake", 16)])
def test_check__below_zero__which_no_contract_can_see__breaks_the_rule(term, rule):
    assert rule in broken(**{term: -1})


def test_check__names_the_numbers_that_break_a_rule__and_the_depth():
    def said(**terms: int) -> str:
        return "; ".join(text for _, text in check(replace(BASE_TERMS, token=BASE_TERMS.sponsor, **terms), lambda n: f"{n} u"))

    walk = said(depth=1, answer_window=60, challenge_window=60)
    assert walk.startswith("challenge_window 60 s is below 4 x 60 s = 240 s at depth 1: a checker walks down the tree")
    assert said(commit_window=59, reveal_window=2_592_001) == (
        "commit_window 59 s, reveal_window 2592001 s: each window lasts 60 s to 2592000 s (30 days)"
    )
    slashes = {"no_reveal_slash": 2, "no_scores_slash": 3, "fraud_slash": 10, "challenge_fee": 4, "demand_deposit": 1}
    assert said(min_stake=14, **slashes) == "min_stake 14 u is below the slashes of a round together, 2 u + 3 u + 10 u = 15 u"
    assert said(min_stake=15, **slashes | {"no_reveal_slash": 4}).startswith(
        "no_reveal_slash 4 u: give at most a quarter of min_stake, which is 3 u; min_stake 15 u is below"
    )
    assert said(min_stake=100, **slashes | {"fraud_slash": 0}).startswith(
        "fraud_slash: at least 1 u each; challenge_fee 4 u + "
    )
    assert said(min_stake=15, depth=5, **slashes).startswith(
        "challenge_fee 4 u + 6 x 1 u of demand_deposit at depth 5 = 10 u: "
    )
    assert said(trainer_rate=2**88 + 1).startswith(f"trainer_rate {2**88 + 1} u: each amount is 0 to 2^88 token units")
    assert said(max_attempts=8, challenge_window=2_592_000).startswith("windows: a whole round with 8 max_attempts lasts 20")
    assert said(depth=23, challenge_window=2000, demand_deposit=0).startswith("depth 23: give 0 to 22")


@pytest.mark.parametrize("seat", [-1, 128])
def test_bitmap__of_what_is_no_seat__is_refused(seat):
    with pytest.raises(ValueError, match=f"seat {seat} is not in 0..127"):
        to_bitmap([0, seat])


def test_bitmap__holds_the_last_seat__and_none_beyond():
    assert from_bitmap(to_bitmap([127, 0])) == [0, 127]
    assert contains(1 << 127, 127) and not contains(1 << 128, 128)


WINDOWS = {
    "commit_window": 1,
    "reveal_window": 20,
    "draw_window": 300,
    "score_commit_window": 4_000,
    "score_reveal_window": 50_000,
    "settle_window": 600_000,
    "show_window": 7_000_000,
    "propose_window": 80_000_000,
    "challenge_window": 900_000_000,
}


def test_rounds__last_as_long_as_their_windows_by_hand():
    terms = replace(BASE_TERMS, max_attempts=2, **WINDOWS)
    assert terms.shortest_round() == 907_054_021
    assert terms.longest_round() == 7_654_321 + 2 * 980_000_000


def test_round_cost__by_hand():
    terms = replace(BASE_TERMS, trainer_rate=1, committee=3, validator_rate=100, proposer_fee=10_000)
    assert terms.round_cost(7) == 10_307

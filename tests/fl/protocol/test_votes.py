"""What becomes of votes on a candidate model."""

import pytest

from fl.protocol.scores import BEST
from fl.protocol.votes import adopted, distances, verdicts

SEATS = [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("yes", "committee", "result"), [(3, 3, True), (2, 3, False), (4, 5, True), (3, 5, False), (0, 3, False)]
)
def test_adoption__takes_more_than_two_thirds_of_the_committee(yes, committee, result):
    votes = {seat: b"\xff" if seat < yes else b"\0" for seat in range(committee)}
    assert adopted([any(vote) for vote in votes.values()], committee) is result
    assert verdicts(SEATS, votes, committee) == (b"\xff" if result else b"\0") * 4


def test_any_byte_but_zero__accepts():
    assert verdicts(SEATS, {0: b"\x01", 1: b"\x80", 2: b"\xff"}, 3) == b"\xff" * 4


def test_silence__is_not_in_favour():
    assert verdicts(SEATS, {0: b"\xff", 1: b"\xff"}, 3) == bytes(4)


@pytest.mark.parametrize(
    ("votes", "far"),
    [
        ("110", [0, 0, 1]),
        ("100", [1, 0, 0]),
        ("111", [0, 0, 0]),
        ("000", [0, 0, 0]),
        ("10", [0, 0]),
        ("11100", [0, 0, 0, 1, 1]),
    ],
)
def test_distance__is_all_the_way_from_the_majority_of_the_votes_cast__and_a_tie_costs_nobody(votes, far):
    cast = {seat: b"\xff" if vote == "1" else b"\0" for seat, vote in enumerate(votes)}
    assert distances(SEATS, cast) == {seat: BEST * 3 * one for seat, one in enumerate(far)}

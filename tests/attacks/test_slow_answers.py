"""Slow answers

Tries: hides a model with one wrong leaf and answers each demand in the last second, so that the search outlasts the window
Attacker pays: the slash for fraud, unless a checker's demands wait too long to be included
Victim pays: a wrong model stands if a demand takes longer than the window's spare time over depth + 1. See challenge, answer
"""

import pytest
from attacks.gallery import files, leaf_and_path
from support.evm import Reverted
from support.system import CHALLENGER, System, operator

from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model

DEPTH, WALK = 3, (0, 4, 6, 7)  # to the leaf that is farthest


@pytest.mark.parametrize(
    "windows, late, caught",
    [(DEPTH + 3, 14, True), (DEPTH + 3, 16, False), (2 * DEPTH + 6, 60, True)],
    ids=["least window, prompt", "least window, a quarter of an answer late", "advised window, an answer late"],
)
def test_walk__ends_in_time__if_demands_arrive_within_the_spare_time(windows: int, late: int, caught: bool):
    answer = 60
    s = System.create(depth=DEPTH, answer_window=answer, challenge_window=windows * answer).join(3).fund()
    s.to_propose(files(3, DEPTH)).rich(CHALLENGER)
    values = parse_model(s.aggregate(), DEPTH).copy()
    values[7 * LEAF_PARAMETERS] += 1
    s.propose(pack_model(values))
    try:
        for leaf in WALK:
            s.evm.warp(s.evm.time + late)
            s.do("demand", 0, 0, leaf, by=CHALLENGER)
            s.evm.warp(s.evm.time + answer - 1)
            s.do("answer", 0, 0, leaf, *leaf_and_path(s.proposal, Kind.MODEL, leaf), by=operator(0))
        s.evm.warp(s.evm.time + late)
        s.do("challenge", 7, 0, s.proof(7), by=CHALLENGER)
    except Reverted as error:
        assert error.name == "DemandTooLate" and leaf == WALK[-1]
    assert bool(s.round.fallen) is caught

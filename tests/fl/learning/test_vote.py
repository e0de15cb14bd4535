"""The vote on a candidate, and federations whose updates are masked."""

import math

import pytest

from fl.learning.data.partition import split
from fl.learning.research import baselines
from fl.learning.research.masked import course
from fl.learning.task_loading import load_task
from fl.learning.vote import accepts
from fl.protocol.votes import adopted


def test_vote__allows_noise_and_refuses_harm():
    assert accepts(1.0, 0.4, 0.4) and accepts(1.0, 0.4, 0.5)
    assert not accepts(1.0, 0.4, 0.52)
    assert accepts(1.0, 0.0, 0.01) and not accepts(1.0, 0.0, 0.011)
    assert not accepts(1.0, 0.4, math.nan) and not accepts(1.0, 0.4, math.inf)


@pytest.mark.parametrize(
    ("yes", "committee", "result"), [(2, 3, False), (3, 3, True), (3, 4, True), (6, 9, False), (7, 9, True)]
)
def test_vote__needs_more_than_two_thirds_of_the_committee(yes: int, committee: int, result: bool):
    assert adopted([True] * yes, committee) is result
    assert adopted([True] * yes + [False] * (committee - yes), committee) is result


@pytest.fixture(scope="module")
def heart():
    task = load_task("heart")
    return task, split(task.data(), 4, None, 0)


def test_masked_sum__learns_what_float_fedavg_learns(heart):
    task, data = heart
    end = course(task, data, 6, 0)
    assert end.refused == 0
    assert abs(end.metric - baselines.float_fedavg(task, data, 6, 0)) < 0.01


@pytest.mark.parametrize("cheat", ["garbage", "spikes"])
def test_files_of_noise__are_refused_and_move_nothing_beyond_the_cap(heart, cheat: str):
    task, data = heart
    end = course(task, data, 3, 0, cheat)
    assert end.refused == end.rounds == 3
    assert end.moved <= 255

"""Scores: leave-one-out by hand, harm is worth nothing, the byte's range, the yardstick and the memory behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.learning.codec import depth_of, to_vector
from fl.learning.partition import Part, split
from fl.learning.scoring import FIRST_YARDSTICK, WINDOW, PublicRound, Scorer, contributions
from fl.learning.task import build, load_task
from fl.learning.trainer import Evaluator, local_change
from fl.protocol.artifact import pad
from fl.protocol.fixed_point import to_fixed

TARGET = 1000


def off_target(vector) -> float:
    """A loss that can be read off: the distance of the only number from TARGET."""
    return float(abs(TARGET - int(vector[0])))


class Ruler:
    """An evaluator whose loss is `off_target`, or whatever else is given."""

    def __init__(self, loss=off_target):
        self.measure = loss

    def loss(self, vector, part) -> float:
        return self.measure(vector)


NOBODY = Part(np.empty((0, 1), np.float32), np.empty(0))


def round_of(moves: dict[int, int], number: int = 1, base: int = 0, trim: int = 0) -> PublicRound:
    """A round of a model with one number, at `base`, that each seat moves by so much."""
    accepted = {seat: np.array([move], np.int32) for seat, move in moves.items()}
    return PublicRound(number, np.array([base], np.int32), accepted, trim)


def score(moves: dict[int, int], revealed=None, past=(), medians=None, loss=off_target) -> list[int]:
    scorer = Scorer(Ruler(loss), NOBODY)
    return list(scorer.score(list(revealed or moves), round_of(moves, 99), past, medians or {}))


def test_contributions__by_hand():
    # All three: 200, so 800 off. Without 0: 0 (1000 off). Without 1: 100 (900). Without 2, which hurts: 500 (500).
    assert contributions(off_target, round_of({0: 600, 1: 400, 2: -400})) == {0: 0.2, 1: 0.1, 2: 0.0}


def test_contributions__follow_the_trim_of_the_federation():
    # The median of three is 400 (600 off). Of two it is their mean: without 0: 0 (1000), without 1: 100 (900), without 2: 500.
    assert contributions(off_target, round_of({0: 600, 1: 400, 2: -400}, trim=1)) == {0: 0.4, 1: 0.3, 2: 0.0}


@given(st.dictionaries(st.integers(0, 127), st.integers(-3000, 3000), min_size=1, max_size=8))
def test_contributions__are_never_negative__and_hurting_is_worth_nothing(moves):
    worth = contributions(off_target, round_of(moves))
    full = int(sum(moves.values()) / len(moves))
    for seat in moves:
        others = [move for other, move in moves.items() if other != seat]
        without = int(sum(others) / len(others)) if others else 0
        assert worth[seat] == max(0.0, off_target([without]) - off_target([full])) / TARGET


def test_contributions__of_nobody__and_to_a_perfect_model__are_none():
    assert contributions(off_target, round_of({})) == {}
    assert contributions(off_target, round_of({4: -7}, base=TARGET)) == {4: 0.0}


@given(
    st.dictionaries(st.integers(0, 9), st.integers(-(2**20), 2**20), min_size=1),
    st.sets(st.integers(10, 19)),
    st.dictionaries(st.integers(0, 19), st.integers(0, 255)),
)
def test_score__is_a_byte__and_zero_only_for_those_left_out(moves, left_out, medians):
    revealed = sorted({*moves, *left_out})
    told = score(moves, revealed, medians=medians)
    assert len(told) == len(revealed) and all(0 <= byte <= 255 for byte in told)
    assert {seat for seat, byte in zip(revealed, told, strict=True) if byte == 0} == left_out


@pytest.mark.parametrize(
    "move, byte",
    [(-500, 1), (0, 1), (10, 51), (25, 128), (50, 255), (900, 255)],  # 50 of 1000 is the first yardstick
)
def test_score__of_a_first_round__is_a_share_of_the_first_yardstick(move, byte):
    assert FIRST_YARDSTICK * TARGET == 50
    assert score({0: move}) == [byte]


def test_score__measures_by_the_median_best_of_the_last_five_rounds__in_any_order():
    best = [900, 100, 200, 300, 400, 500]  # the oldest is forgotten
    past = [round_of({0: move}, number) for number, move in enumerate(best)]
    assert len(best) == WINDOW + 1
    assert score({5: 150}, past=past) == score({5: 150}, past=past[::-1]) == [round(255 * 150 / 300)]
    assert score({5: 150}, past=past[:1]) == [round(255 * 150 / 900)]


def test_score__past_rounds_that_helped_nobody__are_no_yardstick():
    past = [round_of({0: -100}, 1), round_of({}, 2), round_of({0: 300}, 3)]
    assert score({5: 150}, past=past) == [128]
    assert score({5: 25}, past=past[:2]) == [128]  # the first yardstick again


@pytest.mark.parametrize("last, expected", [(None, 128), (128, 128), (255, 191), (0, 64), (1, 64)])
def test_score__is_half_the_last_public_median(last, expected):
    assert score({0: 25}, medians={} if last is None else {0: last}) == [expected]


def test_scorer__remembers_nothing_that_it_could_not_rebuild():
    rounds = [round_of({0: 100 * n, 1: 300}, n) for n in range(1, 9)]
    lasting = Scorer(Ruler(), NOBODY)
    for n, now in enumerate(rounds):
        fresh = Scorer(Ruler(), NOBODY)
        assert lasting.score([0, 1], now, rounds[:n], {0: 9}) == fresh.score([0, 1], now, rounds[:n], {0: 9})


def test_score__of_real_training__beats_its_opposite():
    task = load_task("heart")
    data = split(task.data(), 4, None, 0)
    base = to_vector(build(task, 0))
    changes = {
        seat: pad(local_change(task, base, shard.train, np.random.default_rng(seat)), depth_of(build(task, 0)))
        for seat, shard in enumerate(data.shards)
    }
    changes[4] = -changes[0]
    now = PublicRound(1, base, {seat: to_fixed(change) for seat, change in changes.items()}, 0)
    told = [Scorer(Evaluator(task), shard.held_out).score(range(5), now, [], {}) for shard in data.shards]
    mean = np.mean([list(t) for t in told], axis=0)
    assert mean[4] == 1 < mean[0]


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_score__by_a_loss_that_is_no_number__is_worth_nothing(bad):
    assert score({0: 100, 1: 50}, loss=lambda vector: bad) == [1, 1]

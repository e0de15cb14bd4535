"""Shapley by hand and by its axioms; estimates within their budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.learning.research import shapley
from fl.learning.scoring import PublicRound


def worth_of(moves: dict[int, int], target: int = 1000) -> shapley.Worth:
    accepted = {seat: np.array([move], np.int32) for seat, move in moves.items()}
    round_ = PublicRound(1, np.zeros(1, np.int32), accepted, 0)
    return shapley.Worth(round_, lambda models: np.abs(target - models[:, 0].astype(float)))


def test_exact__of_two_by_hand():
    # Alone 600 and 200, together their mean 400: 0 adds 600 or 200, 1 adds 200 or -200.
    assert shapley.exact(worth_of({0: 600, 1: 200}), [0, 1]) == {0: 400.0, 1: 0.0}


@given(st.dictionaries(st.integers(0, 9), st.integers(-900, 900), min_size=1, max_size=6))
def test_exact__sums_to_the_whole__and_equals_earn_alike(moves):
    result = shapley.exact(worth_of(moves), sorted(moves))
    whole = worth_of(moves).of([frozenset(moves)])[0]
    assert sum(result.values()) == pytest.approx(whole, abs=1e-6)
    for a in moves:
        for b in moves:
            assert moves[a] != moves[b] or result[a] == pytest.approx(result[b], abs=1e-6)


@pytest.mark.parametrize("guided", [False, True])
def test_monte_carlo__keeps_its_budget__and_comes_near(guided):
    moves = {seat: 100 * seat - 150 for seat in range(8)}
    worth = worth_of(moves)
    result = shapley.monte_carlo(worth, range(8), 64, 0, guided)
    assert worth.evaluated <= 64 + 8
    assert shapley.rank_correlation(shapley.exact(worth_of(moves), range(8)), result) > 0.85
    assert result == shapley.monte_carlo(worth_of(moves), range(8), 64, 0, guided)


def test_leave_one_out__asks_for_one_model_an_update():
    worth = worth_of({0: 600, 1: 400, 2: -400})
    assert shapley.leave_one_out(worth, range(3)) == {0: 200.0, 1: 100.0, 2: -300.0}
    assert worth.evaluated == 5

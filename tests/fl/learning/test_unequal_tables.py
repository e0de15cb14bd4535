"""Nobody cheats, and some have a hundred times as many rows as others: the gate must not cost them what they know."""

import numpy as np
import pytest

from fl.learning.data.partition import Part, Shard, Split
from fl.learning.evaluator import Evaluator
from fl.learning.research.offchain import Cell, Play, play, small_digits

SEEDS = 2


def unequal(sizes: list[int], seed: int) -> Split:
    """The digits dealt out evenly at random, so many rows to each seat; the test rows are nobody's."""
    data = small_digits().data()
    order = np.random.default_rng([seed, 11]).permutation(len(data.x))
    dealt = np.split(order[450 : 450 + sum(sizes)], np.cumsum(sizes)[:-1])
    parts = [Part(data.x[rows], data.y[rows]) for rows in dealt]
    return Split(tuple(Shard(f"seat {i}", part, part) for i, part in enumerate(parts)), Part(*_rows(data, order[:450])))


def _rows(data, rows):
    return data.x[rows], data.y[rows]


def left_out(p: Play) -> float:
    return 1 - sum(map(len, p.inside)) / (len(p.inside) * p.honest)


@pytest.mark.parametrize("sizes", [[1200] + [12] * 9, [3, 3, 3, 10, 10, 30, 30, 100, 300, 800]], ids=["one-large", "3-to-800"])
def test_seats_with_few_rows__cost_a_large_one_nothing(sizes):
    task = small_digits()
    splits = {seed: unequal(sizes, seed) for seed in range(SEEDS)}
    cells = [Cell("honest", 0, gate, 0, seed) for gate in ("agreement", "none") for seed in splits]
    played = play(task, splits, cells, 15)
    metrics = [Evaluator(task).metric(p.vector, p.split.test) for p in played]
    gated, plain = metrics[:SEEDS], metrics[SEEDS:]
    assert min(gated) > 0.88
    assert all(g > p - 0.02 for g, p in zip(gated, plain, strict=True))
    assert max(left_out(p) for p in played[:SEEDS]) < 0.02

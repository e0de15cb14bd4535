"""The tables that compare with others: what is counted, who holds which rows, and which table is rebuilt."""

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.data.partition import Part
from fl.learning.evaluator import Evaluator
from fl.learning.research.baselines import exact_fedavg, exact_models
from fl.learning.research.flamby import bench, yogi
from fl.learning.research.offchain import small_digits
from fl.learning.task_loading import load_task
from fl.tools.research import flamby, rounds, unequal


@pytest.mark.parametrize(
    "curve, first",
    [([0.1, 0.9, 0.95], 1), ([0.1, 0.9, 0.5, 0.9], 3), ([0.9, 0.9], 0), ([0.1, 0.9, 0.8], None), ([0.1, float("nan")], None)],
)
def test_reached__is_the_round_from_which_on_it_stays(curve, first):
    assert rounds.reached(curve, 0.85) == first


def test_scikit_learn__is_chosen_on_held_out_rows__and_measured_on_the_test_rows():
    task, rng = load_task("heart"), np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = (np.hypot(x[:, 0], x[:, 1]) > 1.2).astype(np.float32)  # no line divides them
    parts = [Part(x[i::3], y[i::3]) for i in range(3)]
    name, metric = rounds.by_scikit_learn(task, parts[:1], parts[1:2], parts[2])
    assert name in ("support vectors", "random forest") and metric > 0.9


@pytest.mark.parametrize("name", unequal.CASES)
def test_cases__deal_nobody_s_test_rows__and_the_same_again_for_a_seed(name):
    data = small_digits().data()
    one, again = unequal.dealt(data, name, 3), unequal.dealt(data, name, 3)
    assert [len(s.train) for s in one.shards] == [len(s.train) for s in again.shards]
    assert len(one.shards) == unequal.SEATS and min(len(s.train) for s in one.shards) >= 3
    if name != unequal.TURNED:
        test = {row.tobytes() for row in one.test.x}
        assert sum(row.tobytes() in test for s in one.shards for row in s.train.x) < 0.01 * len(data.x)  # digits has twins


def test_flamby__is_rebuilt_but_for_one_patient_whom_another_centre_has():
    b = bench()
    assert [len(s.train) + len(t) for s, t in zip(b.centres.shards, b.tests, strict=True)] == [304, 260, 46, 130]
    assert all(abs(s.train.x[:, 0].mean()) < 1e-5 for s in b.centres.shards)
    with pytest.raises(TaskError, match="leave --task out"):
        flamby.flamby(("heart",), 1, None)


def test_yogi__moves_as_its_authors_say():
    """m = 0.9 m + 0.1 d; v = v - 0.001 d^2 sign(v - d^2); the model moves by 0.01 m / (sqrt(v) + tau)."""
    server, change = yogi(), np.array([0.5, -2.0])
    root = np.sqrt(0.001)  # v is 0.001 d^2 after the first change
    assert server(change) == pytest.approx(0.01 * 0.1 / root * np.sign(change), rel=1e-5)
    small = 0.03 * change  # its square is below v, which then shrinks by a share of the square, and Adam's by a share of v
    m, v = 0.9 * 0.1 * change + 0.1 * small, 0.001 * change**2 - 0.001 * small**2
    assert server(small) == pytest.approx(0.01 * m / np.sqrt(v), rel=1e-5)


def test_exact_models__with_a_gate__end_where_its_metric_is_told():
    task = small_digits()
    data = unequal.dealt(task.data(), "Dirichlet 0.5", 0)
    models = list(exact_models(task, data, 2, 0, gate="agreement"))
    assert len(models) == 3 and (models[1] != models[2]).any()
    assert exact_fedavg(task, data, 2, 0, gate="agreement") == Evaluator(task).metric(models[-1], data.test)

"""Intervals that cover, repeat themselves and know a difference from none; calibration that a person can add up."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from fl.errors import TaskError
from fl.learning.inference import Predictions
from fl.learning.task_loading import load_task
from fl.learning.uncertainty import bootstrap, calibration

HEART, LINEAR = load_task("heart"), load_task("linear")


def scores(n: int, apart: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(np.float32)
    return torch.from_numpy((rng.normal(size=n) + apart * y).astype(np.float32)), torch.from_numpy(y)


def test_interval__repeats_itself__and_holds_the_value():
    outputs, targets = scores(90, 1.0, 0)
    first, again, other = (bootstrap(HEART, outputs, targets, 200, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.low < first.value < first.high
    assert first.value == pytest.approx(roc_auc_score(targets.numpy(), outputs.numpy()))


def test_interval__covers_the_truth_about_as_often_as_it_says():
    """The AUC of two normals one apart is Phi(1 / sqrt 2) = 0.760; such intervals of 90 rows cover a little less than 95 %."""
    covered = 0
    for seed in range(80):
        found = bootstrap(HEART, *scores(90, 1.0, 100 + seed), 120, 0)
        covered += found.low <= 0.7602 <= found.high
    assert 68 <= covered <= 80


def test_interval__narrows_with_rows():
    few, many = (bootstrap(HEART, *scores(n, 1.0, 5), 200, 0) for n in (60, 960))
    assert (many.high - many.low) < 0.5 * (few.high - few.low)


def test_interval__of_a_number__resamples_all_rows_alike():
    outputs = torch.tensor([[1.0], [2.0], [3.0]])
    found = bootstrap(LINEAR, outputs, torch.tensor([[1.0], [2.0], [5.0]]), 300, 0)
    assert found.value == pytest.approx(4 / 3) and found.low == 0 and found.high <= 4


def test_difference__is_resampled_together():
    """The same model twice differs by nothing at all, in every resample; a better one is better for sure."""
    outputs, targets = scores(120, 1.0, 7)
    none = bootstrap(HEART, outputs, targets, 100, 0, against=outputs)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    better = bootstrap(HEART, outputs + 3 * targets, targets, 100, 0, against=outputs)
    assert better.low > 0


def test_one_class__has_no_auc():
    with pytest.raises(TaskError, match="every row has the same target, and an AUC compares two classes: give rows of both"):
        bootstrap(HEART, torch.zeros(5), torch.ones(5), 100, 0)


def test_calibration__added_up_by_hand():
    second = np.array([0.05, 0.05, 0.05, 0.05, 0.95, 0.95])
    result = Predictions(("no", "yes"), np.stack([1 - second, second], axis=1))
    found = calibration(result, np.array([0, 0, 0, 1, 1, 1], np.float32))
    assert (found.of, [(b.low, b.rows, b.observed.value) for b in found.bins]) == ("yes", [(0.0, 4, 0.25), (0.9, 2, 1.0)])
    assert found.error == pytest.approx((4 * 0.20 + 2 * 0.05) / 6)
    assert found.brier == pytest.approx((3 * 0.05**2 + 0.95**2 + 2 * 0.05**2) / 6)
    quarter = found.bins[0].observed  # Wilson's interval of 1 in 4, from any table
    assert (quarter.low, quarter.high) == (pytest.approx(0.0456, abs=1e-4), pytest.approx(0.6994, abs=1e-4))
    assert 0 < found.bins[1].observed.low < found.bins[1].observed.high == pytest.approx(1)


def test_calibration__of_many_classes__is_of_the_one_predicted():
    result = Predictions(("a", "b", "c"), np.array([[0.8, 0.1, 0.1], [0.2, 0.75, 0.05]]))
    found = calibration(result, np.array([0, 2]))
    assert found.of == "the class predicted"
    assert [(b.rows, b.observed.value) for b in found.bins] == [(1, 0.0), (1, 1.0)]


def test_calibration__is_of_classes_alone():
    assert calibration(Predictions(values=np.zeros((2, 1))), np.zeros(2)) is None
    assert calibration(Predictions(("a", "b"), np.full((2, 2), 0.5)), np.zeros((2, 3))) is None

"""ByzFL's aggregators as gates: without the rest of the package, each told what it needs, and no gate where it is missing.

Here a stand-in answers for the library; `make byzfl` runs the real one."""

import sys

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.data.partition import split
from fl.learning.research import robust_rules
from fl.learning.research.offchain import Cell, play
from fl.learning.task_loading import load_task
from fl.tools.research.experiment import SETTINGS, Grid, run

STAND_IN = """
import numpy as np

class Median:
    def __call__(self, x):
        return np.median(x, axis=0)

class SMEA:
    def __init__(self, f):
        self.f = f
    def __call__(self, x):
        return self.f + np.random.rand(x.shape[1])

class NNM(SMEA):
    def __call__(self, x):
        return x + self.f

class Krum(SMEA):
    def __call__(self, x):
        return x[0] * self.f

class CenteredClipping:
    def __init__(self, tau):
        self.tau = tau
    def __call__(self, x):
        return self.m + self.tau

class CAF(SMEA):
    def __call__(self, x):
        return np.full(x.shape[1], np.nan)
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "byzfl"
    (folder / "aggregators").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('the whole package is loaded')")
    (folder / "aggregators" / "__init__.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("byzfl", "byzfl.aggregators"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    robust_rules.library.cache_clear()
    yield
    robust_rules.library.cache_clear()
    for name in ("byzfl", "byzfl.aggregators"):
        sys.modules.pop(name, None)


X, LAST = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 60.0]]), np.array([1.0, 1.0])


def test_rules__are_told_a_third__clip_at_the_median_distance_to_the_last_change__and_mix_first(library):
    assert robust_rules.rule("byzfl:Median")(X, LAST).tolist() == [3, 4]
    assert robust_rules.rule("byzfl:NNM+Krum")(X, LAST).tolist() == [2, 3]
    assert robust_rules.rule("byzfl:CenteredClipping")(X, LAST) == pytest.approx(1 + np.hypot(2, 3))
    assert robust_rules.rule("byzfl:CAF")(X, LAST).tolist() == [0, 0]  # not a number: the model stays


def test_rule_that_draws__gives_the_same_again__and_leaves_the_generator_alone(library):
    np.random.seed(5)
    wanted = np.random.rand()
    np.random.seed(5)
    one, other = (robust_rules.rule("byzfl:SMEA")(X, LAST).tolist() for _ in range(2))
    assert one == other and np.random.rand() == wanted


def test_gate_that_is_missing__is_refused(library, tmp_path, monkeypatch):
    with pytest.raises(TaskError, match=r"no gate 'byzfl:Krumm': ByzFL's are byzfl:Median, byzfl:GeometricMedian"):
        robust_rules.rule("byzfl:Krumm")
    robust_rules.library.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        TaskError, match=r"ByzFL is not installed here: run `make byzfl`, or leave gates that begin with byzfl:"
    ):
        run(Grid(parts=("gates",), settings=SETTINGS[:1], gates=("byzfl:Median",)), tmp_path / "out")


def test_play__moves_by_what_the_rule_says__of_every_update(library):
    task = load_task("breast_cancer")
    splits = {0: split(task.data(), 7, 0.5, 0)}
    cells = [Cell("scaled_flip", 3, gate, 0, 0) for gate in ("none", "byzfl:Median")]
    open_, median = play(task, splits, cells, 2)
    assert median.inside == [frozenset(range(10))] * 2
    first = median.rounds[0]
    moved = np.median(np.stack([first.accepted[seat][:] for seat in range(10)]).astype(float), axis=0)
    assert np.abs(median.earlier - first.base - moved).max() <= 1 and (open_.vector != median.vector).any()

"""Local training against torch.optim and against sums done by hand; measuring; the same seed, the same bits."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fl.errors import NumberError, TaskError
from fl.learning.batched import together
from fl.learning.codec import encode_update, floats_of, load_floats, to_vector
from fl.learning.data.partition import Part
from fl.learning.evaluator import Evaluator, load_and_measure
from fl.learning.task import Data, LocalTraining, Task, build
from fl.learning.trainer import local_change, train
from fl.protocol.artifact import parse_update
from fl.protocol.fixed_point import UNIT, to_float


class Curve(Task):
    """A small network on 11 rows: batches of four leave a ragged last one."""

    name, metric, higher_is_better, max_exponent = "curve", "mean squared error", False, 20

    def __init__(self, **settings: float):
        self.training = replace(LocalTraining(learning_rate=0.1, steps=18, batch_size=4), **settings)

    def data(self) -> Data:
        x = np.linspace(-1, 1, 11, dtype=np.float32)[:, None]
        return Data(x, x**2, public=True)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))

    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs, targets):
        return float(self.loss(outputs, targets))


class Slope(Curve):
    """y = w x with one weight, which begins at 1."""

    def model(self) -> nn.Module:
        line = nn.Linear(1, 1, bias=False)
        nn.init.ones_(line.weight)
        return line


class Forgetful(Curve):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.5), nn.Linear(16, 1))


def rows(task: Task) -> Part:
    data = task.data()
    return Part(data.x, data.y)


def trained(task: Task, seed: int = 0) -> np.ndarray:
    model = build(task, 3)
    train(task, model, rows(task), np.random.default_rng(seed))
    return floats_of(model)


def by_torch(task: Task, seed: int = 0) -> np.ndarray:
    """The same training by torch.optim.SGD, FedProx's term as a term of the loss."""
    model, part, t = build(task, 3), rows(task), task.training
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=t.learning_rate, momentum=t.momentum, weight_decay=t.weight_decay)
    start = [w.detach().clone() for w in model.parameters()]
    x, y = torch.from_numpy(part.x), torch.from_numpy(part.y)
    size = min(t.batch_size, len(part))
    order = np.concatenate([rng.permutation(len(part)) for _ in range(-(-t.steps * size // len(part)))])
    for batch in order[: t.steps * size].reshape(t.steps, size):
        near = sum(((w - w0) ** 2).sum() for w, w0 in zip(model.parameters(), start, strict=True))
        optimizer.zero_grad()
        (task.loss(model(x[batch]), y[batch]) + t.proximal / 2 * near).backward()
        optimizer.step()
    return floats_of(model)


SETTINGS = [
    {},
    {"momentum": 0.9},
    {"weight_decay": 0.3},
    {"proximal": 2.0},
    {"momentum": 0.5, "weight_decay": 0.1, "proximal": 1.0},
    {"batch_size": 11},
    {"batch_size": 100, "steps": 2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_train__does_what_torch_s_own_optimizer_does(settings):
    task = Curve(**settings)
    assert np.abs(trained(task) - by_torch(task)).max() < 1e-6
    if settings:
        assert np.abs(trained(task) - trained(Curve())).max() > 1e-3


@pytest.mark.parametrize(
    "settings, expected",
    [
        # One row x = 1, y = 0: the gradient is 2w, the rate 0.1, w begins at 1. After one step w = 1 - 0.1 * 2 = 0.8.
        ({}, 0.8 - 0.1 * 1.6),
        ({"momentum": 0.5}, 0.8 - 0.1 * (0.5 * 2 + 1.6)),
        ({"weight_decay": 1.0}, 0.7 - 0.1 * (2 * 0.7 + 0.7)),
        ({"proximal": 1.0}, 0.8 - 0.1 * (1.6 + 0.8 - 1)),
    ],
    ids=str,
)
def test_train__two_steps_by_hand(settings, expected):
    task = Slope(steps=2, **settings)
    model, one = build(task, 0), np.ones((1, 1), np.float32)
    train(task, model, Part(one, 0 * one), np.random.default_rng(0))
    assert model.weight.item() == pytest.approx(expected, abs=1e-6)


def test_train__same_seed_same_bits__another_seed_another_order():
    task = Curve(momentum=0.5)
    first = trained(task, 1)
    torch.manual_seed(99)  # the world's randomness has no say
    assert (trained(task, 1) == first).all() and (trained(task, 2) != first).any()


def test_train__learns():
    task = Curve(steps=1200)
    before, after = (load_and_measure(task, floats, rows(task)) for floats in (floats_of(build(task, 3)), trained(task)))
    assert after < before / 10


def test_local_change__is_after_minus_before__from_the_model_given():
    task = Curve()
    base = to_vector(build(task, 3))
    kept = base.copy()
    change = local_change(task, base, rows(task), np.random.default_rng(0))
    model = build(task, 0)
    load_floats(model, to_float(base))
    train(task, model, rows(task), np.random.default_rng(0))
    assert (change == floats_of(model) - to_float(base)[: change.size]).all() and change.any()
    assert (base == kept).all()


def test_local_change__as_an_update__is_the_change_within_a_step__and_the_rest_is_kept():
    task = Curve()
    base = to_vector(build(task, 3))
    change = local_change(task, base, rows(task), np.random.default_rng(0))
    data, residual = encode_update(change, None, 0, task.max_exponent, np.random.default_rng(0))
    sent = to_float(parse_update(data, 0, task.max_exponent))[: change.size]
    assert np.abs(sent - change).max() <= np.abs(change).max() / 63
    assert np.abs(sent + residual - change).max() < UNIT / 1000


def test_local_change__that_diverged__is_refused_with_a_remedy():
    task = Curve(learning_rate=1000.0, steps=1200)
    change = local_change(task, to_vector(build(task, 3)), rows(task), np.random.default_rng(0))
    with pytest.raises(NumberError, match="lower the learning rate"):
        encode_update(change, None, 0, task.max_exponent, np.random.default_rng(0))


def test_evaluator__keeps_nothing_of_the_last_model():
    task = Curve()
    evaluator, part = Evaluator(task), rows(task)
    first, second = (to_vector(build(task, seed)) for seed in (1, 2))
    result = [evaluator.loss(v, part) for v in (first, second, first)]
    assert result[0] == result[2] != result[1]
    assert result == [Evaluator(task).metric(v, part) for v in (first, second, first)]
    assert result[0] == load_and_measure(task, to_float(first), part)


def test_train__with_dropout__follows_the_seed():
    assert (trained(Forgetful()) == trained(Forgetful())).all()


def test_evaluator__measures_without_dropout():
    task = Forgetful()
    evaluator, vector = Evaluator(task), to_vector(build(task, 3))
    assert len({evaluator.loss(vector, rows(task)) for _ in range(5)}) == 1


# ---- devices


class Watched(Curve):
    """Notes where its batches are computed."""

    def __init__(self, device: str):
        super().__init__(device=device)
        self.seen: set[str] = set()

    def loss(self, outputs, targets):
        self.seen |= {outputs.device.type, targets.device.type}
        return super().loss(outputs, targets)


def changed(task: Task) -> np.ndarray:
    data = task.data()
    return local_change(task, to_vector(build(task, 0)), Part(data.x, data.y), np.random.default_rng(1))


def test_device__is_where_batches_are_computed__and_not_in_the_manifest():
    task = Watched("meta")
    with pytest.raises((TaskError, NotImplementedError)):  # that device computes shapes alone, so nothing comes back
        changed(task)
    assert task.seen == {"meta"}
    assert task.training.shared() == Curve().training.shared() and not together(task)


def test_device__named_otherwise__gives_the_same_bits():
    one, other = changed(Watched("cpu")), changed(Watched("cpu:0"))
    assert one.any() and np.array_equal(one, other)


def test_device__that_this_machine_lacks__is_refused_by_name():
    with pytest.raises(TaskError, match=r"device 'vulkan' cannot be used here: .*such as \"cpu\""):
        changed(Watched("vulkan"))


def test_threads__are_one_once_a_task_is_loaded__and_importing_changes_nothing():
    code = "import torch, fl.learning.task_loading as t; n = torch.get_num_threads(); t.load_task('linear')"
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    call = [sys.executable, "-c", f"{code}; print(n, torch.get_num_threads())"]
    shown = subprocess.run(call, env=environment, check=True, capture_output=True, text=True).stdout
    assert shown.split() == ["2", "1"]


def test_epochs__of_older_task_files__count_as_ten_steps_each():
    old = LocalTraining(learning_rate=0.1, epochs=2, batch_size=16)
    assert old == LocalTraining(learning_rate=0.1, steps=20, batch_size=16) and old.shared().steps == 20
    assert replace(old, steps=3).steps == 3
    for epochs in (0, -1, 1.5, 10**9):
        with pytest.raises(TaskError, match="give steps instead"):
            LocalTraining(learning_rate=0.1, epochs=epochs)

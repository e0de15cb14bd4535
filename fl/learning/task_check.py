"""A task tried on a few rows before anything depends on it: what does not fit in somebody's own file is told by name."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.codec import floats_of
from fl.learning.data.partition import Part
from fl.learning.task import Data, SelfTrained, Task, build, foreign
from fl.learning.trainer import train

FEW = 64
WITHIN = 128.0  # of zero: where fixed point holds a parameter


def table_of(task: Task) -> Data:
    """The task's table, looked through. Raises TaskError that says what to mend."""
    with foreign(task, "data() fails"):
        data = task.data()
    if not isinstance(data, Data):
        raise TaskError(f"task {task.name}: data() gives {type(data).__name__}: let it return Data(x, y)")
    if data.elsewhere:
        return data
    for what, values in (("x", data.x), ("y", data.y)):
        _array(task, what, values)
    if len(data.x) != len(data.y):
        told = f"{len(data.x)} rows of x and {len(data.y)} of y"
        raise TaskError(f"task {task.name}: data() gives {told}: every row needs its target")
    if not len(data.x):
        raise TaskError(f"task {task.name}: data() gives no rows: there is nothing to learn from")
    return data


def _array(task: Task, what: str, values: object) -> None:
    if not isinstance(values, np.ndarray):
        raise TaskError(f"task {task.name}: {what} is a {type(values).__name__}: give a NumPy array of float32 or int64")
    if values.dtype not in (np.float32, np.int64):
        wanted = "float32" if what == "x" else "float32, or int64 for classes"
        raise TaskError(f"task {task.name}: {what} holds {values.dtype}: give it as {wanted} (.astype)")
    odd = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1) if len(values) else np.zeros(0, bool)
    if odd.any():
        row, count = int(np.flatnonzero(odd)[0]) + 1, int(odd.sum())
        raise TaskError(f"task {task.name}: {what} holds NaN or Inf in {count} rows, first in row {row}: fill or drop them")


def check_task(task: Task, x: NDArray[np.float32], y: NDArray[np.generic], private: bool = False) -> None:
    """Model, loss, metric and training on a few of the rows. Raises TaskError that says which of them does not fit.

    private: training clips, so that a rate that would be too large without is none."""
    if isinstance(task, SelfTrained):
        return
    model = build(task, 0).eval()
    few = np.unique(np.linspace(0, len(x) - 1, FEW).astype(int))
    inputs, targets = torch.from_numpy(x[few]), torch.from_numpy(y[few])
    shapes = f"rows of shape {tuple(x.shape[1:])} and targets of shape {tuple(y.shape[1:])}"
    with torch.no_grad(), torch.random.fork_rng():
        with foreign(task, f"model() does not take {shapes}"):
            outputs = model(inputs)
        with foreign(task, f"loss() fails on {shapes}"):
            loss = task.loss(outputs, targets)
        with foreign(task, "evaluate() fails"):
            try:
                metric = task.evaluate(outputs, targets)
            except ValueError:
                metric = 0.0  # such as an AUC, which needs both classes: few rows may lack one
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        kind = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TaskError(f"task {task.name}: loss() gives {kind}: let it return one number, the mean over the rows")
    if not isinstance(metric, int | float | np.number):
        raise TaskError(f"task {task.name}: evaluate() gives {type(metric).__name__}: let it return one number, as a float")
    if not private:
        _train_once(task, Part(x[few], y[few]))


def _train_once(task: Task, part: Part) -> None:
    """One pass over the rows from the first model. What leaves fixed point's range so soon learns nothing later."""
    once, model = copy(task), build(task, 0)
    once.training = replace(task.training, epochs=1)
    with foreign(task, "training fails"):
        train(once, model, part, np.random.default_rng(0))
    weights = np.abs(floats_of(model))
    if not (weights < WITHIN).all():  # NaN is not below it either
        told = f"one pass over {len(part)} rows takes a parameter to {weights.max():.2g}, and {WITHIN:g} is the bound"
        rate = f"learning_rate {task.training.learning_rate:g}"
        raise TaskError(f"task {task.name}: training diverges ({told}): lower its {rate}, or rescale the rows")

"""A finished model in use: its tensors by PyTorch's names, its outputs on rows, and the predictions for each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fl.errors import TaskError
from fl.learning.codec import load_vector, local
from fl.learning.task import Task, build, foreign

Module: TypeAlias = nn.Module  # for layers that import no torch
BATCH = 4096  # rows at a time


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for n rows: the classes with probabilities (n, classes), or values (n, k) where there are no
    classes."""

    classes: tuple[str, ...] = ()
    probabilities: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None


def module_of(task: Task, vector: NDArray[np.int32]) -> Module:
    """The task's module with a model's parameters (units), in eval mode."""
    return load_vector(build(task, 0), vector).eval()


def tensors_of(module: Module) -> dict[str, NDArray[np.float32]]:
    """The parameters by PyTorch's own names, and the buffers of local layers, which a participant's training moves."""
    return {name: p.detach().numpy().copy() for name, p in _kept(module).items()}


def module_from(task: Task, tensors: Mapping[str, NDArray[np.float32]]) -> Module:
    """The task's module with these parameters, in eval mode. Raises TaskError if they belong to another model."""
    module = build(task, 0)
    wanted = {name: tuple(p.shape) for name, p in _kept(module).items()}
    found = {name: tuple(values.shape) for name, values in tensors.items()}
    if wanted != found:
        name = next(n for n in (*wanted, *found) if wanted.get(n) != found.get(n))
        message = f"{name} is {found.get(name, 'missing')} in the file and {wanted.get(name, 'unknown')} in the task's model"
        raise TaskError(f"the parameters do not fit task {task.name}: {message}: give the task that the model was trained with")
    with torch.no_grad():
        for name, p in _kept(module).items():
            p.copy_(torch.from_numpy(np.ascontiguousarray(tensors[name])).reshape(p.shape))
    return module.eval()


def _kept(module: Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | local(module)


def outputs_of(task: Task, module: Module, x: NDArray[np.float32]) -> Tensor:
    """The model's outputs, (n, ...). Raises TaskError with the error of the task's code."""
    rows = torch.from_numpy(x)
    with torch.no_grad(), foreign(task, f"model() does not take rows of shape {tuple(x.shape[1:])}"):
        return torch.cat([module(batch) for batch in torch.split(rows, BATCH)])


def predictions(task: Task, outputs: Tensor) -> Predictions:
    """The predictions in the outputs, by the task's classes. Raises TaskError where classes and outputs do not fit."""
    with foreign(task, "answers() fails"):
        answers = task.answers(outputs)
    values = answers.detach().numpy().astype(np.float64)
    values = values.reshape(len(values), -1)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) + 1
        raise TaskError(f"task {task.name}: the model's output for row {row} is not a number: the model cannot handle this row")
    kinds, width = len(task.classes), values.shape[1]
    if not kinds:
        return Predictions(values=values)
    if kinds == 2 and width == 1:
        second = 1 / (1 + np.exp(-np.clip(values[:, 0], -700, 700)))
        return Predictions(task.classes, np.stack([1 - second, second], axis=1))
    if width != kinds:
        message = f"names {kinds} classes, and its model gives {width} outputs a row"
        raise TaskError(f"task {task.name} {message}: name as many (two for one output, the log-odds of the second)")
    odds = np.exp(values - values.max(axis=1, keepdims=True))
    return Predictions(task.classes, odds / odds.sum(axis=1, keepdims=True))

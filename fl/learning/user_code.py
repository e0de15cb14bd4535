"""Guards every call into a task's own code, checks what it returns, and names the row if one row is at fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map  # the one that torch.func itself takes outputs apart with

from fl.errors import UndefinedMetricError, UserCodeError
from fl.learning.task import Task, foreign, said


@contextmanager
def during(what: str) -> Iterator[None]:
    """Adds context, such as the round and the seat, to the errors of a task's code."""
    try:
        yield
    except UserCodeError as error:
        raise UserCodeError(f"{what}: {error}") from error


def outputs_of(task: Task, module: nn.Module, x: Tensor, y: Tensor) -> Any:
    """The model's outputs for a batch, in whatever structure the model returns. Raises UserCodeError."""
    with foreign(task, f"model() does not take {_shapes(x, y)}"):
        return module(x)


def loss_of(task: Task, outputs: Any, x: Tensor, y: Tensor) -> Tensor:
    """The mean loss of a batch, a tensor of one number. Raises UserCodeError."""
    with foreign(task, f"loss() fails on {_shapes(x, y)}"):
        loss = task.loss(outputs, y)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        kind = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise UserCodeError(f"task {task.name}: loss() returns {kind}: return one number, the mean over the rows")
    return loss.reshape(())


def batch_loss(task: Task, module: nn.Module, x: Tensor, y: Tensor, numbers: Callable[[int], str]) -> Tensor:
    """The mean loss of a batch. numbers: the row numbers that people see; the error names the row if a single one fails."""
    try:
        return loss_of(task, outputs_of(task, module, x, y), x, y)
    except UserCodeError as error:
        guilty = _guilty(task, module, x, y)
        if guilty is None:
            raise
        raise UserCodeError(f"{error} ({numbers(guilty)}, target {_short(y[guilty])})") from error


def metric_of(task: Task, outputs: Any, y: Tensor) -> float:
    """The metric over a test set, as a float that JSON holds.

    Raises UserCodeError; UndefinedMetricError where it is NaN or infinite, or evaluate() raises ValueError.
    """
    with foreign(task, f"evaluate() fails on {len(y)} rows"):
        try:
            given = task.evaluate(outputs, y)
        except ValueError as error:
            raise UndefinedMetricError(f"task {task.name}: evaluate() fails on {len(y)} rows: {said(error)}") from error
    metric = one_number(given)
    if metric is None:
        kind = type(given).__name__
        raise UserCodeError(f"task {task.name}: evaluate() returns {kind}: return one number, as a float")
    if not isfinite(metric):
        message = f"evaluate() returns {metric} on {len(y)} test rows, as an AUC does where all are of one class"
        raise UndefinedMetricError(f"task {task.name}: {message}: give more rows, or return a number where it is not defined")
    return metric


def one_number(value: object) -> float | None:
    """A number of any kind (a tensor or array of one element, a NumPy scalar) as a float; None if it is not one number."""
    if isinstance(value, Tensor):
        return float(value.detach()) if value.numel() == 1 and not value.is_complex() else None
    if isinstance(value, np.ndarray):
        return one_number(value.reshape(())[()]) if value.size == 1 else None
    return float(value) if isinstance(value, int | float | np.integer | np.floating | np.bool_) else None


def gradients(task: Task, loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor | None]:
    """The loss's gradient for each weight, all of which train; None if one is not part of the loss. Raises UserCodeError."""
    if not loss.requires_grad:
        remedy = "let the loss depend on one that is not frozen"
        raise UserCodeError(f"task {task.name}: loss() depends on no parameter, so nothing can be learned: {remedy}")
    with foreign(task, "the loss has no gradient"):
        found = torch.autograd.grad(loss, list(weights), allow_unused=True)
    return [g.to_dense() if g is not None and g.is_sparse else g for g in found]


def structured(f: Callable[[Tensor], Tensor], outputs: Any) -> Any:
    """Applies f to each tensor of a model's outputs: a tensor, or tuples, lists and dicts of them."""
    return tree_map(f, outputs)


def _guilty(task: Task, module: nn.Module, x: Tensor, y: Tensor) -> int | None:
    """The first row that fails by itself, if others do not."""
    failed: list[int] = []
    with torch.no_grad():
        for i in range(len(x)):
            try:
                task.loss(module(x[i : i + 1]), y[i : i + 1])
            except (Exception, SystemExit):
                failed.append(i)
    return failed[0] if 0 < len(failed) < len(x) else None


def _short(value: Tensor) -> str:
    return " ".join(str(value.tolist()).split())[:40]


def _shapes(x: Tensor, y: Tensor) -> str:
    return f"rows of shape {tuple(x.shape[1:])} and targets of shape {tuple(y.shape[1:])}"

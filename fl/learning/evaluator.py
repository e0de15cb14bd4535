"""Measuring models on rows: losses and the task's metric, always on the CPU, so that all members get the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import UndefinedMetricError, UserCodeError
from fl.learning.batched import losses
from fl.learning.codec import load_floats, load_vector
from fl.learning.data.partition import Part
from fl.learning.local_layers import Own, load_own, own_of
from fl.learning.task import SelfTrained, Task, build, foreign
from fl.learning.trainer import tensors
from fl.learning.user_code import loss_of, metric_of, outputs_of


class Evaluator:
    """Runs a model's vector over rows; keeps one module, since building one costs more than a small batch.

    own: a participant's local layers; by default those that every model begins with."""

    def __init__(self, task: Task):
        self.task = task
        self.module = build(task, 0).eval()
        self._first = own_of(self.module)

    def _outputs(self, vector: NDArray[np.int32], part: Part, own: Own | None = None) -> tuple[Any, torch.Tensor, torch.Tensor]:
        load_vector(self.module, vector)
        load_own(self.module, own or self._first)
        x, y = tensors(part)
        with torch.no_grad():
            return outputs_of(self.task, self.module, x, y), x, y

    def loss(self, vector: NDArray[np.int32], part: Part) -> float:
        """Mean loss of the model (units) over the rows. Raises UserCodeError."""
        if isinstance(self.task, SelfTrained):
            return _measured(self.task, load_vector(self.module, vector), part)[0]
        return float(loss_of(self.task, *self._outputs(vector, part)))

    def losses(self, vectors: NDArray[np.int32], part: Part, own: Own | None = None) -> NDArray[np.float64]:
        """Mean losses of many models (n, padded) over the rows, (n,), all at once where the task's model allows it.

        Raises UserCodeError."""
        if isinstance(self.task, SelfTrained):
            return np.array([self.loss(vector, part) for vector in vectors])
        load_own(self.module, own or self._first)
        return losses(self.task, self.module, vectors, part)

    def metric(self, vector: NDArray[np.int32], part: Part, own: Own | None = None) -> float:
        """The task's metric of the model (units) over the rows, finite. Raises UserCodeError."""
        if isinstance(self.task, SelfTrained):
            return _metric(self.task, load_vector(self.module, vector), part)
        outputs, _, y = self._outputs(vector, part, own)
        return metric_of(self.task, outputs, y)


def load_and_measure(task: Task, floats: NDArray[np.float64], part: Part, own: Own | None = None) -> float:
    """The task's metric of a model given in floats, finite. Raises UserCodeError."""
    model = build(task, 0).eval()
    load_floats(model, floats)
    if own:
        load_own(model, own)
    if isinstance(task, SelfTrained):
        return _metric(task, model, part)
    x, y = tensors(part)
    with torch.no_grad():
        return metric_of(task, outputs_of(task, model, x, y), y)


def _measured(task: SelfTrained, model: nn.Module, part: Part) -> tuple[float, float]:
    """(loss, metric), weighted by the examples that each of the part's participants measured on. Raises UserCodeError."""
    lines = []
    for who, of in part.x.astype(int).tolist():
        with foreign(task, f"client {who} cannot measure"):
            lines.append(task.measure(model, who, of))
    lines = [measured for measured in lines if measured[2] > 0]
    if not lines:
        raise UserCodeError(f"task {task.name}: none of {len(part)} clients has rows to measure on: give them validation rows")
    weights = np.array([examples for _, _, examples in lines], float)
    loss, metric = (float(np.average([t[i] for t in lines], weights=weights)) for i in (0, 1))
    return loss, metric


def _metric(task: SelfTrained, model: nn.Module, part: Part) -> float:
    metric = _measured(task, model, part)[1]
    if not np.isfinite(metric):
        raise UndefinedMetricError(f"task {task.name}: the clients measure {task.metric} {metric}: let each return a number")
    return metric

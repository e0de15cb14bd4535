"""Templates for a user's own task: files that run as they are, to be changed bit by bit."""

from __future__ import annotations

import re
from pathlib import Path

from fl.errors import TaskError
from fl.network.stores.files import write_durably

TASK = '''"""{name}: which side of a circle does a point lie on? Put your own data, model and measure in its place."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from fl.learning.task import Data, LocalTraining, Task


class Own(Task):
    name = "{name}"
    metric = "accuracy"  # what `evaluate` returns; higher_is_better = False for an error
    training = LocalTraining(learning_rate=0.2, steps=20, batch_size=16, momentum=0.5)
    classes = ("outside", "inside")  # what `ape run predict` calls the outputs; leave it out for a number

    def data(self) -> Data:
        """Your rows: x float32 (n, ...), y as the loss wants it. Scale by constants that anybody may know, never by
        your rows' own mean. In a simulation this table is dealt out to the seats."""
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, (600, 2)).astype(np.float32)
        return Data(x, (np.hypot(*x.T) < 0.7).astype(np.int64))

    def model(self) -> nn.Module:
        """A fresh model. Parameters only: group norm instead of batch norm."""
        return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the rows of a batch."""
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        """The metric over a whole test set."""
        return float((outputs.argmax(1) == targets).float().mean())


TASK = Own()
'''

CLIENT = '''"""{name}: a client of the shape of Flower's NumPyClient; Flower itself is not needed. Put your own in its place."""

from __future__ import annotations

import numpy as np


class Client:
    """Logistic regression by hand: which side of a line does a point lie on?"""

    def __init__(self, who: int):
        rng = np.random.default_rng(who)  # in reality: this participant's own rows, from its own disk
        x = rng.normal(size=(200, 2)).astype(np.float32)
        y = (x @ [1.0, -2.0] > 0.5).astype(np.float32)
        self.train, self.test = (x[:150], y[:150]), (x[150:], y[150:])

    def get_parameters(self, config):
        """The arrays that are federated, as they are before the first round."""
        return [np.zeros(2, np.float32), np.zeros(1, np.float32)]

    def fit(self, parameters, config):
        """(arrays after training, number of examples, metrics)"""
        w, b = (p.copy() for p in parameters)
        x, y = self.train
        for _ in range(20):
            error = 1 / (1 + np.exp(-(x @ w + b))) - y
            w, b = w - 0.5 * x.T @ error / len(x), b - 0.5 * error.mean()
        return [w, b], len(x), {{}}

    def evaluate(self, parameters, config):
        """(loss, number of examples, metrics); the first metric named like an accuracy is the task's."""
        w, b = parameters
        x, y = self.test
        z = x @ w + b
        return float(np.mean(np.logaddexp(0, z) - y * z)), len(x), {{"accuracy": float(np.mean((z > 0) == y))}}


def client_fn(context):
    """The client of one participant, as in Flower."""
    return Client(int(context.node_config["partition-id"]))
'''


def new_task(name: str, folder: Path, client: bool) -> Path:
    """Writes folder/name.py; returns its path. Raises TaskError if the name is invalid or the file exists."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise TaskError(f"{name!r} is not a name for a task: use small letters, digits and underscores, such as my_task")
    path = folder / f"{name}.py"
    if path.exists():
        raise TaskError(f"{path} exists already: choose another name, or remove the file")
    write_durably(path, (CLIENT if client else TASK).format(name=name).encode())
    return path

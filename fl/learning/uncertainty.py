"""How sure a measured metric is, and whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fl.errors import TaskError
from fl.learning.inference import Predictions
from fl.learning.task import Task, foreign

LEVEL = 0.95
Z = 1.959964  # of the normal distribution, for 95 %
BINS = 10


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Rows with a probability from `low` to `high`: its mean, and the share that came true, with its 95 % interval."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: Interval


@dataclass(frozen=True)
class Calibration:
    """of: what the probabilities are of. error: the mean gap between them and what came true, weighted by rows (the expected
    calibration error); brier: the mean squared gap row by row."""

    of: str
    bins: tuple[Bin, ...]
    error: float
    brier: float


def measure(task: Task, outputs: Tensor, targets: Tensor) -> float:
    """The task's metric. Raises TaskError where these rows cannot be measured by it."""
    if task.metric == "AUC" and len(torch.unique(targets)) < 2:
        raise TaskError("every row has the same target, and an AUC compares two classes: give rows of both")
    with foreign(task, "evaluate() fails"):
        return float(task.evaluate(outputs, targets))


def bootstrap(
    task: Task, outputs: Tensor, targets: Tensor, resamples: int, seed: int, against: Tensor | None = None
) -> Interval:
    """The metric with a 95 % percentile interval over resampled rows (Efron and Tibshirani, "An introduction to the bootstrap",
    1993), classes resampled apart, so that each keeps its number of rows (Carpenter and Bithell, "Bootstrap confidence
    intervals", 2000). against: the outputs of another model on the same rows; then the interval is of the
    difference, both resampled together.
    """

    def metric(rows: Tensor) -> float:
        value = measure(task, outputs[rows], targets[rows])
        return value if against is None else value - measure(task, against[rows], targets[rows])

    rng = np.random.default_rng([seed, 0xB007])
    groups = _groups(task, targets)
    found = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        found.append(metric(torch.from_numpy(drawn)))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(metric(torch.arange(len(targets))), float(low), float(high))


def _groups(task: Task, targets: Tensor) -> list[NDArray[np.int64]]:
    """The rows of each class; if targets are not classes, all rows together."""
    labels = targets.numpy().reshape(len(targets), -1)
    if labels.shape[1] == 1 and (task.classes or not targets.is_floating_point()):
        return [np.flatnonzero(labels[:, 0] == label) for label in np.unique(labels)]
    return [np.arange(len(labels))]


def calibration(given: Predictions, targets: NDArray[np.generic]) -> Calibration | None:
    """Calibration of the second class's probability if there are two classes, otherwise of the predicted class's. None without
    classes, or with more than one target a row."""
    probabilities = given.probabilities
    if probabilities is None or targets.size != len(targets):
        return None
    labels = targets.reshape(-1).astype(np.int64)
    if len(given.classes) == 2:
        of, p, true = given.classes[1], probabilities[:, 1], labels == 1
    else:
        of, p, true = "the class predicted", probabilities.max(axis=1), labels == probabilities.argmax(axis=1)
    places = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if count := int(inside.sum()):
            share = _wilson(int(true[inside].sum()), count)
            bins.append(Bin(place / BINS, (place + 1) / BINS, count, float(p[inside].mean()), share))
    error = sum(b.rows * abs(b.predicted - b.observed.value) for b in bins) / len(p)
    return Calibration(of, tuple(bins), float(error), float(np.mean((p - true) ** 2)))


def _wilson(hits: int, count: int) -> Interval:
    """A share with its score interval (Wilson, "Probable inference", 1927), which does not leave 0..1."""
    share = hits / count
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))

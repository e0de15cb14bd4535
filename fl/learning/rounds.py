"""Federated rounds without a chain: the same work one by one or at once, by float means or in the protocol's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fl.learning.batched import Delta, train_many
from fl.learning.codec import encode_update, floats_of, to_vector
from fl.learning.partition import Part
from fl.learning.task import Task, build
from fl.learning.trainer import generator, local_change
from fl.protocol.artifact import depth_for, pack_model, parse_model
from fl.protocol.fixed_point import to_fixed
from fl.protocol.stream import aggregate_files

Vector = NDArray[np.int32]


def one_by_one(task: Task, base: Vector, parts: Sequence[Part], rngs: Sequence[np.random.Generator]) -> list[Delta]:
    """`train_many` by a plain loop."""
    return [local_change(task, base, part, rng) for part, rng in zip(parts, rngs, strict=True)]


def float_rounds(task: Task, parts: Sequence[Part], rounds: int, seed: int, *, at_once: bool) -> Iterator[Vector]:
    """The model after every round of FedAvg by float means of equal weight, in units (as every round begins with)."""
    train = train_many if at_once else one_by_one
    size = floats_of(build(task, seed)).size
    vector = to_vector(build(task, seed))
    for number in range(1, rounds + 1):
        rngs = [generator(seed, number, seat) for seat in range(len(parts))]
        mean = np.mean(train(task, vector, parts, rngs), axis=0)
        vector = vector.copy()
        vector[:size] += to_fixed(mean)
        yield vector


def exact_rounds(task: Task, parts: Sequence[Part], rounds: int, seed: int) -> Iterator[Vector]:
    """The model after every round in the protocol's numbers: 8-bit updates with error feedback, summed exactly."""
    vector = to_vector(build(task, seed))
    depth = depth_for(floats_of(build(task, seed)).size)
    residues: list[Delta | None] = [None] * len(parts)
    for number in range(1, rounds + 1):
        rngs = [generator(seed, number, seat) for seat in range(len(parts))]
        files = []
        for seat, delta in enumerate(train_many(task, vector, parts, rngs)):
            data, residues[seat] = encode_update(delta, residues[seat], depth, task.max_exponent, rngs[seat])
            files.append(data)
        vector = parse_model(aggregate_files(pack_model(vector), files, 0, task.max_exponent, threads=1), depth)
        yield vector

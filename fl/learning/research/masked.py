"""Federations without a chain whose updates are masked: real keys, masks and files, the exact sum, and the vote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.learning.batched import train_many
from fl.learning.codec import parameters_of, to_vector
from fl.learning.data.partition import Split
from fl.learning.evaluator import Evaluator
from fl.learning.task import Task, build
from fl.learning.trainer import generator
from fl.learning.vote import accepts
from fl.protocol.artifact import depth_for, pad
from fl.protocol.masks import Company, Masked, RoundKey, Steps, mask, next_model, parse_masked, steps_of
from fl.protocol.votes import adopted

CHAIN_ID, FEDERATION = 31337, "0x" + "fe" * 20
EXPONENT = 16  # a step of 2^-8: 255 of them hold the largest change that a shipped task makes in a round


def _sent(steps: NDArray[np.int64], honest: Masked, own: Steps) -> Masked:
    """A file that says `steps` instead of the cheat's own: it keeps its masks, and so spoils no more than it wants to."""
    return honest + (steps.astype(np.int64) - own).astype(np.uint16)


# What a cheat sends: (its masked file, its honest steps, randomness) to the file.
CHEATS: dict[str, Callable[[Masked, Steps, np.random.Generator], Masked]] = {
    "garbage": lambda file, own, rng: rng.integers(0, 1 << 16, file.size, dtype=np.uint16),
    "spikes": lambda file, own, rng: file + np.uint16(1 << 15),
    "sign flip": lambda file, own, rng: _sent(-own.astype(np.int64), file, own),
    "ten times": lambda file, own, rng: _sent(10 * own.astype(np.int64), file, own),
    "minus ten times": lambda file, own, rng: _sent(-10 * own.astype(np.int64), file, own),
}


@dataclass(frozen=True)
class Course:
    """One federation's end. metric: of the last model on the test rows; refused: how many rounds the vote refused;
    moved: the largest change of a parameter in any candidate, in steps."""

    metric: float
    refused: int
    rounds: int
    moved: float


def course(task: Task, split: Split, rounds: int, seed: int, cheat: str | None = None, exponent: int = EXPONENT) -> Course:
    """Plays `rounds`, a seat for each shard; with `cheat`, the last one cheats in every round, and votes for the result."""
    shards, evaluator = split.shards, Evaluator(task)
    n, depth = len(shards), depth_for(parameters_of(evaluator.module))
    vector = to_vector(build(task, seed))
    judges = shards if cheat is None else shards[:-1]
    first = [evaluator.loss(vector, shard.held_out) for shard in judges]
    best, refused, moved = first, 0, 0.0
    residuals: list[NDArray[np.float64] | None] = [None] * n
    for number in range(1, rounds + 1):
        rngs = [generator(seed, number, seat) for seat in range(n)]
        changes = train_many(task, np.stack([vector] * n), [shard.train for shard in shards], rngs)
        keys = [RoundKey.fresh() for _ in range(n)]
        company = Company(CHAIN_ID, FEDERATION, number, {seat: key.public for seat, key in enumerate(keys)})
        files = []
        for seat, change in enumerate(changes):
            rng = np.random.default_rng([seed, number, seat, 1])
            steps, residuals[seat] = steps_of(change, residuals[seat], exponent, rng)
            padded = pad(steps, depth).astype(np.int16)
            file = parse_masked(mask(padded, seat, keys[seat], company), depth)
            files.append(CHEATS[cheat](file, padded, rng) if cheat is not None and seat == n - 1 else file)
        candidate = next_model(vector, files, exponent)
        moved = max(moved, float(np.abs(candidate.astype(np.int64) - vector).max()) / 2**exponent)
        losses = [evaluator.loss(candidate, shard.held_out) for shard in judges]
        votes = [accepts(*each) for each in zip(first, best, losses, strict=True)] + [True] * (n - len(judges))
        if adopted(votes, n):
            vector, best = candidate, [min(pair) for pair in zip(best, losses, strict=True)]
        else:
            refused += 1
    return Course(evaluator.metric(vector, split.test), refused, rounds, moved)

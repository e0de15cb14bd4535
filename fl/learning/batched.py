"""Many participants trained at once in one process: their weights stacked, one step of SGD for all of them.

The same batches in the same order as `trainer.train`, as a vmap over the stacked weights. Participants are sorted by how many
steps they take, so that those still training are a prefix; a short batch is filled up with rows of weight zero. That needs a
model that treats rows alone and a loss that is a mean over rows, without dropout: `together` probes it, and everything else
is trained one by one. Sums of floats in another shape differ in the last bits: deltas agree with the loop to about 1e-6, so
a rounding to 8 bits may now and then fall the other way. The same seed and the same participants give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from fl.learning.codec import parameters_of
from fl.learning.data.partition import Part
from fl.learning.task import SelfTrained, Task, build, load_task
from fl.learning.trainer import generator, local_change, tensors
from fl.protocol.fixed_point import to_float

GROUP = 64  # participants; enough to be fast, and few enough for many machines to have some
GROUP_NUMBERS = 1 << 22  # weights of a group; beyond, they no longer stay in the cache, and one by one is as fast
TOLERANCE = 1e-4  # of the probe, relative to the largest gradient
CANNOT = (RuntimeError, TypeError, ValueError)  # what vmap raises of a model or loss that it cannot do; all else is a fault

Delta = NDArray[np.float64]
Far = Callable[[Callable[..., Any], list[tuple[Any, ...]]], list[Any]]


def train_many(task: Task, base: NDArray[np.int32], parts: Sequence[Part], rngs: Sequence[np.random.Generator]) -> list[Delta]:
    """What each participant's training changes, as `local_change` would say, in order.

    base: the model in units, (padded,), or each participant's own, (participants, padded).
    """
    bases = np.broadcast_to(base, (len(parts), base.shape[-1]))
    deltas: list[Delta | None] = [None] * len(parts)
    for group in groups(task, [len(part) for part in parts]):
        if len(group) == 1:
            deltas[group[0]] = local_change(task, bases[group[0]], parts[group[0]], rngs[group[0]])
            continue
        chosen = _train_group(task, bases[group], [parts[i] for i in group], [rngs[i] for i in group])
        for i, delta in zip(group, chosen, strict=True):
            deltas[i] = delta
    return [delta for delta in deltas if delta is not None]


def groups(task: Task, sizes: Sequence[int]) -> list[list[int]]:
    """Who trains with whom, as indices: like sizes together. It depends on task and sizes alone, wherever it runs."""
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))
    model = build(task, 0)
    most = max(1, min(GROUP, GROUP_NUMBERS // parameters_of(model))) if len(sizes) > 1 and together(task) else 1
    return [order[i : i + most] for i in range(0, len(order), most)]


@lru_cache(maxsize=64)
def together(task: Task) -> bool:
    """Whether the task's participants may be trained at once: tried on a few rows against the loop's own gradients."""
    if isinstance(task, SelfTrained):
        return False
    model = build(task, 0).train()
    table = task.data()
    part = Part(table.x[:3], table.y[:3])
    if len(part) < 3 or parameters_of(model) > GROUP_NUMBERS // 2:
        return False
    x, y = tensors(part)
    weights = list(model.parameters())
    wanted = torch.autograd.grad(task.loss(model(x), y), weights)
    # Twice the same rows, and twice the first row instead of them, with weight zero.
    rows = torch.tensor([[0, 1, 2, 0], [0, 1, 2, 2]])
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0]] * 2) / 3
    stacked = [w.detach().expand(2, *w.shape).clone().requires_grad_() for w in weights]
    try:
        got = torch.autograd.grad(_loss(task, model, stacked, x[rows], y[rows], weight), stacked)
    except CANNOT:  # the model works, as the loop showed, but not so; dropout is such a thing
        return False
    scale = max(float(g.abs().max()) for g in wanted)
    return all(bool((g - w).abs().max() <= TOLERANCE * scale) for g, w in zip(got, wanted, strict=True))


def _loss(task: Task, model: nn.Module, weights: Sequence[Tensor], x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The sum over participants of each one's mean loss: weights (p, ...) each, x and y (p, rows, ...), weight (p, rows)."""
    names = [name for name, _ in model.named_parameters()]

    def forward(rows: Tensor, *own: Tensor) -> Tensor:
        return functional_call(model, dict(zip(names, own, strict=True)), (rows,))

    outputs = vmap(forward)(x, *weights)
    losses = vmap(lambda o, t: task.loss(o[None], t[None]))(outputs.flatten(0, 1), y.flatten(0, 1))
    return losses @ weight.flatten()


def _train_group(
    task: Task, bases: NDArray[np.int32], parts: Sequence[Part], rngs: Sequence[np.random.Generator]
) -> list[Delta]:
    settings = task.training
    model = build(task, 0).train()
    before = to_float(bases[:, : parameters_of(model)])
    x = torch.from_numpy(np.concatenate([part.x for part in parts]))
    y = torch.from_numpy(np.concatenate([part.y for part in parts]))
    order, weight, active = _batches(parts, rngs, settings.epochs, settings.batch_size)
    start = _unflattened(model, torch.from_numpy(before.astype(np.float32)))
    stacked = [w.clone() for w in start]
    velocity = [torch.zeros_like(w) for w in stacked] if settings.momentum else stacked
    for step, count in enumerate(active):
        now = [w[:count].requires_grad_() for w in stacked]
        rows = order[:count, step]
        gradients = torch.autograd.grad(_loss(task, model, now, x[rows], y[rows], weight[:count, step]), now)
        with torch.no_grad():
            for whole, w0, v, g in zip(stacked, start, velocity, gradients, strict=True):
                w = whole[:count]
                if settings.weight_decay or settings.proximal:
                    g = g + settings.weight_decay * w + settings.proximal * (w - w0[:count])
                if settings.momentum:
                    g = v[:count].mul_(settings.momentum).add_(g)
                w.sub_(g, alpha=settings.learning_rate)
    after = torch.cat([w.reshape(len(parts), -1) for w in stacked], 1).numpy().astype(np.float64)
    return list(after - before)


def _unflattened(model: nn.Module, flat: Tensor) -> list[Tensor]:
    """Rows of parameters (n, parameters) as the model's own shapes, (n, ...) each."""
    pieces = flat.split([w.numel() for w in model.parameters()], 1)
    return [piece.reshape(-1, *w.shape) for piece, w in zip(pieces, model.parameters(), strict=True)]


def losses(task: Task, module: nn.Module, vectors: NDArray[np.int32], part: Part) -> NDArray[np.float64]:
    """Mean losses of many models over the same rows, (n,): vectors (n, padded) in units. What scoring asks, once per update.

    module: any of the task's models, in eval mode. Where vmap cannot do it, or the stack is too large, one after the other.
    """
    x, y = tensors(part)
    names = [name for name, _ in module.named_parameters()]
    size = parameters_of(module)

    def loss(*own: Tensor) -> Tensor:
        return task.loss(functional_call(module, dict(zip(names, own, strict=True)), (x,)), y)

    most = max(1, GROUP_NUMBERS // size)
    told = []
    with torch.no_grad():
        for start in range(0, len(vectors), most):
            stacked = _unflattened(module, torch.from_numpy(to_float(vectors[start : start + most, :size]).astype(np.float32)))
            try:
                told.append(vmap(loss)(*stacked))
            except CANNOT:
                told.append(torch.stack([loss(*(w[i] for w in stacked)) for i in range(len(stacked[0]))]))
    return torch.cat(told).numpy().astype(np.float64)


def _batches(
    parts: Sequence[Part], rngs: Sequence[np.random.Generator], epochs: int, size: int
) -> tuple[Tensor, Tensor, list[int]]:
    """(rows (p, steps, size) of the joined table, their weights, how many participants still train at each step).

    The parts must not grow along the list, so that those who still train are the first.
    """
    steps = [epochs * -(-len(part) // size) for part in parts]
    size = min(size, len(parts[0]))
    order = np.full((len(parts), max(steps) * size), -1, np.int64)
    first = 0
    for i, (part, rng) in enumerate(zip(parts, rngs, strict=True)):
        each = steps[i] // epochs * size
        for epoch in range(epochs):
            order[i, epoch * each : epoch * each + len(part)] = rng.permutation(len(part)) + first
        first += len(part)
    order = order.reshape(len(parts), -1, size)
    real = order >= 0
    rows = np.where(real, order, np.maximum(order[:, :, :1], 0))  # filled up with a row that the batch holds anyway
    weight = real / np.maximum(real.sum(2, keepdims=True), 1)
    active = [sum(s > step for s in steps) for step in range(max(steps))]
    return torch.from_numpy(rows), torch.from_numpy(weight.astype(np.float32)), active


def train_seats(
    name: str, base: NDArray[np.int32], parts: Mapping[int, Part], seed: int, number: int
) -> dict[int, tuple[Delta, np.random.Generator]]:
    """By seat, what training in round `number` changes and the stream of randomness as training left it.

    The task goes by name, so that the call can travel to another process or machine.
    """
    rngs = [generator(seed, number, seat) for seat in parts]
    deltas = train_many(_task(name), base, list(parts.values()), rngs)
    return dict(zip(parts, zip(deltas, rngs, strict=True), strict=True))


@lru_cache(maxsize=4)
def _task(name: str) -> Task:
    return load_task(name)


class Cohort:
    """The honest training of one round for all who sit in one process: done for everybody when the first asks for it.

    Who has committed or fallen silent has no say, so that a federation that was interrupted trains the same groups again.
    far: runs `train_seats` on jobs elsewhere, one job a group, answers in order; the groups, and so the bits, are the same.
    """

    def __init__(self, task: Task, parts: Mapping[int, Part], seed: int, far: Far | None = None, name: str = ""):
        self.task, self.parts, self.seed, self.far, self.name = task, parts, seed, far, name or task.name
        seats = list(parts)
        self.groups = [[seats[i] for i in group] for group in groups(task, [len(part) for part in parts.values()])]
        self.worthwhile = far is not None or len(self.groups) < len(seats)
        self._round = 0
        self._done: dict[int, tuple[Delta, np.random.Generator]] = {}

    def change(self, base: NDArray[np.int32], number: int, seat: int) -> tuple[Delta, np.random.Generator]:
        """(what the seat's training in this round changes, its stream of randomness as training left it)."""
        if not self.worthwhile:
            rng = generator(self.seed, number, seat)
            return local_change(self.task, base, self.parts[seat], rng), rng
        if self._round != number:
            self._done = self._train(base, number)
            self._round = number
        delta, rng = self._done[seat]
        return delta, deepcopy(rng)

    def _train(self, base: NDArray[np.int32], number: int) -> dict[int, tuple[Delta, np.random.Generator]]:
        if self.far is None:
            rngs = [generator(self.seed, number, seat) for seat in self.parts]
            deltas = train_many(self.task, base, list(self.parts.values()), rngs)
            return dict(zip(self.parts, zip(deltas, rngs, strict=True), strict=True))
        jobs = [(self.name, base, {s: self.parts[s] for s in group}, self.seed, number) for group in self.groups]
        return {seat: told for answer in self.far(train_seats, jobs) for seat, told in answer.items()}

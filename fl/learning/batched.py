"""Many participants trained at once in one process: their weights stacked, one step of SGD for all of them.

Trains on the same batches in the same order as `trainer.train`, as a vmap over the stacked weights. The batches of a table
that has fewer rows than a batch are filled up with rows of weight zero. This needs a model that treats each row
independently, without dropout, and a loss that is the plain mean of its rows' losses (losses with class weights or ignored
labels are not). `together` compares it with the loop on every row of the task's table; tasks that differ are trained one
participant at a time. Floats summed in another order differ in the last bits: deltas agree with the loop to about 1e-6, so
rounding to 8 bits may occasionally go the other way. The same seed and participants give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from fl.errors import UserCodeError
from fl.learning.codec import federated, parameters_of
from fl.learning.data.partition import Part
from fl.learning.task import LocalTraining, SelfTrained, Task, build, foreign
from fl.learning.task_loading import load_task
from fl.learning.trainer import batches, generator, local_change, tensors
from fl.learning.user_code import gradients, loss_of, structured
from fl.protocol.fixed_point import to_float

GROUP = 64  # participants; enough to be fast, and few enough for many machines to have some
GROUP_NUMBERS = 1 << 22  # weights of a group; beyond, they no longer stay in the cache, and one by one is as fast
TOLERANCE = 1e-4  # tolerance of the probe, relative to the largest gradient or the loss
PROBES = 16  # pairs of batches whose gradients are compared; for all others, only their losses

Delta = NDArray[np.float64]
Trained = Delta | UserCodeError  # what training changes, or why this participant's training failed
Far = Callable[[Callable[..., Any], list[tuple[Any, ...]]], list[Any]]


class CannotBatchError(Exception):
    """The task's model or loss does not give the same result under vmap as in the loop."""


def train_many(task: Task, base: NDArray[np.int32], parts: Sequence[Part], rngs: Sequence[np.random.Generator]) -> list[Delta]:
    """What each participant's training changes, as `local_change` would return it, in order. Raises the first UserCodeError.

    base: the model in units, (padded,), or each participant's own, (participants, padded).
    """
    deltas = []
    for trained in train_each(task, base, parts, rngs, groups(task, [len(part) for part in parts])):
        if isinstance(trained, UserCodeError):
            raise trained
        deltas.append(trained)
    return deltas


def train_each(
    task: Task,
    base: NDArray[np.int32],
    parts: Sequence[Part],
    rngs: Sequence[np.random.Generator],
    together_: Sequence[Sequence[int]],
) -> list[Trained]:
    """The same for given groups of indices; a participant whose training fails gets its error instead of a change."""
    bases = np.broadcast_to(base, (len(parts), base.shape[-1]))
    done: dict[int, Trained] = {}
    for group in map(list, together_):
        members = [parts[i] for i in group]
        if len(group) > 1:
            begun = [rngs[i].bit_generator.state for i in group]
            try:
                done |= zip(group, _train_group(task, bases[group], members, [rngs[i] for i in group]), strict=True)
                continue
            except (CannotBatchError, UserCodeError):  # such as a branch on a value: the loop finds out which participant it is
                for i, state in zip(group, begun, strict=True):
                    rngs[i].bit_generator.state = state
        for i in group:
            try:
                done[i] = local_change(task, bases[i], parts[i], rngs[i])
            except UserCodeError as error:
                done[i] = error
    return [done[i] for i in range(len(parts))]


def groups(task: Task, sizes: Sequence[int]) -> list[list[int]]:
    """Which participants train together, as indices: those of similar size. Depends only on the task and the sizes."""
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], i))
    model = build(task, 0)
    most = max(1, min(GROUP, GROUP_NUMBERS // parameters_of(model))) if len(sizes) > 1 and together(task) else 1
    return [order[i : i + most] for i in range(0, len(order), most)]


@lru_cache(maxsize=64)
def together(task: Task) -> bool:
    """Whether the task's participants may be trained at once: every row of its table is tried, in batches, against the loop."""
    if isinstance(task, SelfTrained) or task.local or task.training.device != "cpu":  # a device of its own trains one by one
        return False
    model = build(task, 0).train()
    table = task.data()
    part = Part(table.x, table.y)
    if len(part) < 3 or parameters_of(model) > GROUP_NUMBERS // 2:
        return False
    size = min(len(part), max(2, task.training.batch_size))
    batches = [b for b in torch.from_numpy(np.random.default_rng(0).permutation(len(part))).split(size) if len(b) > 1]
    try:
        for i in range(0, len(batches), 2):
            pair = batches[i], batches[(i + 1) % len(batches)]
            if not (_same_gradients if i < 2 * PROBES else _same_losses)(task, model, part, pair):
                return False
    except CannotBatchError:  # the loop either can do it, or reports why not
        return False
    return True


def _same_gradients(task: Task, model: nn.Module, part: Part, pair: tuple[Tensor, Tensor]) -> bool:
    """Whether two batches at once give the loop's gradients; the second is shortened and filled up with a row of weight
    zero."""
    x, y = tensors(part)
    weights = list(federated(model).values())
    size = max(len(pair[0]), len(pair[1]))
    cut = pair[1][: max(1, min(len(pair[1]), size) - 1)]
    rows = torch.stack([torch.cat([b, b[:1].expand(size - len(b))]) for b in (pair[0], cut)])
    weight = torch.stack([torch.arange(size) < len(b) for b in (pair[0], cut)]).float()
    weight /= weight.sum(1, keepdim=True)
    stacked = [w.detach().expand(2, *w.shape).clone().requires_grad_() for w in weights]
    at_once = _loss(task, model, stacked, x[rows], y[rows], weight)
    with _trying():
        got = gradients(task, at_once, stacked)
        wanted = [gradients(task, loss_of(task, model(x[b]), x[b], y[b]), weights) for b in (pair[0], cut)]
    scale = max((float(g.abs().max()) for loop in wanted for g in loop if g is not None), default=0.0)
    for j, loop in enumerate(wanted):
        for mine, other in zip(got, loop, strict=True):
            if mine is None or other is None:
                same = mine is other  # neither has a part in the loss
            else:
                same = bool((mine[j] - other).abs().max() <= TOLERANCE * scale)  # NaN is not
            if not same:
                return False
    return True


def _same_losses(task: Task, model: nn.Module, part: Part, pair: tuple[Tensor, Tensor]) -> bool:
    """Whether the loss of each of two batches is the mean of its rows' losses."""
    x, y = tensors(part)
    weights = [w.detach()[None] for w in federated(model).values()]
    with torch.no_grad():
        for batch in pair:
            got = float(
                _loss(task, model, weights, x[batch][None], y[batch][None], torch.full((1, len(batch)), 1 / len(batch)))
            )
            with _trying():
                wanted = float(loss_of(task, model(x[batch]), x[batch], y[batch]))
            if not abs(got - wanted) <= TOLERANCE * max(abs(wanted), 1e-3):
                return False
    return True


@contextmanager
def _trying() -> Iterator[None]:
    """Guards the task's code under vmap, where it may raise errors that it does not raise in the loop."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise CannotBatchError(str(error)) from error


def _loss(task: Task, model: nn.Module, weights: Sequence[Tensor], x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The sum over participants of each one's mean loss: weights (p, ...) each, x and y (p, rows, ...), weight (p, rows).

    Raises CannotBatchError.
    """
    names = list(federated(model))

    def forward(rows: Tensor, *own: Tensor) -> Any:
        return functional_call(model, dict(zip(names, own, strict=True)), (rows,))

    def loss(outputs: Any, targets: Tensor) -> Tensor:
        return loss_of(task, structured(lambda o: o[None], outputs), targets[None], targets[None])

    with _trying():
        outputs = structured(lambda o: o.flatten(0, 1), vmap(forward)(x, *weights))
        losses = vmap(loss)(outputs, y.flatten(0, 1))
        return losses @ weight.flatten().to(losses.dtype)


def _train_group(
    task: Task, bases: NDArray[np.int32], parts: Sequence[Part], rngs: Sequence[np.random.Generator]
) -> list[Delta]:
    settings = task.training
    model = build(task, 0).train()
    before = to_float(bases[:, : parameters_of(model)])
    x = torch.from_numpy(np.concatenate([part.x for part in parts]))
    y = torch.from_numpy(np.concatenate([part.y for part in parts]))
    order, weight = _batches(parts, rngs, settings)
    start = _unflattened(model, before)
    stacked = [w.clone() for w in start]
    velocity = [torch.zeros_like(w) for w in stacked] if settings.momentum else stacked
    for rows in order:
        now = [w.requires_grad_() for w in stacked]
        found = gradients(task, _loss(task, model, now, x[rows], y[rows], weight), now)
        with torch.no_grad():
            for w, w0, v, g in zip(stacked, start, velocity, found, strict=True):
                if g is None:  # without a part in the loss
                    continue
                if settings.weight_decay or settings.proximal:
                    g = g + settings.weight_decay * w + settings.proximal * (w - w0)
                if settings.momentum:
                    g = v.mul_(settings.momentum).add_(g)
                w.sub_(g, alpha=settings.learning_rate)
    after = torch.cat([w.detach().reshape(len(parts), -1) for w in stacked], 1).numpy().astype(np.float64)
    return list(after - before)


def _unflattened(model: nn.Module, flat: NDArray[np.float64]) -> list[Tensor]:
    """Rows of parameters (n, parameters) as the model's own shapes and kinds of number, (n, ...) each."""
    weights = federated(model).values()
    pieces = torch.from_numpy(flat).split([w.numel() for w in weights], 1)
    return [piece.to(w.dtype).reshape(-1, *w.shape) for piece, w in zip(pieces, weights, strict=True)]


def losses(task: Task, module: nn.Module, vectors: NDArray[np.int32], part: Part) -> NDArray[np.float64]:
    """Mean losses of many models over the same rows, (n,): vectors (n, padded) in units. Scoring calls this once per update.

    module: any of the task's models, in eval mode. The models run one after the other if vmap fails, if it disagrees with the
    loop about the first model, or if the stack is too large. Raises UserCodeError.
    """
    x, y = tensors(part)
    names = list(federated(module))
    size = parameters_of(module)

    def loss(*own: Tensor) -> Tensor:
        with foreign(task, "model() fails on a model that is scored"):
            outputs = functional_call(module, dict(zip(names, own, strict=True)), (x,))
        return loss_of(task, outputs, x, y)

    def one_by_one(stacked: list[Tensor]) -> Tensor:
        return torch.stack([loss(*(w[i] for w in stacked)) for i in range(len(stacked[0]))])

    most = max(1, GROUP_NUMBERS // size)
    lines = []
    with torch.no_grad():
        for start in range(0, len(vectors), most):
            stacked = _unflattened(module, to_float(vectors[start : start + most, :size]))
            try:
                with _trying():
                    at_once = vmap(loss)(*stacked)
                first = one_by_one([w[:1] for w in stacked])
                same = torch.allclose(at_once[:1], first, rtol=TOLERANCE, equal_nan=True)
                lines.append(at_once if same else one_by_one(stacked))
            except CannotBatchError:
                lines.append(one_by_one(stacked))
    return torch.cat(lines).numpy().astype(np.float64)


def _batches(parts: Sequence[Part], rngs: Sequence[np.random.Generator], settings: LocalTraining) -> tuple[Tensor, Tensor]:
    """(rows of the joined table, (steps, participants, batch), and their weights, (participants, batch))."""
    counts = [min(settings.batch_size, len(part)) for part in parts]
    rows = np.empty((settings.steps, len(parts), max(counts)), np.int64)
    weight = np.zeros(rows.shape[1:], np.float32)
    first = 0
    for i, (part, rng, count) in enumerate(zip(parts, rngs, counts, strict=True)):
        for step, chosen in enumerate(batches(len(part), settings, rng)):
            rows[step, i, :count] = chosen + first
            rows[step, i, count:] = chosen[0] + first  # filled up with a row that the batch holds anyway
        weight[i, :count] = 1 / count
        first += len(part)
    return torch.from_numpy(rows), torch.from_numpy(weight)


def train_seats(
    name: str, base: NDArray[np.int32], parts: Mapping[int, Part], seed: int, number: int
) -> dict[int, tuple[Trained, np.random.Generator]]:
    """By seat, what training in round `number` changes, and the random generator after training. All seats are one group.

    The task is given by name, so that the call can be sent to another process or machine.
    """
    rngs = [generator(seed, number, seat) for seat in parts]
    trained = train_each(_task(name), base, list(parts.values()), rngs, [range(len(parts))])
    return dict(zip(parts, zip(trained, rngs, strict=True), strict=True))


@lru_cache(maxsize=4)
def _task(name: str) -> Task:
    return load_task(name)


class Cohort:
    """The honest training of one round for all seats of one process: done for everybody when the first asks for it.

    The groups do not depend on who has committed or stopped, so that an interrupted federation trains the same groups again.
    far: runs `train_seats` elsewhere, one job a group, and answers in order; the groups, and so the bits, are the same.
    """

    def __init__(self, task: Task, parts: Mapping[int, Part], seed: int, far: Far | None = None, name: str = ""):
        self.task, self.parts, self.seed, self.far, self.name = task, parts, seed, far, name or task.name
        seats = list(parts)
        self.groups = [[seats[i] for i in group] for group in groups(task, [len(part) for part in parts.values()])]
        self.worthwhile = far is not None or len(self.groups) < len(seats)
        self._round = 0
        self._done: dict[int, tuple[Trained, np.random.Generator]] = {}

    def change(self, base: NDArray[np.int32], number: int, seat: int) -> tuple[Delta, np.random.Generator]:
        """(what the seat's training in this round changes, its random generator after training).

        Raises the seat's own UserCodeError, not that of another seat.
        """
        if not self.worthwhile:
            rng = generator(self.seed, number, seat)
            return local_change(self.task, base, self.parts[seat], rng), rng
        if self._round != number:
            self._done = self._train(base, number)
            self._round = number
        trained, rng = self._done[seat]
        if isinstance(trained, UserCodeError):
            raise trained
        return trained, deepcopy(rng)

    def _train(self, base: NDArray[np.int32], number: int) -> dict[int, tuple[Trained, np.random.Generator]]:
        if self.far is None:
            rngs = [generator(self.seed, number, seat) for seat in self.parts]
            places = {seat: i for i, seat in enumerate(self.parts)}
            indices = [[places[seat] for seat in group] for group in self.groups]
            trained = train_each(self.task, base, list(self.parts.values()), rngs, indices)
            return dict(zip(self.parts, zip(trained, rngs, strict=True), strict=True))
        jobs = [(self.name, base, {s: self.parts[s] for s in group}, self.seed, number) for group in self.groups]
        return {seat: result for answer in self.far(train_seats, jobs) for seat, result in answer.items()}

"""Calls everything in a task's code that a round will call, on the rows that it will get, before anything depends on it.

A participant whose code fails in a round is not paid, and one that was drawn to score and cannot is slashed. So anything that
fails here is reported on one line with the remedy, before a deployment and before a stake.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from fl.errors import TaskError, UndefinedMetricError, UserCodeError
from fl.learning.codec import federated, fixed, floats_of, local, parameters_of, to_vector
from fl.learning.data.partition import Part, Shard, Split
from fl.learning.evaluator import Evaluator
from fl.learning.task import Data, SelfTrained, Task, build, foreign
from fl.learning.task_loading import load_task
from fl.learning.trainer import tensors, train
from fl.learning.user_code import batch_loss, gradients

WITHIN = 128.0  # of zero: where fixed point holds a parameter
AT_ONCE = 256  # rows that the loss is tried on together
SAMPLE = 1024  # rows of the pass that is trained, and of the table that is scored; fewer of a large model
LARGE = 1 << 20  # parameters
FEW = 64
LABELS = 16  # of which one row each is trained alone


def table_of(task: Task) -> Data:
    """The task's table, checked. Raises TaskError with the remedy."""
    with foreign(task, "data() fails"):
        data = task.data()
    if not isinstance(data, Data):
        raise TaskError(f"task {task.name}: data() returns {type(data).__name__}: return Data(x, y)")
    if data.elsewhere:
        return data
    for what, values in (("x", data.x), ("y", data.y)):
        _array(task, what, values)
    if len(data.x) != len(data.y):
        cause = f"{len(data.x)} rows of x and {len(data.y)} of y"
        raise TaskError(f"task {task.name}: data() returns {cause}: every row needs its target")
    if not len(data.x):
        raise TaskError(f"task {task.name}: data() returns no rows: there is nothing to learn from")
    if data.owner is not None:
        _check_owners(task, data)
    return data


def _check_owners(task: Task, data: Data) -> None:
    owner = data.owner
    if not isinstance(owner, np.ndarray) or owner.shape != (len(data.x),) or owner.dtype.kind not in "iu":
        raise TaskError(f"task {task.name}: owner must be an array of whole numbers, one for each of the {len(data.x)} rows")
    if odd := set(np.unique(owner).tolist()) ^ set(range(len(data.owners))):
        cause = f"owner {min(odd)} has no name in owners, or no row"
        raise TaskError(f"task {task.name}: {cause}: number the {len(data.owners)} owners from 0, and give each its rows")


def _array(task: Task, what: str, values: object) -> None:
    if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray):
        raise TaskError(f"task {task.name}: {what} is a {type(values).__name__}: give a NumPy array of float32 or int64")
    if values.dtype not in (np.float32, np.int64):
        wanted = "float32" if what == "x" else "float32, or int64 for classes"
        raise TaskError(f"task {task.name}: {what} holds {values.dtype}: give it as {wanted} (.astype)")
    odd = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1) if len(values) else np.zeros(0, bool)
    if odd.any():
        row, count = int(np.flatnonzero(odd)[0]) + 1, int(odd.sum())
        raise TaskError(f"task {task.name}: {what} holds NaN or Inf in {count} rows, first in row {row}: fill or drop them")


def check_model(task: Task) -> nn.Module:
    """The first model, which everybody must build alike: this is what a sponsor without rows can check. Raises TaskError."""
    first, again = build(task, 0), build(task, 0)
    if not _alike(first, again):
        cause = "model() returns a different first model at every call, so nobody else could build it and join"
        raise TaskError(f"task {task.name}: {cause}: draw it with torch, which is seeded, and not with numpy or random")
    if task.loaded_from is not None and not _alike(first, build(load_task(str(task.loaded_from)), 0)):
        cause = f"{task.loaded_from} builds a different first model each time that it is loaded, so nobody else could join"
        raise TaskError(f"task {task.name}: {cause}: draw it in model() with torch, which is seeded")
    largest = float(np.abs(floats_of(first)).max())
    if not largest < WITHIN:  # NaN is not below it either
        cause = f"the first model holds {largest:.3g}, and the bound is {WITHIN:g}"
        raise TaskError(f"task {task.name}: {cause}: begin nearer to zero")
    return first


def check_task(task: Task, table: Data, private: bool = False) -> None:
    """Everything that a round calls, on a whole table: this is what a sponsor or a visitor can check. Raises TaskError.

    private: training clips gradients, so a learning rate that would otherwise be too large is allowed.
    """
    first = check_model(task)
    if isinstance(task, SelfTrained):
        _check_client(task, 0, 1)
        return
    part = Part(table.x, table.y, np.arange(len(table.x)))
    _check_rows(task, first, part)
    sample = _sample(part, SAMPLE if parameters_of(first) <= LARGE else FEW)
    if not private:
        _check_training(task, sample)
    _check_scoring(task, sample)


def check_shard(task: Task, shard: Shard, private: bool = False) -> None:
    """The same on one participant's rows: it trains on some of them, and scores others with the rest. Raises TaskError."""
    first = check_model(task)
    if isinstance(task, SelfTrained):
        for who, of in shard.train.x.astype(int).tolist():
            _check_client(task, who, of)
        return
    _check_rows(task, first, shard.train)
    _check_rows(task, first, shard.held_out)
    if not private:
        _check_training(task, _sample(shard.train, SAMPLE if parameters_of(first) <= LARGE else FEW))
    _check_scoring(task, shard.held_out)


def check_split(task: Task, data: Split) -> None:
    """Checks a table after it was split: everybody can score, and the test rows have a metric.

    Raises TaskError.
    """
    if isinstance(task, SelfTrained):
        for who, of in data.test.x.astype(int).tolist():
            _check_client(task, who, of)
    evaluator = Evaluator(task)
    vector = to_vector(build(task, 0))
    for shard in data.shards if not isinstance(task, SelfTrained) else ():
        _finite_losses(task, evaluator, vector[None], shard.held_out, shard.name)
    with _quiet():
        evaluator.metric(vector, data.test)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    return _same(one.parameters(), other.parameters()) and _same(one.buffers(), other.buffers())


def _same(some: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    """Whether all tensors are alike, to the bit."""
    flat = ((a.detach().reshape(-1), b.detach().reshape(-1)) for a, b in zip(some, others, strict=True))
    return all(a.shape == b.shape and torch.equal(a.view(torch.uint8), b.view(torch.uint8)) for a, b in flat)


def _sample(part: Part, most: int) -> Part:
    """At most so many rows, evenly spaced, including a row of every label if possible."""
    if len(part) <= most:
        return part
    chosen = np.unique(np.concatenate([_one_of_each(part, most // 2), np.linspace(0, len(part) - 1, most // 2).astype(int)]))
    return Part(part.x[chosen], part.y[chosen], None if part.rows is None else part.rows[chosen])


def _one_of_each(part: Part, most: int) -> NDArray[np.int64]:
    """The first row of each different target, at most so many."""
    _, first = np.unique(part.y.reshape(len(part), -1), axis=0, return_index=True)
    return np.asarray(first[np.linspace(0, len(first) - 1, min(most, len(first))).astype(int)])


def _check_rows(task: Task, model: nn.Module, part: Part) -> None:
    """The first model's loss on every row: a label out of range, or a token, is found wherever it stands."""
    model.eval()
    x, y = tensors(part)
    # Mixed, so that rows which do not count, such as unlabelled ones, do not fill a batch where they lie together.
    order = np.random.default_rng(0).permutation(len(part))
    for rows in np.array_split(order, -(-len(part) // AT_ONCE)):
        inputs, wanted = x[rows], y[rows]  # copies
        with torch.no_grad(), torch.random.fork_rng():
            loss = batch_loss(task, model, inputs, wanted, partial(_numbered, part, rows))
        if not (torch.equal(inputs, x[rows]) and torch.equal(wanted, y[rows])):
            cause = "model() or loss() changes the rows that it is given, so that each call would see different ones"
            raise TaskError(f"task {task.name}: {cause}: work on a copy (x = x.clone())")
        if not torch.isfinite(loss):
            raise TaskError(_odd_loss(task, model, part, x, y, rows, float(loss)))


def _numbered(part: Part, rows: NDArray[np.int64], i: int) -> str:
    return part.number(int(rows[i]))


def _odd_loss(task: Task, model: nn.Module, part: Part, x: Tensor, y: Tensor, rows: NDArray[np.int64], loss: float) -> str:
    where = f"{len(rows)} rows"
    with torch.no_grad():
        for i in np.sort(rows):
            alone = batch_loss(task, model, x[i : i + 1], y[i : i + 1], part.number)
            if not torch.isfinite(alone):
                where = part.number(int(i))
                break
    remedy = "return a finite number, and 0 for a batch in which no row counts"
    return f"task {task.name}: loss() returns {loss} with the first model ({where}): {remedy}"


def _check_training(task: Task, part: Part) -> None:
    """One pass from the first model, whose constants must stay what they are, and a batch of one row of each label.

    A model that leaves the range of fixed point this early will not learn later.
    """
    once, model = copy(task), build(task, 0)
    once.training = replace(task.training, steps=-(-len(part) // task.training.batch_size))
    before = {name: tensor.clone() for name, tensor in fixed(model).items() if name not in local(model)}
    train(once, model, part, np.random.default_rng(0))
    for name, tensor in fixed(model).items():
        if name in before and not _same([tensor], [before[name]]):
            cause = f"training changes the buffer {name}, which is not a parameter and stays on each participant's machine"
            raise TaskError(f"task {task.name}: {cause}: make it a parameter, keep it constant, or name its layer in local")
    largest = float(np.abs(floats_of(model)).max())
    if not largest < WITHIN:  # NaN is not below it either
        cause = f"one pass over {len(part)} rows takes a parameter to {largest:.2g}, and the bound is {WITHIN:g}"
        rate = f"learning_rate {task.training.learning_rate:g}"
        raise TaskError(f"task {task.name}: training diverges ({cause}): lower its {rate}, or rescale the rows")
    model = build(task, 0).train()
    for module in model.modules():
        if isinstance(module, _NormBase):  # a local one needs two rows while it trains
            module.eval()
    x, y = tensors(part)
    weights = list(federated(model).values())
    for i in _one_of_each(part, LABELS).tolist():
        one = f"in a batch of one row, which may be all that a participant has ({part.number(i)})"
        try:
            with torch.random.fork_rng():
                found = gradients(task, batch_loss(task, model, x[i : i + 1], y[i : i + 1], part.number), weights)
        except UserCodeError as error:
            remedy = "keep the rows' dimension there, as squeeze(-1) does and squeeze() does not"
            raise UserCodeError(f"{error}, {one}: {remedy}") from error
        if not all(torch.isfinite(g).all() for g in found if g is not None):
            remedy = "let loss() take a single row, and return 0 for a batch in which no row counts"
            raise TaskError(f"task {task.name}: {one}, the gradient is not finite: {remedy}")


def _check_scoring(task: Task, part: Part) -> None:
    """The losses of several models at once, and the metric where these rows have one (an AUC needs both classes)."""
    evaluator = Evaluator(task)
    vectors = np.stack([to_vector(build(task, seed)) for seed in (0, 1, 0)])
    _finite_losses(task, evaluator, vectors, part, "")
    with suppress(UndefinedMetricError), _quiet():  # not part of a round: only a simulation's test rows must have a metric
        evaluator.metric(vectors[0], part)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses the warnings about an undefined metric, which the error reports anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _finite_losses(task: Task, evaluator: Evaluator, vectors: NDArray[np.int32], part: Part, name: str) -> None:
    losses = evaluator.losses(vectors, part)
    if not np.isfinite(losses).all():
        who = f" of {name}" if name else ""
        cause = f"the loss over the {len(part)} rows{who} that others are scored with is {losses[~np.isfinite(losses)][0]}"
        raise TaskError(f"task {task.name}: {cause}: give rows that count, or let loss() return a finite number")


def _check_client(task: SelfTrained, who: int, of: int) -> None:
    """Training and measuring of participant `who`, by clients that are thrown away afterwards."""
    tried, model = task.fresh(), build(task, 0)
    with foreign(task, f"client {who} cannot train"):
        tried.fit(model, who, of, 0)
    largest = float(np.abs(floats_of(model)).max())
    if not largest < WITHIN:
        cause = f"client {who}: fit() takes a parameter to {largest:.3g}, and the bound is {WITHIN:g}"
        raise TaskError(f"task {task.name}: {cause}: lower its learning rate, or rescale its rows")
    with foreign(task, f"client {who} cannot measure"):
        loss, metric, examples = tried.measure(model, who, of)
    if not examples > 0:
        cause = f"client {who} measures on {examples} rows, and others are scored with them"
        raise TaskError(f"task {task.name}: {cause}: give it rows that it does not train on")
    for what, value in (("loss", loss), (task.metric, metric)):
        if not np.isfinite(value):
            cause = f"client {who}: evaluate() returns no {what} that is a finite number"
            raise TaskError(f"task {task.name}: {cause}: return one")

"""Local training: SGD written out, with momentum, weight decay and FedProx's proximal term.

It is written out because importing torch.optim takes two seconds the first time, and because participants want to be able to
read the training loop before they let it use their data.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import TaskError
from fl.learning.codec import federated, floats_of, load_vector, local
from fl.learning.data.partition import Part
from fl.learning.local_layers import Own, load_own, own_of
from fl.learning.task import LocalTraining, SelfTrained, Task, build, foreign
from fl.learning.user_code import batch_loss, gradients
from fl.protocol.fixed_point import to_float


def generator(seed: int, round_: int, seat: int) -> np.random.Generator:
    """The random generator that a participant trains with in a round."""
    return np.random.default_rng([seed, round_, seat])


def batches(rows: int, settings: LocalTraining, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The rows of each step's batch, (batch,): the table is shuffled and dealt out, again and again until the steps are done.

    A batch that reaches the end of one pass goes on with the next, so that all batches of a table have the same size.
    """
    size = min(settings.batch_size, rows)
    left = np.empty(0, np.int64)
    for _ in range(settings.steps):
        if len(left) < size:
            left = np.concatenate([left, rng.permutation(rows)])
        yield left[:size]
        left = left[size:]


def tensors(part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows as tensors, which share their memory where that can be written to."""
    x, y = (np.require(values, requirements=["C", "W"]) for values in (part.x, part.y))  # torch needs contiguous memory
    return torch.from_numpy(x), torch.from_numpy(y)


def train(task: Task, model: nn.Module, part: Part, rng: np.random.Generator) -> None:
    """Train in place on `part`, as the task's settings say. `rng` orders the batches; it also seeds dropout."""
    if isinstance(task, SelfTrained):
        for who, of in part.x.astype(int).tolist():
            with foreign(task, f"client {who} cannot train"):
                task.fit(model, who, of, int(rng.integers(2**31)))
        return
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.bit_generator.seed_seq.generate_state(1)[0]))
        _train(task, model.train(), part, rng)


def _train(task: Task, model: nn.Module, part: Part, rng: np.random.Generator) -> None:
    settings = task.training
    device = _device(settings.device)
    x, y = (rows.to(device) for rows in tensors(part))
    shared = list(federated(model.to(device)).values())
    weights = [*shared, *(w for w in local(model).values() if w.requires_grad)]
    pull = [settings.proximal] * len(shared) + [0.0] * (len(weights) - len(shared))  # towards the shared model
    start = [w.detach().clone() for w in weights]
    velocity = [torch.zeros_like(w) for w in weights]
    for chosen in batches(len(part), settings, rng):
        batch = torch.from_numpy(chosen)
        loss = batch_loss(task, model, x[batch], y[batch], partial(_numbered, part, batch))
        found = gradients(task, loss, weights)
        with torch.no_grad():
            for w, g, v, w0, mu in zip(weights, found, velocity, start, pull, strict=True):
                if g is None:  # not part of this batch's loss
                    continue
                step = g + settings.weight_decay * w + mu * (w - w0)
                v.mul_(settings.momentum).add_(step)
                w.sub_(v, alpha=settings.learning_rate)
    model.to("cpu")


def _device(name: str) -> torch.device:
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:  # PyTorch asserts where it was built without a backend
        cause = f"device {name!r} cannot be used here: {' '.join(str(error).split())[:120]}"
        raise TaskError(f'{cause}: give LocalTraining another device, such as "cpu"') from error


def _numbered(part: Part, batch: torch.Tensor, i: int) -> str:
    return part.number(int(batch[i]))


def start_weights(task: Task, seed: int) -> list[NDArray[np.float32]]:
    """The federated tensors of the task's model from a seed, as arrays."""
    return [w.detach().numpy() for w in federated(build(task, seed)).values()]


def local_change(task: Task, base: NDArray[np.int32], part: Part, rng: np.random.Generator) -> NDArray[np.float64]:
    """What training on `part` from the model `base` (units) changes, float64 (parameters,). Local layers begin anew."""
    return change_beside(task, base, part, rng, None)[0]


def change_beside(
    task: Task, base: NDArray[np.int32], part: Part, rng: np.random.Generator, own: Own | None
) -> tuple[NDArray[np.float64], Own]:
    """The same with a participant's own local layers, and these after training. own: None before it has any."""
    model = load_vector(build(task, 0), base)
    if own is not None:
        load_own(model, own)
    train(task, model, part, rng)
    after = floats_of(model)
    return after - to_float(base)[: after.size], own_of(model)

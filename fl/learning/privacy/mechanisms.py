"""How noise is added to an update: DP-SGD with Opacus's per-row gradients, or clipping and noise on the whole update.

The step is written out, as in trainer.py, for two reasons: Opacus draws noise from PyTorch's Mersenne twister, which is not
secret, and its optimizer has no proximal term. Everything random here (batches, noise, dropout) comes from one source,
because sampling protects only as long as nobody knows which rows were sampled.
"""

from __future__ import annotations

import os
import warnings
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.errors import PrivacyError
from fl.learning.codec import federated, floats_of, load_vector
from fl.learning.data.partition import Part
from fl.learning.privacy.budget import Privacy, Spending
from fl.learning.task import SelfTrained, Task, build, foreign
from fl.learning.trainer import local_change, tensors
from fl.protocol.fixed_point import to_float

Vector = NDArray[np.float64]


class Source(Protocol):
    """Where private randomness comes from. name: what the privacy statement calls it."""

    name: str

    def uniform(self, n: int) -> Vector: ...


class Secret:
    """The operating system's generator."""

    name = "the operating system's cryptographic generator"

    def uniform(self, n: int) -> Vector:
        return (np.frombuffer(os.urandom(8 * n), np.uint64) >> 11) * 2.0**-53


class Seeded:
    """A simulation's generator: the same seed gives the same roots. Anybody who knows the seed can subtract the noise."""

    name = "SEEDED FOR A SIMULATION: anybody can subtract this noise, so nothing is promised"

    def __init__(self, seed: int, round_: int, seat: int):
        self._rng = np.random.default_rng([seed, round_, seat, 0xD9])

    def uniform(self, n: int) -> Vector:
        return self._rng.random(n)


def normal(source: Source, n: int) -> Vector:
    """Standard normals (n,), each half the sum of four (Holohan and Braghin, "Secure random sampling in differential
    privacy", 2021): the low bits of a single one would reveal its pre-image."""
    u = source.uniform(4 * n).reshape(4, n)
    radius, angle = np.sqrt(-2 * np.log1p(-u[:2])), 2 * np.pi * u[2:]
    drawn: Vector = (radius * np.cos(angle) + radius * np.sin(angle)).sum(axis=0) / 2
    return drawn


def private_change(
    task: Task, base: NDArray[np.int32], part: Part, privacy: Privacy, plan: Spending, source: Source, rng: np.random.Generator
) -> Vector:
    """What private training on `part` from the model `base` (units) changes, float64 (parameters,)."""
    if plan.mechanism == "sgd":
        return _sgd(task, base, part, privacy.clip, plan, source)
    delta = local_change(task, base, part, rng)
    # A NaN would show by a missing commitment, and no clip bounds it: it is replaced by zero.
    norm = float(np.linalg.norm(delta))
    clipped = delta * min(1.0, privacy.clip / max(norm, 1e-12)) if np.isfinite(norm) else np.zeros_like(delta)
    return clipped + normal(source, delta.size) * 2 * privacy.clip * plan.noise


def _sgd(task: Task, base: NDArray[np.int32], part: Part, clip: float, plan: Spending, source: Source) -> Vector:
    settings = task.training
    model = load_vector(build(task, 0), base).train()
    before = to_float(base)[: floats_of(model).size]
    rows = PerRow(task, model, part)
    start = [w.detach().clone() for w in rows.weights]
    velocity = [torch.zeros_like(w) for w in rows.weights]
    expected = settings.batch_size  # a constant: dividing by the number of rows would reveal it
    with torch.random.fork_rng():
        torch.manual_seed(int(source.uniform(1)[0] * 2**53))
        for _ in range(plan.steps):
            chosen = np.flatnonzero(source.uniform(len(part)) < plan.rate)
            for w, v, w0, total in zip(rows.weights, velocity, start, rows.clipped_sum(chosen, clip), strict=True):
                noise = torch.from_numpy(normal(source, w.numel())).reshape(w.shape)
                gradient = ((total + noise * clip * plan.noise) / expected).to(w.dtype)
                with torch.no_grad():
                    v.mul_(settings.momentum).add_(gradient + settings.weight_decay * w + settings.proximal * (w - w0))
                    w.sub_(v, alpha=settings.learning_rate)
    return floats_of(model) - before


class PerRow:
    """Gradients of single rows, by Opacus."""

    def __init__(self, task: Task, model: nn.Module, part: Part):
        from opacus import GradSampleModule  # takes seconds to import, and only private training needs it

        self.task, (self.x, self.y) = task, tensors(part)
        self.weights = list(federated(model).values())
        self.model = GradSampleModule(model, loss_reduction="mean")

    def clipped_sum(self, chosen: NDArray[np.int64], clip: float) -> list[torch.Tensor]:
        """The sum over the chosen rows of their gradients, each scaled to a norm of at most `clip`; float64."""
        if not len(chosen):
            return [torch.zeros_like(w, dtype=torch.float64) for w in self.weights]
        at = torch.from_numpy(chosen)
        with warnings.catch_warnings():  # silences a warning: the rows are not leaves of the graph
            warnings.filterwarnings("ignore", message="Full backward hook")
            with foreign(self.task, "private training fails"):
                self.task.loss(self.model(self.x[at]), self.y[at]).backward()
        # A row whose gradient is not a number counts as zero: it must not stop or spoil the release.
        each = [torch.nan_to_num(w.grad_sample.flatten(1).double(), 0.0, 0.0, 0.0) for w in self.weights]  # type: ignore[attr-defined]
        norms = torch.stack([g.norm(dim=1) for g in each]).norm(dim=0)
        scale = (clip / (norms + 1e-6)).clamp(max=1.0)
        self.model.zero_grad()
        return [(scale @ g).reshape(w.shape) for w, g in zip(self.weights, each, strict=True)]


def check_private(task: Task, part: Part, mechanism: str) -> None:
    """Whether a task can be trained privately. Raises PrivacyError with the remedy."""
    if task.local:
        cause = "keeps local layers, which remember rows of every earlier round without noise, and each update depends on them"
        raise PrivacyError(f"task {task.name} {cause}: leave local out, or train without --private")
    if mechanism != "sgd":
        return
    remedy = "or protect the whole update instead (--private update)"
    if isinstance(task, SelfTrained):
        raise PrivacyError(
            f"task {task.name} trains by itself, so noise cannot be added: make it private in its own code, {remedy}"
        )
    from opacus.validators import ModuleValidator  # takes seconds to import, and only private training needs it

    model = build(task, 0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise PrivacyError(
                f"task {task.name} has {type(module).__name__}, which mixes rows: use GroupNorm or LayerNorm, {remedy}"
            )
    if errors := ModuleValidator.validate(model.train(), strict=False):
        result = " ".join(str(errors[0]).split())
        raise PrivacyError(f"task {task.name} cannot be trained row by row: {result}: replace that layer, {remedy}")
    few = Part(part.x[:8], part.y[:8])
    x, y = tensors(few)
    with foreign(task, "private training fails"):
        PerRow(task, build(task, 0).train(), few).clipped_sum(np.arange(len(few)), 1.0)
    with torch.no_grad(), foreign(task, "private training fails"):
        model.eval()
        outputs = model(x)
        alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
        losses = torch.stack([task.loss(outputs[i : i + 1], y[i : i + 1]) for i in range(len(x))])
        if not torch.allclose(outputs, alone, rtol=1e-3, atol=1e-4):
            raise PrivacyError(f"task {task.name}: the output for a row depends on the other rows: keep rows apart, {remedy}")
        if not torch.allclose(task.loss(outputs, y), losses.mean(), rtol=1e-3, atol=1e-4):
            raise PrivacyError(
                f"task {task.name}: the loss of a batch is not the mean of its rows' losses: make it so, {remedy}"
            )

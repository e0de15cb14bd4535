"""What a user replaces: one file with a model, data, local training settings and a measure of success.

The file defines one subclass of Task and `TASK = ThatClass()`. Everything the protocol does is the same for every task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import InitVar, asdict, dataclass, fields
from math import nextafter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from fl.errors import TaskError, TreatyError, UserCodeError
from fl.learning.codec import LOCAL, federated, fixed, fixed_digest, local
from fl.learning.local_layers import local_names
from fl.protocol.manifest import MAX_BATCH, MAX_PARAMETERS, MAX_SETTING, MAX_STEPS, Training

if TYPE_CHECKING:
    import pandas as pd

EPOCH = 10  # steps

# The maximum of each setting, and what to give. A rate of 0 is for tasks that train themselves (see load_task). Parameters lie
# within 128 of zero, so a model that needs longer steps needs another scale.
LIMITS = {
    "learning_rate": (MAX_SETTING, "above 0 and at most 1000, such as 0.05"),
    "momentum": (nextafter(1.0, 0.0), "from 0 to below 1, such as 0.9"),
    "weight_decay": (MAX_SETTING, "from 0 to 1000, such as 0.001"),
    "proximal": (MAX_SETTING, "from 0 to 1000, such as 0.1"),
}


@dataclass(frozen=True)
class LocalTraining:
    """How a participant trains between two rounds, by SGD.

    steps: batches between two rounds, as many for everybody, however few rows one has: a participant whose update is longer
    than the others' only because its table is would be cut short by the gate's bound.
    batch_size: rows of a batch; all of them where there are fewer.
    epochs: what older task files give in the place of steps; each counts as EPOCH steps, whatever the table's size.
    proximal: FedProx's mu (Li et al., "Federated optimization in heterogeneous networks", 2020); 0 is FedAvg.
    device: where this participant's batches are computed, such as "cuda". It concerns only this participant and is not in the
    manifest. What members must agree on to the bit (the first model, scores, metrics) is always computed on the CPU, and so is
    private training.
    """

    learning_rate: float
    steps: int = 20
    batch_size: int = 32
    momentum: float = 0.0
    weight_decay: float = 0.0
    proximal: float = 0.0
    device: str = "cpu"
    epochs: InitVar[int | None] = None

    def __post_init__(self, epochs: int | None) -> None:
        if epochs is not None:
            if not isinstance(epochs, int) or not 1 <= epochs <= MAX_STEPS // EPOCH:
                raise TaskError(f"epochs {epochs}: give steps instead, such as steps=20: the same number for everybody")
            object.__setattr__(self, "steps", EPOCH * epochs)
        for name, (most, wanted) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= most:  # NaN fails every comparison
                raise TaskError(f"{name} {value}: give a number {wanted}")
        for name, value, highest in (("steps", self.steps, MAX_STEPS), ("batch_size", self.batch_size, MAX_BATCH)):
            if not isinstance(value, int) or not 1 <= value <= highest:
                raise TaskError(f"{name} {value}: give a whole number from 1 to {highest:,}")

    def shared(self) -> Training:
        """The part that the manifest states: everything that participants must agree on."""
        return Training(**{f.name: getattr(self, f.name) for f in fields(Training)})


@dataclass(frozen=True)
class Data:
    """A table of examples. x: float32 (n, ...); y: float32 or int64 (n, ...) as the loss wants it.

    owner: int (n,), which of `owners` each row belongs to, if the data has real owners; else None.
    public: the rows are everybody's, so that training, scoring and testing share them (for toy tables).
    elsewhere: there are no rows here, since a SelfTrained task's code keeps them; x and y are one placeholder row.
    """

    x: NDArray[np.float32]
    y: NDArray[np.generic]
    owner: NDArray[np.int64] | None = None
    owners: tuple[str, ...] = ()
    public: bool = False
    elsewhere: bool = False


class Task(ABC):
    """One learning problem. Subclass it in your own file."""

    name: str
    metric: str  # what `evaluate` returns, for people
    higher_is_better: bool = True
    training: LocalTraining
    max_exponent: int = 16  # an update moves a parameter by at most 127 * 2^(this - 24)
    # For `predict` and `evaluate`, all optional. Classes by name, in the order of the model's outputs; of two classes with one
    # output a row, the output is the log-odds of the second.
    classes: tuple[str, ...] = ()
    feature_columns: tuple[str, ...] = ()  # of a table as people keep it, which `encode` reads
    target_column: str = ""
    # Layers that are never sent, by a part of their path, such as ("norm", "head"): each participant keeps its own.
    local: tuple[str, ...] = ()
    loaded_from: Path | None = None  # its file, if it has one

    @abstractmethod
    def data(self) -> Data:
        """The whole table, from the participant's disk."""

    @abstractmethod
    def model(self) -> nn.Module:
        """A fresh model; its random start is seeded by the caller."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss over a batch, a scalar."""

    @abstractmethod
    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        """The metric over a whole test set."""

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Rows of x from a table that has `feature_columns`; by default the columns' numbers as they are, float32 (n, columns).
        Raises TaskError that names the column."""
        from fl.learning.data.columns import features  # keeps pandas out of start-up

        return features(table, self.feature_columns)

    def encode_target(self, values: pd.Series) -> NDArray[np.generic]:
        """Rows of y from the target's column; by default the index of the class of that name, or the number itself."""
        from fl.learning.data.columns import targets  # keeps pandas out of start-up

        return targets(values, self.classes)

    def remarks(self, table: pd.DataFrame) -> list[str]:
        """What `encode` changes in this table, for people to read: values clipped to a range, unknown classes."""
        return []

    def answers(self, outputs: Tensor) -> Tensor:
        """What a prediction is read from, (n,) or (n, k): the model's outputs, a part of them, or the target's own unit."""
        return outputs

    def facts(self) -> dict[str, object]:
        """What the manifest says about the task, as JSON; special kinds of task add what their participants must agree on.

        fixed: the digest of frozen parameters, buffers and what local layers begin with; local: the names of what stays at
        home. Each where the model has any."""
        stated: dict[str, object] = {"task": self.name, "metric": self.metric, "training": asdict(self.training.shared())}
        model = build(self, 0)
        if (digest := fixed_digest(model)) is not None:
            stated["fixed"] = digest
        return {**stated, "local": sorted(at_home)} if (at_home := local(model)) else stated


class SelfTrained(Task):
    """A task whose training and measuring are somebody else's code, on rows that the code keeps: arrays in, arrays out.

    A participant is (who, of): its index and the number of participants. Its model() holds the arrays that are federated, in
    their order.
    """

    @abstractmethod
    def fit(self, model: nn.Module, who: int, of: int, seed: int) -> None:
        """Trains in place, as participant `who`."""

    @abstractmethod
    def measure(self, model: nn.Module, who: int, of: int) -> tuple[float, float, int]:
        """(loss, metric, number of examples) on participant `who`'s own validation rows. NaN where there is none."""

    def fresh(self) -> SelfTrained:
        """The same task with fresh participants, to be tried and thrown away."""
        return self

    def data(self) -> Data:
        return Data(np.zeros((1, 2), np.float32), np.zeros(1, np.float32), elsewhere=True)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise TaskError(f"task {self.name} measures by itself, so its outputs for single rows are not available")

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        raise TaskError(f"task {self.name} measures by itself, so its outputs for single rows are not available")


def build(task: Task, seed: int) -> nn.Module:
    """The task's model: what is federated is drawn from the seed, all else always from seed 0, so that it is the same in every
    federation. Raises TaskError if the model cannot be federated."""
    model = _built(task, seed)
    if seed and (tensors := fixed(model)):
        same = fixed(_built(task, 0))
        with torch.no_grad(), foreign(task, "model() builds another model at each call"):
            for name, tensor in tensors.items():
                tensor.copy_(same[name])
    return model


def _built(task: Task, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        with foreign(task, "model() fails"):
            model = task.model()
        if not isinstance(model, nn.Module):
            raise TaskError(
                f"task {task.name}: model() returns {type(model).__name__}, not a torch.nn.Module: return the model"
            )
        if any(map(is_lazy, (*model.parameters(), *model.buffers()))):
            with foreign(task, "the model's lazy layers cannot be built from a row of data(): give them their widths"):
                _materialise(task, model)
    if task.local and isinstance(task, SelfTrained):
        cause = "local names layers, and the task's own code trains and measures"
        raise TaskError(f"task {task.name}: {cause}: keep them out of the arrays that it federates, and leave local out")
    setattr(model, LOCAL, at_home := local_names(task, model))
    for path, module in model.named_modules():
        # Where its own parameters are frozen it may be kept in eval mode; training it once shows whether it is.
        kept = isinstance(module, _NormBase) and f"{path}.running_mean" in at_home
        if isinstance(module, _NormBase) and module.running_mean is not None and not kept and not _frozen(module):
            kind = type(module).__name__
            message = f"{kind} keeps running statistics, which are not parameters and would stay on each participant's machine"
            remedy = f'use GroupNorm or LayerNorm, or {kind}(..., track_running_stats=False), or say local = ("{path}",)'
            raise TaskError(f"task {task.name}: {message}: {remedy}")
    weights = federated(model).values()
    if not weights:
        cause = "the model has no parameters that train, so there is nothing to learn"
        raise TaskError(f"task {task.name}: {cause}: give it a layer, or leave requires_grad on where it shall learn")
    if odd := [w.dtype for w in weights if w.dtype not in (torch.float32, torch.float64)]:
        raise TaskError(f"task {task.name}: parameters of {odd[0]}: keep them float32; what is sent has 8 bits anyway")
    if (count := sum(w.numel() for w in weights)) > MAX_PARAMETERS:
        message = f"{count:,} parameters, more than the {MAX_PARAMETERS:,} of the largest model"
        raise TaskError(f"task {task.name}: {message}: federate a smaller part of it, such as an adapter")
    return model


def _frozen(module: nn.Module) -> bool:
    own = list(module.parameters())
    return bool(own) and not any(p.requires_grad for p in own)


def _materialise(task: Task, model: nn.Module) -> None:
    """Gives lazy layers the widths that a row of the task's data asks for; they are drawn as the caller's seed says."""
    row = torch.from_numpy(np.ascontiguousarray(task.data().x[:1]))
    training = model.training
    with torch.no_grad():
        model.eval()(row)
    model.train(training)


@contextmanager
def foreign(task: Task, wrong: str) -> Iterator[None]:
    """Guards a call into a user's code: whatever it raises, sys.exit included, becomes a UserCodeError with what went wrong."""
    try:
        yield
    except TreatyError:
        raise
    except (Exception, SystemExit) as error:
        raise UserCodeError(f"task {task.name}: {wrong}: {said(error)}") from error


def said(error: BaseException) -> str:
    """What foreign code raised, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"

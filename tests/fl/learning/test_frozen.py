"""A model's frozen part: it is not federated, everybody builds it alike, and the manifest states its digest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.models import source
from torch import nn

from fl.errors import TaskError
from fl.learning.codec import federated, fixed_digest, floats_of, parameters_of, to_vector
from fl.learning.data.partition import Part
from fl.learning.inference import module_from, tensors_of
from fl.learning.privacy.mechanisms import PerRow, check_private
from fl.learning.task import Data, LocalTraining, Task, build
from fl.learning.task_check import check_task
from fl.learning.task_loading import load_task
from fl.learning.trainer import generator, local_change
from fl.tools.federation.deploy import manifest_of
from fl.tools.federation.first_model import first_model
from fl.tools.model.export import export
from fl.tools.model.folder import load


class Halves(Task):
    """A frozen first layer with a random buffer, and a last layer that trains."""

    name, metric = "halves", "error"
    higher_is_better = False

    def __init__(self, width: int = 6):
        self.width = width
        self.training = LocalTraining(learning_rate=0.1, batch_size=8, momentum=0.5)

    def data(self) -> Data:
        x = np.random.default_rng(3).normal(size=(40, 3)).astype(np.float32)
        return Data(x, (x.sum(axis=1, keepdims=True)).astype(np.float32))

    def model(self) -> nn.Module:
        model = nn.Sequential(nn.Linear(3, self.width), nn.Tanh(), nn.Linear(self.width, 1))
        model[0].requires_grad_(False)
        model.register_buffer("frequencies", torch.randn(4))
        return model

    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs, targets):
        return float(self.loss(outputs, targets))


LARGE = """
import numpy as np
from torch import nn

from fl.learning.task import Data, LocalTraining, Task


class Large(Task):
    name, metric, training = "large", "error", LocalTraining(learning_rate=0.1)

    def data(self):
        return Data(np.ones((9, 3), np.float32), np.ones((9, 1), np.float32))

    def model(self):
        model = nn.Sequential(nn.Linear(3, 6), nn.Linear(6, 1), nn.Embedding(5 << 20, 1))
        for part in (model[0], model[2]):
            part.requires_grad_(False)
        model.forward = lambda x: model[1](model[0](x))
        return model

    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs, targets):
        return float(self.loss(outputs, targets))


TASK = Large()
"""


def test_only_what_trains_is_federated():
    model = build(Halves(), 5)
    assert list(federated(model)) == ["2.weight", "2.bias"] and parameters_of(model) == 7 == floats_of(model).size
    part = Part(Halves().data().x, Halves().data().y)
    assert local_change(Halves(), to_vector(model), part, generator(1, 1, 1)).size == 7


def test_what_is_fixed__is_the_same_for_every_seed__and_what_trains_is_not():
    one, other = build(Halves(), 1), build(Halves(), 2)
    assert torch.equal(one[0].weight, other[0].weight) and torch.equal(one.frequencies, other.frequencies)
    assert not torch.equal(one[2].weight, other[2].weight)
    assert fixed_digest(one) == fixed_digest(other)
    assert fixed_digest(nn.Linear(2, 2)) is None


@pytest.mark.parametrize("change", ["weight", "frequencies", "dtype", "name"])
def test_digest__follows_every_part(change):
    one = build(Halves(), 1)
    before = fixed_digest(one)
    if change == "weight":
        with torch.no_grad():
            one[0].weight[0, 0] += 1e-6
    elif change == "frequencies":
        one.frequencies[3] += 1e-6
    elif change == "dtype":
        one.frequencies = one.frequencies.to(torch.float16)
    else:
        one.register_buffer("frequency", one.frequencies)
        del one.frequencies
    assert fixed_digest(one) not in (before, None)


def test_digest__takes_every_kind_of_number():
    model = nn.Module()
    for kind in (torch.bool, torch.int8, torch.bfloat16, torch.complex64):
        model.register_buffer(str(kind).replace(".", "_"), torch.ones((), dtype=kind))
    assert fixed_digest(model) is not None


def test_manifest__states_the_digest__and_whoever_builds_another_base_is_told_before_anything_is_sent():
    task = Halves()
    manifest = manifest_of(task, 4)
    assert manifest.details["fixed"] == fixed_digest(build(task, 0)) and manifest.parameters == 7

    class Other(Halves):
        def model(self) -> nn.Module:
            model = super().model()
            with torch.no_grad():
                model[0].weight[0, 0] = 0.5
            return model

    with pytest.raises(TaskError, match=r"is not this federation's: its fixed is .*, the manifest says"):
        first_model(Other(), manifest, None)  # type: ignore[arg-type]  # the terms are looked at later


def test_check__frozen_models_pass__and_one_that_trains_nothing_is_refused():
    check_task(Halves(), Halves().data())

    class Still(Halves):
        def model(self) -> nn.Module:
            return super().model().requires_grad_(False)

    with pytest.raises(TaskError, match="no parameters that train, so there is nothing to learn"):
        check_task(Still(), Halves().data())


class Normed(Halves):
    """A frozen batch norm; in eval mode its statistics stay."""

    kept = True

    def model(self) -> nn.Module:
        kept = self.kept

        class Backbone(nn.Sequential):
            def train(self, mode: bool = True):
                return super().train(mode and not kept)

        backbone = Backbone(nn.Linear(3, 4), nn.BatchNorm1d(4)).requires_grad_(False)
        return nn.Sequential(backbone, nn.Linear(4, 1))


def test_batch_norm__frozen_and_kept_in_eval_mode__passes__and_else_is_refused():
    check_task(Normed(), Halves().data())
    moving = Normed()
    moving.kept = False
    with pytest.raises(TaskError, match=r"training changes the buffer 0\.1\.running_mean"):
        check_task(moving, Halves().data())


def test_model_in_a_folder__holds_the_frozen_part_too__and_is_complete():
    model = build(Halves(), 5)
    kept = tensors_of(model)
    assert set(kept) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    x = torch.ones(2, 3)
    assert torch.equal(module_from(Halves(), kept)(x), model.eval()(x))


def test_folder_of_a_model_with_a_large_frozen_part__is_read(tmp_path: Path):
    """Of seven parameters that are federated beside 20 MB that are not."""
    path = tmp_path / "large.py"
    path.write_text(LARGE)
    export(source(load_task(str(path)), tmp_path / "store"), tmp_path / "out", task=str(path))
    assert sum(p.numel() for p in load(tmp_path / "out", str(path)).module.parameters()) > 5 << 20


def test_private_training__clips_only_what_trains():
    task, data = Halves(), Halves().data()
    part = Part(data.x, data.y)
    check_private(task, part, "sgd")
    summed = PerRow(task, build(task, 0).train(), part).clipped_sum(np.arange(5), 1.0)
    assert [tuple(g.shape) for g in summed] == [(1, 6), (1,)]
    assert 0 < float(torch.cat([g.flatten() for g in summed]).norm()) <= 5


def test_frozen_part__may_come_from_a_file(tmp_path: Path):
    """A base that is read from a file, as people have it."""
    save_file({"base": torch.arange(6.0)}, tmp_path / "base.safetensors")

    class Read(Halves):
        def model(self) -> nn.Module:
            model = super().model()
            model.register_buffer("base", load_file(tmp_path / "base.safetensors")["base"])
            return model

    assert fixed_digest(build(Read(), 3)) == fixed_digest(build(Read(), 0)) != fixed_digest(build(Halves(), 0))

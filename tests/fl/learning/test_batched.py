"""Training at once against training one by one: every setting, ragged sizes, what cannot be batched, the same bits again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fl.errors import UserCodeError
from fl.learning import batched
from fl.learning.batched import Cohort, groups, together, train_each, train_many
from fl.learning.codec import federated, to_vector
from fl.learning.data.partition import Part, split
from fl.learning.task import Data, LocalTraining, Task, build
from fl.learning.task_loading import load_task
from fl.learning.trainer import generator, local_change

SIZES = (1, 7, 12, 3, 4, 5, 30, 8)
CLOSE = 2e-6  # what another order of float sums may change, in parameters of size 1


class Waves(Task):
    name, metric, higher_is_better, max_exponent = "waves", "mean squared error", False, 20

    def __init__(self, **settings: float):
        self.training = replace(LocalTraining(learning_rate=0.1, steps=9, batch_size=4), **settings)

    def data(self) -> Data:
        x = np.random.default_rng(5).normal(size=(30, 2)).astype(np.float32)
        return Data(x, np.sin(3 * x[:, :1]), public=True)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))

    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    def evaluate(self, outputs, targets):
        return float(self.loss(outputs, targets))


class Forgetful(Waves):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.Linear(16, 1))


class Crowded(Waves):
    """Every row sees the batch's mean: rows of weight zero would speak."""

    def model(self) -> nn.Module:
        class Centred(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.line = nn.Linear(2, 1)

            def forward(self, x):
                return self.line(x - x.mean(0))

        return Centred()


class Summed(Waves):
    """A loss that is a sum over rows, not a mean."""

    def loss(self, outputs, targets):
        return ((outputs - targets) ** 2).sum()


class Branching(Waves):
    def loss(self, outputs, targets):
        return outputs.mean() if outputs.sum() > 0 else -outputs.mean()


class Classes(Waves):
    """Three classes, of which the last is rare; outputs, labels and weights as subclasses have them."""

    weight = None
    rare = 2

    def data(self) -> Data:
        x = np.random.default_rng(5).normal(size=(90, 2)).astype(np.float32)
        y = (x[:, 0] > 0).astype(np.int64)
        y[::30] = self.rare
        return Data(x, y, public=True)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 3))

    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets, weight=self.weight)


class Weighted(Classes):
    weight = torch.tensor([1.0, 1.0, 30.0])


class Unlabelled(Classes):
    rare = -100  # PyTorch's ignore_index


class Masked(Waves):
    """A loss in which rows with a positive target count for more, divided by what they all count."""

    def loss(self, outputs, targets):
        counts = torch.where(targets > 0, 1.0, 0.2)
        return (counts * (outputs - targets) ** 2).sum() / counts.sum()


class Paired(Classes):
    """Outputs in a structure: the logits, and what is not used."""

    kind = tuple

    def model(self) -> nn.Module:
        kind = self.kind

        class Both(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second = nn.Linear(2, 6), nn.Linear(6, 3)

            def forward(self, x):
                hidden = torch.tanh(self.first(x))
                return {"logits": self.second(hidden), "rest": [hidden]} if kind is dict else (self.second(hidden), hidden)

        return Both()

    def loss(self, outputs, targets):
        return super().loss(outputs["logits" if self.kind is dict else 0], targets)


class Named(Paired):
    kind = dict


class Double(Waves):
    def model(self) -> nn.Module:
        class Wide(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.line = nn.Linear(2, 1).double()

            def forward(self, x):
                return self.line(x.double())

        return Wide()


class Frozen(Waves):
    """The first layer is not trained, and one layer has no part in the outputs."""

    def model(self) -> nn.Module:
        model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
        model[0].requires_grad_(False)
        model.register_module("unused", nn.Linear(3, 3))
        model.forward = lambda x: model[2](model[1](model[0](x)))
        return model


class Asserting(Waves):
    """A loss that raises under vmap what is no error of PyTorch's."""

    def loss(self, outputs, targets):
        assert not torch._C._functorch.is_batchedtensor(outputs)
        return super().loss(outputs, targets)


def parts_of(task: Task) -> list[Part]:
    data, rng = task.data(), np.random.default_rng(1)
    return [Part(data.x[rows], data.y[rows]) for rows in (rng.choice(len(data.x), size) for size in SIZES)]


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [generator(seed, 1, i) for i in range(count)]


def test_together__tells_a_model_that_vmap_cannot_do_from_a_fault(monkeypatch):
    def fails(*_):
        raise KeyError("a fault")

    assert not together(Branching())  # vmap cannot branch on a value: one by one
    monkeypatch.setattr(batched, "_loss", fails)
    with pytest.raises(KeyError, match="a fault"):
        together(Waves())


def farthest(task: Task, parts: list[Part]) -> float:
    base = to_vector(build(task, 3))
    one_by_one = [local_change(task, base, part, rng) for part, rng in zip(parts, rngs(len(parts)), strict=True)]
    at_once = train_many(task, base, parts, rngs(len(parts)))
    assert all(delta.any() for delta in one_by_one)
    return max(np.abs(a - b).max() for a, b in zip(one_by_one, at_once, strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.9},
        {"weight_decay": 0.3},
        {"proximal": 2.0},
        {"momentum": 0.5, "weight_decay": 0.1, "proximal": 1.0, "steps": 5},
        {"batch_size": 1},
        {"batch_size": 64, "steps": 2},
    ],
    ids=str,
)
def test_train_many__is_the_loop__whatever_the_settings_and_sizes(settings):
    task = Waves(**settings)
    assert together(task) and len(groups(task, SIZES)) == 1
    assert farthest(task, parts_of(task)) < CLOSE


@pytest.mark.parametrize("name, alpha", [("heart", None), ("breast_cancer", 5.0), ("digits", 5.0), ("linear", None)])
def test_train_many__is_the_loop__on_the_shipped_tasks(name, alpha):
    task = load_task(name)
    shards = split(task.data(), 5, alpha, 0).shards
    assert together(task)
    assert farthest(task, [shard.train for shard in shards]) < CLOSE


def test_train_many__in_small_groups__is_the_loop(monkeypatch):
    task = Waves()
    monkeypatch.setattr(batched, "GROUP_NUMBERS", 80)  # three participants of 25 numbers
    assert groups(task, SIZES) == [[6, 2, 7], [1, 5, 4], [3, 0]]
    assert farthest(task, parts_of(task)) < CLOSE


@pytest.mark.parametrize("kind", [Classes, Paired, Named, Double, Frozen])
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.5, "weight_decay": 0.1, "proximal": 1.0}], ids=["plain", "all"])
def test_train_many__is_the_loop__whatever_the_model_gives_and_holds(kind, settings):
    task = kind(**settings)
    assert together(task)
    assert farthest(task, parts_of(task)) < CLOSE


def test_train_many__what_is_frozen_or_unused_stays():
    task = Frozen(momentum=0.9, weight_decay=0.5)
    sizes = [w.numel() for w in federated(build(task, 0)).values()]
    moved = np.split(train_many(task, to_vector(build(task, 3)), parts_of(task), rngs(len(SIZES)))[0], np.cumsum(sizes)[:-1])
    names = list(federated(build(task, 0)))
    assert names == ["2.weight", "2.bias", "unused.weight", "unused.bias"]
    assert [name for name, delta in zip(names, moved, strict=True) if delta.any()] == ["2.weight", "2.bias"]


@pytest.mark.parametrize("kind", [Forgetful, Crowded, Summed, Branching, Weighted, Unlabelled, Masked, Asserting])
def test_together__what_would_come_out_otherwise__falls_back_to_the_loop(kind):
    task = kind(learning_rate=0.01)
    assert not together(task)
    assert farthest(task, parts_of(task)) == 0


def test_together__one_row_of_its_kind_in_many__is_found():
    class Rare(Weighted):
        def data(self) -> Data:
            x = np.random.default_rng(5).normal(size=(5000, 2)).astype(np.float32)
            y = (x[:, 0] > 0).astype(np.int64)
            y[4321] = 2
            return Data(x, y)

    assert not together(Rare(batch_size=16))


def test_train_each__whose_code_fails_on_its_rows__fails_alone():
    task = Waves()
    parts = parts_of(task)[:4]
    base = to_vector(build(task, 3))
    wanted = train_many(task, base, parts, rngs(4))

    def sometimes(outputs, targets):
        if (targets == 7).any():  # vmap refuses the branch, and so the group falls back to the loop
            raise ValueError("seven")
        return nn.functional.mse_loss(outputs, targets)

    task.loss = sometimes
    parts[2] = Part(parts[2].x, np.full_like(parts[2].y, 0.5))
    parts[2].y[4] = 7
    trained = train_each(task, base, parts, rngs(4), [[2, 1, 3, 0]])
    assert [isinstance(t, UserCodeError) for t in trained] == [False, False, True, False]
    assert "ValueError: seven (row 5 of its part, target [7.0])" in str(trained[2])
    assert all(np.abs(trained[i] - wanted[i]).max() < CLOSE for i in (0, 1, 3))
    cohort = Cohort(task, dict(enumerate(parts)), seed=0)
    cohort.groups, cohort.worthwhile = [[2, 1, 3, 0]], True
    with pytest.raises(UserCodeError, match="seven"):
        cohort.change(base, 1, 2)
    assert np.abs(cohort.change(base, 1, 3)[0] - wanted[3]).max() < CLOSE


def test_together__a_model_larger_than_a_group__falls_back(monkeypatch):
    monkeypatch.setattr(batched, "GROUP_NUMBERS", 40)
    task = Waves()
    assert not together(task) and len(groups(task, SIZES)) == len(SIZES)


def test_train_many__same_seeds_same_bits__and_the_streams_move_on_alike():
    task = Waves(momentum=0.5)
    parts, base = parts_of(task), to_vector(build(task, 3))
    first, second, loop = rngs(len(parts)), rngs(len(parts)), rngs(len(parts))
    result = train_many(task, base, parts, first)
    torch.manual_seed(99)  # the world's randomness has no say
    again = train_many(task, base, parts, second)
    assert all((a == b).all() for a, b in zip(result, again, strict=True))
    for part, rng in zip(parts, loop, strict=True):
        local_change(task, base, part, rng)
    assert [r.random() for r in first] == [r.random() for r in loop]


def test_cohort__trains_each_seat_with_its_own_stream__whoever_asks_first():
    task = Waves()
    base = to_vector(build(task, 3))
    parts = dict(zip((4, 0, 7), parts_of(task), strict=False))
    result = {}
    for order in ((4, 0, 7), (7, 4)):
        cohort = Cohort(task, parts, seed=5)
        assert cohort.worthwhile
        for number in (1, 2):
            for seat in order:
                delta, rng = cohort.change(base, number, seat)
                wanted = local_change(task, base, parts[seat], generator(5, number, seat))
                assert np.abs(delta - wanted).max() < CLOSE
                drawn = delta.tobytes(), rng.random(), cohort.change(base, number, seat)[1].random()
                assert result.setdefault((number, seat), drawn) == drawn and drawn[1] == drawn[2]


def test_cohort__alone_or_with_what_cannot_be_batched__is_the_loop_to_the_bit():
    for task, parts in ((Waves(), {3: parts_of(Waves())[1]}), (Forgetful(), dict(enumerate(parts_of(Forgetful()))))):
        cohort = Cohort(task, parts, seed=5)
        assert not cohort.worthwhile
        delta, rng = cohort.change(to_vector(build(task, 3)), 2, 3)
        same = generator(5, 2, 3)
        assert (delta == local_change(task, to_vector(build(task, 3)), parts[3], same)).all()
        assert rng.random() == same.random()

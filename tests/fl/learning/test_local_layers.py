"""Layers that stay at home: never sent, each participant's own from round to round, put back before training and scoring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.in_process import InProcessFederation
from support.models import source
from torch import nn

from fl.agents.roles.casting import honest
from fl.agents.roles.keeper import Keeper
from fl.agents.roles.validator import Validator, seat_metric
from fl.agents.runtime.journal import LOCAL, Identity, Journal
from fl.errors import PrivacyError, TaskError, UserCodeError
from fl.learning import local_layers
from fl.learning.codec import federated, fixed_digest, local, parameters_of, to_vector
from fl.learning.data.partition import Part
from fl.learning.evaluator import Evaluator
from fl.learning.inference import module_from, tensors_of
from fl.learning.privacy.mechanisms import check_private
from fl.learning.task import Task, build
from fl.learning.task_check import check_task
from fl.learning.task_loading import load_task
from fl.learning.trainer import change_beside, generator, local_change
from fl.protocol.artifact import Kind, parse_model, parse_update
from fl.protocol.fixed_point import to_fixed
from fl.protocol.seat_metric import told_seats
from fl.tools.federation.deploy import manifest_of
from fl.tools.model.export import export
from fl.tools.model.folder import CARD, load

FILE = """
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from fl.learning.task import Data, LocalTraining, Task


class Normed(Task):
    name, metric, local = "normed", "accuracy", ("norm", "head")
    training = LocalTraining(learning_rate=0.05, batch_size=16, steps=10)

    def data(self):
        rng = np.random.default_rng(0)
        owner = np.repeat(np.arange(4), 60)
        x = rng.normal(size=(240, 6)).astype(np.float32)
        y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
        x = x * (1 + owner)[:, None] + 3 * owner[:, None]  # every owner has scales of its own
        return Data(x.astype(np.float32), y, owner, ("a", "b", "c", "d"))

    def model(self):
        layers = {"body": nn.Linear(6, 16), "norm1": nn.BatchNorm1d(16), "act": nn.ReLU(), "mid": nn.Linear(16, 8)}
        return nn.Sequential(OrderedDict({**layers, "head": nn.Linear(8, 2)}))

    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs, targets):
        return float((outputs.argmax(-1) == targets).float().mean())


TASK = Normed()
"""
HOME = ["head.bias", "head.weight", "norm1.bias", "norm1.num_batches_tracked", "norm1.running_mean"]
HOME += ["norm1.running_var", "norm1.weight"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "normed.py").write_text(FILE)
    return tmp_path / "normed.py"


@pytest.fixture
def task(file: Path) -> Task:
    return load_task(str(file))


def rows(task: Task) -> Part:
    data = task.data()
    return Part(data.x[:60], data.y[:60])


# ---- what is local


def test_local_layers__are_not_federated__and_begin_alike_for_everybody(task):
    one, other = build(task, 1), build(task, 2)
    assert list(federated(one)) == ["body.weight", "body.bias", "mid.weight", "mid.bias"]
    assert sorted(local(one)) == HOME and parameters_of(one) == 6 * 16 + 16 + 16 * 8 + 8
    assert torch.equal(one.head.weight, other.head.weight) and not torch.equal(one.body.weight, other.body.weight)
    manifest = manifest_of(task, 3)
    assert manifest.details["local"] == HOME and manifest.details["fixed"] == fixed_digest(one)


@pytest.mark.parametrize(
    "local,found",
    [
        (("norm",), {"norm1", "enc.norm2"}),
        (("enc.norm",), {"enc.norm2"}),
        (("norm1",), {"norm1"}),
        (("enc",), {"enc.norm2", "enc.1"}),
        (("1",), {"enc.1"}),
    ],
)
def test_words__name_parts_of_a_path__and_numbers_at_its_end_do_not_count(local, found):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.normal, self.first10 = nn.LayerNorm(2), nn.Linear(2, 2), nn.Linear(2, 2)
            self.enc = nn.ModuleDict({"norm2": nn.LayerNorm(2), "1": nn.Linear(2, 2)})

    class Words(Task):
        name = "words"

    Words.local = local
    Words.__abstractmethods__ = frozenset()
    assert {name.rpartition(".")[0] for name in local_layers.local_names(Words(), Named())} == found


@pytest.mark.parametrize(
    "words,message",
    [
        (("body", "mid", "head", "norm"), "local names every parameter that trains, so nothing would be shared"),
        (("tail",), "local names 'tail', and no layer is called so: its layers are body, norm1, mid, head"),
        ("norm", r"local is 'norm': give a tuple of names, such as local = \(\"norm\", \"head\"\)"),
        (("head",), r"BatchNorm1d keeps running statistics.*or say local = \(\"norm1\",\)"),
    ],
)
def test_local_that_cannot_be__is_refused(task, words, message):
    task.local = words
    with pytest.raises(TaskError, match=message):
        build(task, 0)


def test_task_with_a_local_batch_norm__passes_the_check__and_is_not_trained_privately(task):
    check_task(task, task.data())
    with pytest.raises(PrivacyError, match="keeps local layers, which remember rows of every earlier round without noise"):
        check_private(task, rows(task), "update")


# ---- one participant's own


def test_training__goes_on_from_ones_own_layers__and_leaves_those_given_alone(task):
    base, part = to_vector(build(task, 0)), rows(task)
    first, own = change_beside(task, base, part, generator(1, 1, 0), None)
    assert (first == local_change(task, base, part, generator(1, 1, 0))).all()
    before = {name: tensor.clone() for name, tensor in own.items()}
    again, later = change_beside(task, base, part, generator(1, 1, 0), own)
    assert not np.allclose(first, again)
    assert all(torch.equal(own[name], before[name]) for name in HOME)
    assert own["norm1.num_batches_tracked"] == 10 and later["norm1.num_batches_tracked"] == 20


def test_evaluator__measures_with_the_layers_given__and_else_with_the_first(task):
    base, part, evaluator = to_vector(build(task, 0)), rows(task), Evaluator(task)
    plain = evaluator.losses(base[None], part)[0], evaluator.metric(base, part)
    _, own = change_beside(task, base, part, generator(1, 1, 0), None)
    mine = evaluator.losses(np.stack([base, base]), part, own)
    assert mine[0] == mine[1] < plain[0] and evaluator.metric(base, part, own) >= plain[1]
    assert (evaluator.losses(base[None], part)[0], evaluator.metric(base, part)) == plain
    assert evaluator.loss(base, part) == pytest.approx(plain[0])


def test_file__gives_back_every_bit__and_a_damaged_one_is_passed_over(task, tmp_path):
    _, own = change_beside(task, to_vector(build(task, 0)), rows(task), generator(1, 1, 0), None)
    data = local_layers.to_file(task, own)
    for number in (1, 2):
        (tmp_path / f"{number}.local").write_bytes(data)
    assert all(torch.equal(local_layers.kept(tmp_path, 2)[name], own[name]) for name in HOME)
    assert local_layers.kept(tmp_path, 0) is None
    spoilt = bytearray(data)
    spoilt[-3] ^= 1  # a number within, which safetensors itself does not notice
    (tmp_path / "2.local").write_bytes(spoilt)
    assert local_layers.from_file(tmp_path / "2.local") is None and local_layers.kept(tmp_path, 2) is not None
    (tmp_path / "1.local").write_bytes(data[:-1])
    assert local_layers.kept(tmp_path, 2) is None


def test_layers_out_of_bounds_or_of_another_model__are_refused(task):
    model = build(task, 0)
    own = local_layers.own_of(model)
    with pytest.raises(UserCodeError, match=r"training takes the local layer norm1.running_var out of bounds: lower"):
        local_layers.to_file(task, {**own, "norm1.running_var": torch.full((16,), torch.inf)})
    with pytest.raises(TaskError, match=r"head.weight is \(3, 8\) among the local layers that were kept, and \(2, 8\) in the"):
        local_layers.load_own(model, {**own, "head.weight": torch.zeros(3, 8)})


def test_model_in_a_folder__holds_local_statistics_too(task):
    model = build(task, 0)
    _, own = change_beside(task, to_vector(model), rows(task), generator(1, 1, 0), None)
    local_layers.load_own(model, own)
    x = torch.from_numpy(rows(task).x)
    assert torch.equal(module_from(task, tensors_of(model))(x), model.eval()(x))


def test_pruning__keeps_the_last_layers_however_old(tmp_path):
    journal = Journal(tmp_path / "j", Identity(1, "0x1", "0x2", 0))
    try:
        for name in ("1.local", "2.local", "2.update", "40.salt"):
            (journal.folder / name).write_bytes(b"x")
        journal.prune(40)
        assert {p.name for p in journal.folder.iterdir()} >= {"2.local", "40.salt"}
        assert not {p.name for p in journal.folder.iterdir()} & {"1.local", "2.update"} and LOCAL == local_layers.SUFFIX
    finally:
        journal.close()


# ---- a federation


def model_of(federation: InProcessFederation) -> np.ndarray:
    depth = federation.system.terms.depth
    return parse_model(federation.store.get(federation.system.see("model"), Kind.MODEL, depth), depth)


def test_federation_with_a_local_batch_norm__aggregates_to_the_bit__and_sends_nothing_of_it(file, tmp_path):
    federation = InProcessFederation(tmp_path / "one", str(file), honest=4, rounds=4)
    federation.run()
    verdict = federation.audit()
    assert (verdict.rounds, verdict.checks["models"]) == (4, 4)
    terms, count = federation.system.terms, 6 * 16 + 16 + 16 * 8 + 8
    sent = [path for path in federation.store.path.rglob("*") if path.is_file()]
    updates = [path for path in sent if path.suffix == ".update"]
    assert len(updates) == 16
    for path in updates:  # no coordinate beyond the shared ones
        assert not np.asarray(parse_update(path.read_bytes(), terms.depth, terms.max_exponent)[count:]).any()
    content = [path.read_bytes() for path in sent]
    for seat in range(4):
        own = local_layers.kept(tmp_path / "one" / str(seat), 4)
        assert sorted(own) == HOME and own["norm1.num_batches_tracked"] == 40
        floats = [own[name].numpy() for name in HOME if own[name].is_floating_point()]
        assert all(kept.tobytes() not in data for kept in floats for data in content)
        units = [to_fixed(kept.astype(float).ravel()).astype(np.int32).tobytes() for kept in floats]
        assert all(kept not in data for kept in units for data in content)


def test_own_layers__serve_their_seat_better_than_those_that_every_model_begins_with(file, tmp_path):
    federation = InProcessFederation(tmp_path, str(file), honest=4, rounds=4)
    federation.run()
    model, shards = model_of(federation), federation.data.shards
    found = [seat_metric(federation.evaluator, model, shards[i], tmp_path / str(i), 4) for i in range(4)]
    values = [m.value for m in found if m is not None]
    shared = [m.shared for m in found if m is not None and m.shared is not None]
    assert len(values) == len(shared) == 4 and np.mean(values) > 0.8 > np.mean(shared) + 0.1
    assert told_seats(dict(enumerate(found))).startswith(f"mean {np.mean(values):.4f} of 4 seats, ")


def test_restart__goes_on_with_the_layers_that_were_kept(file, tmp_path):
    whole, halved = (InProcessFederation(tmp_path / name, str(file), honest=4, rounds=n) for name, n in (("a", 4), ("b", 2)))
    whole.run()
    halved.run()
    shards, evaluator = halved.data.shards, Evaluator(halved.task)
    seats = [replace(a, roles=honest(i, evaluator, shards[i], 0, a.journal)) for i, a in enumerate(halved.agents[:4])]
    halved.play([*seats, replace(halved.agents[4], roles=(Keeper(4),))])
    halved.run()
    assert (model_of(whole) == model_of(halved)).all()
    for seat in map(str, range(4)):
        one, other = (local_layers.kept(tmp_path / name / seat, 4) for name in "ab")
        assert all(torch.equal(one[name], other[name]) for name in HOME)


def test_validator__judges_each_round_with_the_layers_that_it_had_in_it(file, tmp_path):
    federation = InProcessFederation(tmp_path, str(file), honest=4, rounds=2)
    federation.run()
    shard, evaluator = federation.data.shards[1], federation.evaluator
    validator = Validator(1, evaluator, shard, tmp_path / "1")
    models, losses = model_of(federation)[None], []
    for number in (1, 2):
        losses.append(float(validator._scorer._at(number)(models, shard.held_out)[0]))
        own = local_layers.kept(tmp_path / "1", number)
        assert losses[-1] == float(evaluator.losses(models, shard.held_out, own)[0])
    assert losses[0] != losses[1] != float(evaluator.losses(models, shard.held_out)[0])


def test_card__names_the_layers_that_are_as_they_began(file, tmp_path):
    export(source(load_task(str(file)), tmp_path / "store"), tmp_path / "out", task=str(file))
    text = " ".join((tmp_path / "out" / CARD).read_text().split())
    assert r"| local layers | head.bias, head.weight, norm1.bias, norm1.num\_batches\_tracked" in text
    assert "these are as they began, not trained" in text
    model = load(tmp_path / "out", str(file)).module
    assert torch.equal(model.head.weight, build(load_task(str(file)), 0).head.weight)

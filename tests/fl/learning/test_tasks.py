"""Tasks: the four that ship, one of a user's own by the path of its file, and what a broken one is told."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from fl.errors import TaskError
from fl.learning.codec import parameters_of, to_vector
from fl.learning.data.partition import split
from fl.learning.shipped import SHIPPED
from fl.learning.task import build
from fl.learning.task_loading import load_task
from fl.learning.tasks import linear
from fl.learning.tasks.adapter import ALPHABET
from fl.learning.tasks.heart import HOSPITALS, NUMBERS
from fl.learning.tasks.linear import Linear
from fl.learning.trainer import train

# name: (rows, shape of a row, parameters, seats of its natural split)
SIZES = {
    "linear": (5, (1,), 2, 5),
    "heart": (920, (31,), 529, 4),
    "breast_cancer": (569, (30,), 513, 10),
    "digits": (1797, (1, 8, 8), 1898, 10),
    "digits_mlp": (1797, (1, 8, 8), 9610, 10),
    "adapter": (1627, (32,), 4608, 7),
}


def best(task, y: torch.Tensor) -> torch.Tensor:
    """The outputs of a model that knows every answer."""
    classes = {"digits": 10, "digits_mlp": 10, "adapter": len(ALPHABET)}
    return nn.functional.one_hot(y, classes[task.name]).float() if task.name in classes else y


def written(folder, text: str) -> str:
    path = folder / "my_task.py"
    path.write_text(text)
    return str(path)


def own(folder, name: str = "mine") -> str:
    """A user's file: the shipped example, copied and renamed."""
    return written(folder, inspect.getsource(linear).replace('"linear"', f'"{name}"'))


def refusal(name: str) -> str:
    with pytest.raises(TaskError) as result:
        load_task(name)
    return str(result.value)


def test_shipped__are_those_that_are_measured_here():
    assert set(SHIPPED) == set(SIZES)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped__table_and_model_have_the_shapes_promised(name):
    task = load_task(name)
    data, model = task.data(), build(task, 0)
    rows, shape, parameters, _ = SIZES[name]
    assert (data.x.shape, data.x.dtype, len(data.y)) == ((rows, *shape), np.float32, rows)
    assert np.isfinite(data.x).all() and np.isfinite(data.y).all()
    assert (task.name, parameters_of(model)) == (name, parameters)
    loss = task.loss(model(torch.from_numpy(data.x)), torch.from_numpy(data.y))
    assert loss.shape == () and 0 < loss.item() < 100


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped__metric_is_perfect_for_who_knows_all_answers_and_not_for_who_says_the_opposite(name):
    task = load_task(name)
    y = torch.from_numpy(task.data().y)
    perfect, worst = task.evaluate(best(task, y), y), task.evaluate(-best(task, y), y)
    assert (perfect, worst) == ((1.0, 0.0) if task.higher_is_better else (0.0, 4 * float((y**2).mean())))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped__splits_by_seat(name):
    data = load_task(name).data()
    rows, _, _, seats = SIZES[name]
    dealt = split(data, seats, None, 0)
    assert len(dealt.shards) == seats and min(len(s.train) for s in dealt.shards) >= 1
    if not data.public:
        assert sum(len(s.train) + len(s.held_out) for s in dealt.shards) + len(dealt.test) == rows
    if data.owner is not None:
        assert [s.name for s in dealt.shards] == list(data.owners)


def test_heart__every_hospital_has_its_patients__and_what_was_not_measured_is_flagged():
    data = load_task("heart").data()
    assert dict(zip(HOSPITALS, np.bincount(data.owner), strict=True)) == {
        "Cleveland": 304,
        "Hungary": 293,
        "Switzerland": 123,
        "VA Long Beach": 200,
    }
    numbers, classes = data.x[:, : 2 * len(NUMBERS)], data.x[:, 2 * len(NUMBERS) :]
    values, missing = numbers[:, ::2], numbers[:, 1::2]
    assert set(np.unique(missing)) == {0, 1} and set(np.unique(classes)) == {0, 1}
    assert not values[missing == 1].any()
    cholesterol = list(NUMBERS).index("chol")
    assert missing[data.owner == HOSPITALS.index("Switzerland"), cholesterol].all()  # written there as 0
    assert np.abs(values).max() < 10


def test_build__follows_the_seed__and_leaves_the_world_s_randomness_alone():
    task = load_task("heart")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (to_vector(build(task, seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert (first == again).all() and (first != other).any()


def test_build__refuses_state_that_does_not_travel():
    class Normed(Linear):
        def model(self):
            return nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))

    with pytest.raises(TaskError, match=r"linear: BatchNorm1d keeps running statistics, .* use GroupNorm"):
        build(Normed(), 0)


def test_own_file__is_a_task_like_the_shipped(tmp_path):
    task = load_task(own(tmp_path))
    model, shard = build(task, 0), split(task.data(), 1, None, 0).shards[0]
    train(task, model, shard.train, np.random.default_rng(0))
    assert task.name == "mine" and task.facts()["task"] == "mine"
    assert model.weight.item() > 1  # on its way to 2


def test_own_file__is_found_from_here_as_well(tmp_path, monkeypatch):
    own(tmp_path, "near")
    monkeypatch.chdir(tmp_path)
    assert load_task("my_task.py").name == "near"


@pytest.mark.parametrize("name", ["hart", "", "heart.py", ".."])
def test_unknown_task__names_those_that_ship(name):
    ways = "the path of a task file, or table:PATH?target=COLUMN"
    assert refusal(name) == f"no task {name!r}: give one of {', '.join(SHIPPED)}, {ways}"


@pytest.mark.parametrize("text", ["", "TASK = 3\n", "from fl.learning.tasks.linear import Linear as TASK\n"])
def test_file_without_a_task__is_told_what_to_add(tmp_path, text):
    name = written(tmp_path, text)
    assert refusal(name) == f"{name} defines no TASK: end the file with TASK = YourTask(), or define client_fn(context)"


def test_file_of_another_kind__is_told_what_to_give(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("TASK: 1")
    assert refusal(str(path)) == f"{path} is not a Python file: give the path of a task file, such as my_task.py"
    (tmp_path / "mine.csv").touch()
    assert refusal(f"{tmp_path}/mine.csv").endswith(
        f"which column to predict, --task 'table:{tmp_path}/mine.csv?target=COLUMN'"
    )


@pytest.mark.parametrize("text", ["def (:\n", "import no_such_module\n", "raise RuntimeError('x')\n", "TASK = Later()\n", "\0"])
def test_broken_file__is_refused_in_one_line_that_names_it(tmp_path, text):
    name = written(tmp_path, text)
    result = refusal(name)
    assert name in result and "\n" not in result

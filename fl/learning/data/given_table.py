"""A table given to a finished model: new rows to predict, or rows with targets to measure on.

Columns are matched by name if the task names them (`feature_columns`); otherwise by position, as numbers that are already
encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fl.errors import TaskError
from fl.learning.data.columns import complete, within
from fl.learning.data.reading import read_table
from fl.learning.task import Data, SelfTrained, Task, foreign

SHOWN = 12  # names of columns in one line


@dataclass(frozen=True)
class RowShape:
    """One row of x and one of y, as the task's model and loss take them."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    y_dtype: str

    @staticmethod
    def of(data: Data) -> RowShape:
        return RowShape(tuple(data.x.shape[1:]), tuple(data.y.shape[1:]), str(data.y.dtype))

    @staticmethod
    def parse(facts: Mapping[str, Any]) -> RowShape:
        """Raises KeyError, TypeError, ValueError or OverflowError if the facts are malformed."""
        x, y = (tuple(int(n) for n in facts[name]) for name in ("x", "y"))
        if min((*x, *y), default=0) < 0 or facts["y_dtype"] not in ("float32", "int64"):
            raise ValueError(f"no shape of a row: {facts}")
        return RowShape(x, y, facts["y_dtype"])


@dataclass(frozen=True)
class Given:
    """The table, its rows as the model takes them, targets (None where they were not asked for), and remarks for people."""

    table: pd.DataFrame
    x: NDArray[np.float32]
    y: NDArray[np.generic] | None
    remarks: tuple[str, ...]


def read_given(task: Task, path: Path, shape: RowShape | None, *, targets: bool) -> Given:
    """Reads a .csv or .parquet file. targets: whether each row must have its target; otherwise targets are ignored.

    Raises TaskError that names the column, the row and the remedy."""
    return rows_of(task, read_table(path), str(path), shape, targets=targets)


def rows_of(task: Task, table: pd.DataFrame, where: str, shape: RowShape | None, *, targets: bool) -> Given:
    """The same of a table that was read already. where: what errors call it."""
    table = table.rename(columns=str)
    if isinstance(task, SelfTrained):
        raise TaskError(f"task {task.name} measures with its own code, on rows that the code keeps: use that code to predict")
    gone = [name for name in task.feature_columns if name not in table.columns]
    if task.feature_columns and not gone:
        return _by_name(task, where, table, targets)
    if shape is None:
        lacking = f"{where} has no column {gone[0]!r}" if gone else f"task {task.name} names no columns"
        raise TaskError(f"{lacking}, and the shape of its rows is not known here: give the task's class feature_columns")
    return _by_place(task, where, table, shape, gone, targets)


def _by_name(task: Task, where: str, table: pd.DataFrame, targets: bool) -> Given:
    target = task.target_column
    y = None
    if targets:
        if not target:
            wanted = "give numbers that are encoded already, the targets last, or let the task's class name a target_column"
            raise TaskError(f"task {task.name} names no column for the target: {wanted}")
        if target not in table.columns:
            raise TaskError(f"{where} has no column {target!r}, which is the target to measure against; it has {_names(table)}")
    with within(where), foreign(task, "encode() fails"):
        x = np.ascontiguousarray(task.encode(table), np.float32)
        if targets:
            y = task.encode_target(table[target])
        remarks = task.remarks(table)
    if aside := [name for name in table.columns if name not in (*task.feature_columns, target)]:
        remarks.append(f"columns that the task does not read: {', '.join(aside[:SHOWN])}{' ...' * (len(aside) > SHOWN)}")
    if target in table.columns and not targets:
        remarks.append(f"column {target} is the target: it was ignored (`ape run evaluate` measures against it)")
    return Given(table, _finite(task, where, x), y, tuple(remarks))


def _by_place(task: Task, where: str, table: pd.DataFrame, shape: RowShape, gone: list[str], targets: bool) -> Given:
    features, more, columns = prod(shape.x), prod(shape.y), len(table.columns)
    if columns not in (features, features + more) or (targets and columns == features):
        if gone:
            raise TaskError(f"{where} has no column {gone[0]!r}, which task {task.name} reads; it has {_names(table)}")
        last = f"{features} features and then {more} of the target" if targets else f"{features} features"
        raise TaskError(
            f"{where} has {columns} columns, and a row of task {task.name} has {last}: give exactly those, in order"
        )
    with within(where), np.errstate(over="ignore"):  # what float32 cannot hold is reported below
        numbers = np.stack([complete(table[name]) for name in table.columns], axis=1)
        x = np.ascontiguousarray(numbers[:, :features], np.float32).reshape(len(table), *shape.x)
    y = numbers[:, features:].astype(shape.y_dtype).reshape(len(table), *shape.y) if targets else None
    remarks = []
    if gone:
        remarks.append(
            f"no column is named {gone[0]}: the columns are matched by position, as numbers that are already encoded"
        )
    if columns > features and not targets:
        remarks.append(f"column {table.columns[-1]}, the last, is the target: it was ignored")
    return Given(table, _finite(task, where, x), y, tuple(remarks))


def _finite(task: Task, where: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    odd = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if odd.any():
        raise TaskError(
            f"{where}, row {int(np.flatnonzero(odd)[0]) + 1}: task {task.name} turns it into NaN or Inf: correct it"
        )
    return x


def _names(table: pd.DataFrame) -> str:
    return f"{', '.join(table.columns[:SHOWN])}{' ...' * (len(table.columns) > SHOWN)}"

"""Turns the columns of people's tables into numbers; errors name the column and the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fl.errors import TaskError


def features(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The named columns as they are, float32 (n, columns). Raises TaskError for a text or a missing value."""
    return np.stack([complete(table[name]) for name in names], axis=1).astype(np.float32)


def targets(values: pd.Series, classes: Sequence[str]) -> NDArray[np.generic]:
    """The index of each row's class (float32 of two classes, int64 of more), or the numbers where no classes are given."""
    if not classes:
        return complete(values).astype(np.float32)
    if values.isna().any():
        raise TaskError(f"column {values.name}: no value in row {row_of(values.isna())}")
    text = values.map(class_text)
    check_classes(values, classes)
    return text.map(list(classes).index).to_numpy(np.float32 if len(classes) == 2 else np.int64)


def check_classes(values: pd.Series, classes: Sequence[str]) -> None:
    """Raises TaskError for the first value that is none of the classes; a missing one passes."""
    wrong = values.notna() & ~values.map(class_text).isin(list(classes))
    if wrong.any():
        message = f"row {row_of(wrong)} says {class_text(values[wrong].iloc[0])!r}, which is none of {', '.join(classes)}"
        raise TaskError(f"column {values.name}: {message}")


def numbers(values: pd.Series) -> pd.Series:
    """The column as floats, a missing value as NaN. Raises TaskError for a text."""
    result = values if pd.api.types.is_numeric_dtype(values) else pd.to_numeric(values, errors="coerce")
    found = result.astype(float)
    if (wrong := found.isna() & values.notna()).any():
        raise TaskError(
            f"column {values.name}: row {row_of(wrong)} holds {str(values[wrong].iloc[0])!r}, which is not a number"
        )
    return found


def complete(values: pd.Series) -> NDArray[np.float64]:
    """The same, but no value may be missing or infinite, float64 (n,)."""
    found = numbers(values)
    if found.isna().any():
        raise TaskError(f"column {values.name}: no value in row {row_of(found.isna())}: fill it, or leave the row out")
    if np.isinf(found).any():
        raise TaskError(f"column {values.name}: the number in row {row_of(np.isinf(found))} is infinite: correct it")
    return found.to_numpy(np.float64)


def class_text(value: object) -> str:
    """A class by its text; 1 and 1.0 are one class, since a missing value turns whole numbers into floats."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value).strip()


@contextmanager
def within(where: object) -> Iterator[None]:
    """Puts the table's name in front of the errors raised inside."""
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{where}, {error}") from error


def row_of(wrong: pd.Series) -> int:
    """The first such row, counted from 1 below the heading."""
    return int(np.flatnonzero(wrong.to_numpy())[0]) + 1

"""Predictions for a table of new rows: classes by name with their probabilities, or numbers in the target's own unit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fl.errors import TaskError, TreatyError
from fl.learning.data.given_table import read_given
from fl.learning.inference import Predictions, outputs_of, predictions
from fl.network.stores.files import write_durably
from fl.tools.cli.options import Result
from fl.tools.model.folder import load

FORMULA = ("=", "+", "-", "@")  # a spreadsheet may take a text that begins with one of these for a formula


def predict(folder: Path, data: Path, out: Path, task: str | None = None, keep: Sequence[str] = ()) -> Result:
    """Writes a row of predictions for each row of `data`, in its order. keep: columns of `data` to copy beside them.

    Raises TreatyError that names the column, the row and the remedy, and then writes nothing."""
    if out.exists() and out.samefile(data):
        raise TreatyError(f"{out} is the table to predict: give --out another file, so that it is not replaced")
    if out.suffix != ".csv":
        raise TreatyError(f"{out}: predictions are written as a table, so give --out a name that ends in .csv")
    model = load(folder, task)
    given = read_given(model.task, data, model.config.rows, targets=False)
    if gone := [name for name in keep if name not in given.table.columns]:
        raise TaskError(f"{data} has no column {gone[0]!r} to keep; it has {', '.join(given.table.columns[:12])}")
    result = table(predictions(model.task, outputs_of(model.task, model.module, given.x)))
    kept = given.table[list(keep)].reset_index(drop=True)
    if twice := [name for name in keep if name in result.columns]:
        kept = kept.rename(columns={name: f"{name} (given)" for name in twice})
    whole = pd.concat([kept, result], axis=1)
    try:
        write_durably(out, whole.to_csv(index=False).encode())
    except OSError as error:
        raise TreatyError(
            f"{out} cannot be written ({error.strerror or error}): give --out a place that you may write"
        ) from error
    lines = [*(f"note: {remark}" for remark in given.remarks), *_counts(result), f"written: {out} ({len(result):,} rows)"]
    facts = {"written": str(out), "rows": len(result), "columns": list(whole.columns), "remarks": list(given.remarks)}
    return Result(lines, {**facts, "classes": list(model.task.classes)})


def table(given: Predictions) -> pd.DataFrame:
    """`prediction`, and `p(CLASS)` for each class; without classes `prediction`, or `prediction 0` and so on."""
    if given.probabilities is None:
        assert given.values is not None
        several = given.values.shape[1] > 1
        names = [f"prediction {i}" for i in range(given.values.shape[1])] if several else ["prediction"]
        return pd.DataFrame(given.values.astype(np.float32), columns=names)
    chosen = given.probabilities.argmax(axis=1)
    names = [name.replace("\r", " ") for name in given.classes]  # pandas writes it as it is, and readers see another row
    frame = pd.DataFrame({"prediction": [_harmless(names[i]) for i in chosen]})
    columns = [f"p({name})" for name in names]
    return pd.concat([frame, pd.DataFrame(given.probabilities.round(6), columns=columns)], axis=1)


def _harmless(text: str) -> str:
    """An untrusted class name, changed so that no spreadsheet takes it for a formula; numbers are unchanged."""
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text.lstrip().startswith(FORMULA) else text
    return text


def _counts(given: pd.DataFrame) -> list[str]:
    if len(given.columns) == 1 or given["prediction"].nunique() > 10:
        return []
    return [", ".join(f"{count} {name}" for name, count in given["prediction"].value_counts().items())]

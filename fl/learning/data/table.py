"""A task without code: a CSV or Parquet table and the name of its target column.

`table:patients.csv?target=sick&owner=hospital&age=0..100&stage=I|II|III&drop=name`

Numbers are scaled by ranges, and classes become columns. Both are public: they are stated in the address or else taken from the
table and rounded outward, and they are part of the manifest. No statistic of one participant's rows (mean, standard deviation)
reaches another. Participants with their own tables take the stated columns from the federation's manifest:
`table:mine.csv?manifest=MANIFEST.json`.

A sponsor without rows states every column: `table:?target=sick&sick=0|1&age=0..100&sex=F|M&optional=sex`, or in a file,
`table:schema.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, floor, isfinite, log10
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor, nn

from fl.errors import TaskError
from fl.learning.data.columns import class_text, numbers, row_of, targets, within
from fl.learning.data.reading import oddity, read_table
from fl.learning.task import Data, LocalTraining, Task
from fl.protocol.manifest import Manifest

PREFIX = "table:"
MAX_CLASSES = 50
FEW_NUMBERS = 10  # a whole-number target with at most this many values is a class
HIDDEN = 32
MAX_SCHEMA = 1 << 20  # bytes
WORDS = ("target", "owner", "drop", "manifest", "missing", "optional")


@dataclass(frozen=True)
class Column:
    """How one column becomes numbers. classes: one column each; else low and high: scaled to -1..1. optional: a flag beside
    it says where the value is missing."""

    name: str
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    optional: bool = False

    @property
    def width(self) -> int:
        return (len(self.classes) or 1) + self.optional

    def encode(self, values: pd.Series) -> NDArray[np.float32]:
        """float32 (n, width). A number outside its range is clipped to it; a class that was not stated becomes all zeros."""
        missing = values.isna()
        if missing.any() and not self.optional:
            raise TaskError(
                f"column {self.name}: no value in row {row_of(missing)}, and the task allows no missing values there"
            )
        if self.classes:
            text = values.map(class_text, na_action="ignore")
            columns = [(text == one).to_numpy(np.float32) for one in self.classes]
        else:
            middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
            scaled = (numbers(values).clip(self.low, self.high) - middle) / half
            columns = [scaled.fillna(0.0).to_numpy(np.float32)]
        return np.stack(columns + ([missing.to_numpy(np.float32)] if self.optional else []), axis=1)


@dataclass(frozen=True)
class Outside:
    """How many values of a column the task cannot use, and why the first of them is one."""

    column: str
    count: int
    cause: str


class Table(Task):
    """A small network on a table: one hidden layer, which can also fit linear relations."""

    training = LocalTraining(learning_rate=0.1, steps=20, batch_size=16, momentum=0.5)

    def __init__(self, path: Path, target: Column, columns: tuple[Column, ...], owner: str | None, frame: pd.DataFrame):
        self.path, self.target, self.columns, self.owner, self.frame = path, target, columns, owner, frame
        self.name = f"table {path.stem}"
        self.kinds = len(target.classes)
        self.metric = {0: "mean absolute error", 2: "AUC"}.get(self.kinds, "accuracy")
        self.higher_is_better = self.kinds > 0

    def data(self) -> Data:
        if self.frame.empty:
            raise TaskError("the task is a table whose columns the manifest states, without rows: give yours with --data TABLE")
        frame, where = self.frame, str(self.path)
        _need(frame, [self.target.name, *(c.name for c in self.columns), *([self.owner] if self.owner else [])], where)
        with within(where):
            x, y = self.encode(frame), self.encode_target(frame[self.target.name])
        if self.owner is None:
            return Data(x, y)
        if frame[self.owner].isna().any():
            raise TaskError(f"{where}, column {self.owner}: no owner in row {row_of(frame[self.owner].isna())}")
        names = tuple(sorted(frame[self.owner].map(class_text).unique()))
        return Data(x, y, frame[self.owner].map(class_text).map(names.index).to_numpy(np.int64), names)

    @property
    def feature_columns(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(column.name for column in self.columns)

    @property
    def target_column(self) -> str:  # type: ignore[override]
        return self.target.name

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.target.classes

    def encode(self, table: pd.DataFrame) -> NDArray[np.float32]:
        return np.concatenate([column.encode(table[column.name]) for column in self.columns], axis=1)

    def encode_target(self, values: pd.Series) -> NDArray[np.generic]:
        if values.isna().any():
            raise TaskError(f"column {self.target.name}: no target in row {row_of(values.isna())}: leave such rows out")
        return targets(values, self.classes) if self.classes else self.target.encode(values)[:, 0]

    def remarks(self, table: pd.DataFrame) -> list[str]:
        return [f"column {o.column}: {o.count} of {len(table)} rows; the first {o.cause}" for o in self.outside(table)]

    def outside(self, table: pd.DataFrame) -> list[Outside]:
        """By column, the values that are encoded to a constant: beyond a range, or a class that the task does not know."""
        found = []
        for column in (*self.columns, *(() if self.classes or self.target.name not in table else (self.target,))):
            values = table[column.name].dropna()
            if column.classes:
                texts = values.map(class_text)
                odd = values[~texts.isin(column.classes)]
                cause = "says {}, a class that the task does not know: the model sees no class"
            else:
                result = numbers(values)
                odd = values[(result < column.low) | (result > column.high)]
                cause = "says {}, outside " + f"{column.low:g}..{column.high:g}: the model sees the nearer end"
            if len(odd):
                found.append(Outside(column.name, len(odd), cause.format(odd.iloc[0])))
        return found

    def answers(self, outputs: Tensor) -> Tensor:
        if self.kinds:
            return outputs
        return outputs * ((self.target.high - self.target.low) / 2) + (self.target.high + self.target.low) / 2

    def model(self) -> nn.Module:
        width = sum(c.width for c in self.columns)
        outputs = self.kinds if self.kinds > 2 else 1
        layers = [nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)]
        return nn.Sequential(*layers, *([nn.Flatten(0)] if outputs == 1 else []))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.kinds == 0:
            return nn.functional.mse_loss(outputs, targets)
        if self.kinds == 2:
            return nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return nn.functional.cross_entropy(outputs, targets)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> float:
        if self.kinds == 0:  # in the target's own unit
            return float((outputs - targets).abs().mean()) * (self.target.high - self.target.low) / 2
        if self.kinds == 2:
            if len(set(targets.tolist())) < 2:
                return 0.5  # a test set of one class measures nothing
            from sklearn.metrics import roc_auc_score  # keeps SciPy out of start-up

            return float(roc_auc_score(targets.numpy(), outputs.numpy()))
        return float((outputs.argmax(1) == targets).float().mean())

    def facts(self) -> dict[str, object]:
        """With the columns, so that everybody encodes alike. The path stays private."""
        table = {"target": asdict(self.target), "columns": [asdict(c) for c in self.columns]}
        return {**super().facts(), "task": "table", "table": json.loads(json.dumps(table))}


def table_address(path: Path, target: str, drop: Sequence[str] = ()) -> str:
    """The address of a table as a task."""
    dropped = f"&drop={','.join(quote(name, safe='') for name in drop)}" if drop else ""
    return f"{PREFIX}{path}?target={quote(target)}{dropped}"


def table_task(address: str) -> Table:
    """The task of a `table:` address. Raises TaskError that names the column and the remedy."""
    where, given, lists = _parse(address)
    if not where:
        return _from_words(address, given, lists)
    if Path(where).suffix == ".json":
        return _from_schema(Path(where))
    frame = read_table(Path(where), lists.get("missing", ()))
    if "manifest" in given:
        return _from_manifest(Path(where), frame, Path(given["manifest"]))
    if "target" not in given:
        raise TaskError(f"{address}: say which column to predict, {PREFIX}{where}?target={frame.columns[-1]}")
    owner, dropped, optional = given.get("owner"), lists.get("drop", ()), lists.get("optional", ())
    stated = {name: value for name, value in given.items() if name not in WORDS}
    _need(frame, [given["target"], *([owner] if owner else []), *dropped, *optional, *stated], where)
    if len(frame) < 8:
        raise TaskError(f"{where} has {len(frame)} rows: a federation needs more rows to train and to score with")
    names = [n for n in frame.columns if n not in (given["target"], owner, *dropped)]
    if not names:
        raise TaskError(f"{where}: no column is left to predict {given['target']} from")
    target = _column(frame, given["target"], stated.get(given["target"]), where, target=True)
    columns = [_column(frame, name, stated.get(name), where) for name in names]
    columns = [replace(c, optional=c.optional or c.name in optional) for c in columns]
    return Table(Path(where), target, tuple(columns), owner, frame)


def _from_words(address: str, given: dict[str, str], lists: dict[str, tuple[str, ...]]) -> Table:
    """A table that the address states whole: a sponsor need not hold any rows."""
    target, optional = given.get("target", ""), lists.get("optional", ())
    stated = {name: value for name, value in given.items() if name not in WORDS}
    if target not in stated or len(stated) < 2:
        wanted = f"{PREFIX}?target=sick&sick=0|1&age=0..100&sex=F|M&optional=sex"
        raise TaskError(f"{address} names no file: state the target and every other column, such as {wanted}")
    if unknown := [name for name in optional if name not in stated]:
        raise TaskError(f"{address}: optional={unknown[0]} is none of the columns stated: {', '.join(stated)}")
    columns = [_declared(name, value, name in optional) for name, value in stated.items() if name != target]
    return Table(Path("table"), _declared(target, stated[target], False), tuple(columns), None, pd.DataFrame())


def _from_schema(path: Path) -> Table:
    """A table that a JSON file states: {"target": COLUMN, "columns": [COLUMN, ...]}. A COLUMN has a name and either classes or
    low and high; optional says that values may be missing. Raises TaskError."""
    try:
        with path.open("rb") as file:
            facts = json.loads(file.read(MAX_SCHEMA))
        whole = {"target": {"classes": [], **facts["target"]}, "columns": [{"classes": [], **c} for c in facts["columns"]]}
        found = stated_table(whole, path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        wanted = '{"target": {"name": "sick", "classes": ["0", "1"]}, "columns": [{"name": "age", "low": 0, "high": 100}]}'
        raise TaskError(f"{path} states no table ({error!r}): write it like {wanted}") from error
    names = [column.name for column in (found.target, *found.columns)]
    if not found.columns or len(set(names)) < len(names):
        raise TaskError(f"{path} names no column to predict from, or one of them twice: correct it")
    return found


def _parse(address: str) -> tuple[str, dict[str, str], dict[str, tuple[str, ...]]]:
    """(path, values, the same as lists). %26 and the like stand for characters with a meaning in an address; a plus stays a
    plus."""
    place = address.removeprefix(PREFIX)
    cuts = [i for i, c in enumerate(place) if c == "?"]
    cut = next((i for i in cuts if Path(place[:i]).is_file()), cuts[0] if cuts else len(place))  # a path may hold one too
    where, query = place[:cut], place[cut + 1 :]
    pairs = [part.partition("=") for part in query.split("&")] if query else []
    if wrong := next((name for name, equals, _ in pairs if not equals), None):
        raise TaskError(f"{address}: after the question mark come NAME=VALUE pairs joined by &, not {wrong!r} (write & as %26)")
    given = {unquote(name): unquote(value) for name, _, value in pairs}
    lists = {name: tuple(unquote(one) for one in value.split(",") if one) for name, _, value in pairs}
    return where, given, lists


def _from_manifest(path: Path, frame: pd.DataFrame, manifest: Path) -> Table:
    try:
        facts = json.loads(manifest.read_bytes())
        stated = Manifest.parse(facts if isinstance(facts, dict) else {})
        return stated_table(stated.details["table"], path, frame)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise TaskError(
            f"{manifest} is not the manifest of a table task ({error!r}): fetch it from the federation's store"
        ) from error


def manifest_table(manifest: Manifest) -> Table:
    """The task that a manifest states, without rows: each participant gives its own. Raises TaskError."""
    try:
        return stated_table(manifest.details["table"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise TaskError(f"the manifest states no table that can be read ({error!r}): ask its sponsor") from error


def stated_table(facts: Mapping[str, Any], path: Path = Path("table"), frame: pd.DataFrame | None = None) -> Table:
    """The task that a manifest's part `table` states, on a table of one's own if any. Raises TaskError; KeyError, TypeError or
    ValueError if the facts are malformed."""
    columns = tuple(_stated(column) for column in facts["columns"])
    return Table(path, _stated(facts["target"]), columns, None, pd.DataFrame() if frame is None else frame)


def _stated(facts: dict[str, Any]) -> Column:
    """A column as the manifest states it. Raises KeyError, TypeError or ValueError if it is malformed, TaskError for an empty
    range."""
    column = Column(**{**facts, "classes": tuple(facts["classes"])})
    texts, numbers = (column.name, *column.classes), (column.low, column.high)
    if not all(isinstance(text, str) for text in texts) or not isinstance(column.optional, bool):
        raise TypeError(f"column {str(column.name)[:80]!r}: a name, classes or a flag is of the wrong kind")
    "".join(texts).encode()  # raises ValueError for half of a character, which no file can hold
    if not all(type(n) in (int, float) and abs(n) <= sys.float_info.max for n in numbers):
        raise TypeError(f"column {column.name[:80]!r}: a range is not of numbers")
    if not column.classes and not column.low < column.high:
        raise TaskError(f"column {column.name}: the manifest's range {column.low}..{column.high} is empty")
    return column


def _column(frame: pd.DataFrame, name: str, stated: str | None, where: str, *, target: bool = False) -> Column:
    """A column as the address states it, or else as the table shows it."""
    values = frame[name]
    optional = bool(values.isna().any()) and not target
    if stated is not None:
        column = _declared(name, stated, optional)
        if not column.classes:
            with within(where):
                numbers(values)
        return column
    present = values.dropna()
    if present.empty:
        raise TaskError(f"{where}, column {name} is empty: leave it out with drop={name}")
    if (cause := oddity(values)) is not None:
        raise TaskError(f"{where}, column {name}: {cause}; or name its classes ({name}=a|b|c), or leave it out (drop={name})")
    number = pd.api.types.is_numeric_dtype(present) and not pd.api.types.is_bool_dtype(present)
    whole = number and bool((present == np.floor(present)).all())
    if number and not (target and whole and present.nunique() <= FEW_NUMBERS):
        low, high = outward(float(present.min()), float(present.max()), where, name)
        return Column(name, (), low, high, optional)
    classes = tuple(sorted(present.map(class_text).unique()))
    if len(classes) > MAX_CLASSES:
        message = f"{len(classes)} different texts in {len(present)} rows"
        raise TaskError(f"{where}, column {name}: {message}: name its classes ({name}=a|b|c), or leave it out (drop={name})")
    if target and len(classes) < 2:
        raise TaskError(f"{where}, column {name}: every row has the value {classes[0]!r}, so there is nothing to predict")
    return Column(name, classes, optional=optional)


def _declared(name: str, stated: str, optional: bool) -> Column:
    """A column as an address states it: LOW..HIGH or a|b|c."""
    if ".." in stated:
        first, _, last = stated.partition("..")
        try:
            column = Column(name, (), float(first), float(last), optional)
        except ValueError:
            raise TaskError(f"column {name}: {stated!r} is not a range: write LOW..HIGH, such as 0..100") from None
        if not (isfinite(column.low) and isfinite(column.high) and column.low < column.high):
            raise TaskError(f"column {name}: the range {stated} is empty: write LOW..HIGH, such as 0..100")
        return column
    classes = tuple(dict.fromkeys(stated.split("|")))
    if len(classes) < 2:
        raise TaskError(f"column {name}: {stated!r} is neither a range (0..100) nor classes (a|b|c)")
    return Column(name, classes, optional=optional)


def outward(low: float, high: float, where: str, name: str) -> tuple[float, float]:
    """A range around low and high in round numbers, so that it reveals less about the table; never empty."""
    if not (isfinite(low) and isfinite(high)):
        raise TaskError(f"{where}, column {name} holds an infinite number: clean it, or state its range ({name}=0..100)")
    step = 10.0 ** floor(log10(high - low)) if high > low else max(1.0, 10.0 ** floor(log10(abs(low)))) if low else 1.0
    first, last = floor(low / step) * step, ceil(high / step) * step
    return (first, last) if first < last else (first, first + step)


def _need(frame: pd.DataFrame, names: list[str], where: str) -> None:
    for name in names:
        if name not in frame.columns:
            raise TaskError(
                f"{where} has no column {name!r}; it has {', '.join(frame.columns[:12])}{' ...' * (len(frame.columns) > 12)}"
            )

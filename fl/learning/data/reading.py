"""Reads a CSV or Parquet file exactly as it is; the same rows give the same columns from either.

Only an empty field is a missing value, unless more words are named: "NA" and "None" are texts like others. Text columns whose
values are all numbers are numbers. Obvious mistakes (a row longer than the heading, a column without a name) are rejected.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fl.errors import TaskError

# Files that people mistake for tables, by their first bytes.
OTHERS = {
    b"\x1f\x8b": "compressed (gzip): decompress it",
    b"BZh": "compressed (bzip2): decompress it",
    b"\xfd7zXZ": "compressed (xz): decompress it",
    b"(\xb5/\xfd": "compressed (zstd): decompress it",
    b"PK\x03\x04": "an Excel workbook or a zip archive: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the table as CSV",
    b"\xff\xfe": "in UTF-16: save it as UTF-8",
    b"\xfe\xff": "in UTF-16: save it as UTF-8",
    b"\x93NUMPY": "a NumPy array: give a table with a heading",
}
PARQUET = b"PAR1"
# Each digit can match in one way only: otherwise a long field of digits that is not a valid number would take hours.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
LEADING_ZERO = re.compile(r"[+-]?0\d")  # a code, such as a postcode: as a number it would lose its zero
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
MOSTLY = 0.5  # the share of numbers from which a column's texts are taken for mistakes
INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")  # what pandas calls an index that has no name
FIELD = 1 << 24  # bytes of a field, at most
PIECE = 1024  # rows that are read at a time
MANY = 4096  # texts from which a column is no longer one of classes, whose texts are worth sharing
ENOUGH = 20  # rows from which a column that differs in each of them looks like a number of patients
INT_DIGITS = 19  # of the largest int64, without its sign


def read_table(path: Path, missing: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV or Parquet file with at least one row: columns of int64, float64 (missing is NaN) or text (missing is None).

    missing: what stands for a missing value beside the empty field. Raises TaskError with what to do.
    """
    if not path.is_file():
        raise TaskError(f"no table {path}: give the path of a .csv or .parquet file")
    try:
        with path.open("rb") as file:
            begins = file.read(8)
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}") from error
    for mark, kind in OTHERS.items():
        if begins.startswith(mark):
            raise TaskError(f"{path} is {kind}")
    gone = {"", *missing}
    names, columns = _parquet(path, gone) if begins.startswith(PARQUET) else _csv(path, gone)
    _check_names(path, names)
    if not columns or not len(columns[0]):
        raise TaskError(f"{path} holds no rows: there is nothing to learn from")
    return pd.DataFrame(
        {name: pd.Series(column, dtype=column.dtype) for name, column in zip(names, columns, strict=True)}, copy=False
    )


def oddity(values: pd.Series) -> str | None:
    """What is wrong with a text column that most likely was meant as numbers or dates, with the remedy; None if nothing is."""
    texts = values.dropna()
    if pd.api.types.is_numeric_dtype(values) or not len(texts):
        return None
    rows = np.flatnonzero(values.notna().to_numpy()) + 1
    number = np.array([bool(NUMBER.fullmatch(text)) for text in texts])
    if all(DATE.fullmatch(text) for text in texts):
        return f"holds dates, such as {texts.iloc[0]!r}: turn them into numbers (a year, or days since a date)"
    comma = np.array([bool(DECIMAL_COMMA.fullmatch(text)) for text in texts])
    if (number | comma).all() and comma.any():
        return f"row {rows[comma][0]} holds {texts[comma].iloc[0]!r}: write decimals with a point"
    if number.mean() < MOSTLY or number.all():
        return None
    some = list(dict.fromkeys(texts[~number]))
    count, word = int((~number).sum()), some[0]
    cause = f"row {rows[~number][0]} holds {word!r}, and {int(number.sum())} of {len(texts)} values are numbers"
    if comma.any():
        return f"{cause}: write decimals with a point"
    also = f" (as do {count - 1} more that are not numbers)" if count > 1 else ""
    return f"{cause}{also}: correct it, or add missing={','.join(some[:3])} if that stands for a missing value"


def identifies(values: pd.Series) -> bool:
    """Whether a column looks like a number of patients: whole numbers or texts, another one in each of many rows."""
    present = values.dropna()
    kind = present.dtype.kind == "i" or not pd.api.types.is_numeric_dtype(present)
    return kind and len(present) >= ENOUGH and bool(present.is_unique)


class _Looked:
    """What the texts of a column are, looked at piece by piece."""

    def __init__(self, gone: set[str]):
        self.gone = gone
        self.rows = self.present = 0
        self.numbers = self.whole = True

    def look(self, texts: Sequence[str]) -> None:
        """texts: stripped."""
        present = [text for text in texts if text not in self.gone]
        self.rows, self.present = self.rows + len(texts), self.present + len(present)
        if self.numbers:
            self.numbers = all(map(NUMBER.fullmatch, present)) and not any(map(LEADING_ZERO.match, present))
        if self.whole:
            self.whole = self.numbers and len(present) == len(texts) and all(map(_is_int64, present))

    def empty(self) -> NDArray[Any]:
        """Room for the column, by what was seen."""
        if not (self.numbers and self.present):
            return np.empty(self.rows, object)
        return np.empty(self.rows, np.int64 if self.whole else np.float64)

    def fill(self, room: NDArray[Any], start: int, texts: Sequence[str], same: dict[str, str]) -> None:
        """Puts the same texts there, from row `start` on. same: one copy of each text."""
        part = room[start : start + len(texts)]
        if room.dtype == object:
            part[:] = [None if text in self.gone else same.setdefault(text, text) for text in texts]
        elif room.dtype == np.int64:
            part[:] = [int(text) for text in texts]
        else:
            part[:] = [np.nan if text in self.gone else float(text) for text in texts]
        if len(same) > MANY:
            same.clear()


def _is_int64(text: str) -> bool:
    if "." in text or "e" in text or "E" in text or len(text) > INT_DIGITS + 1:  # Python does not read integers of any length
        return False
    return len(text) < INT_DIGITS or abs(int(text)) < 1 << 63


def _csv(path: Path, gone: set[str]) -> tuple[list[str], list[NDArray[Any]]]:
    """(names, columns). The file is read twice, in pieces, since what a column is shows in its last row only: its texts
    together would take ten times as much memory as the file."""
    names: list[str] = []
    looked: list[_Looked] = []
    plain: list[bool] = []
    for names, texts in _pieces(path):
        looked = looked or [_Looked(gone) for _ in names]
        plain = plain or [True for _ in names]
        counts = any(map(NUMBER.fullmatch, names))  # otherwise the first row is a heading
        for place, column in enumerate(texts):
            looked[place].look(column)
            plain[place] = plain[place] and counts and all(not text or NUMBER.fullmatch(text) for text in column)
    _check_heading(path, [name for name, numeric in zip(names, plain, strict=True) if numeric and looked[0].rows], names)
    columns = [seen.empty() for seen in looked]
    same: list[dict[str, str]] = [{} for _ in names]
    start = 0
    try:
        for _, texts in _pieces(path):
            for seen, room, column, known in zip(looked, columns, texts, same, strict=True):
                seen.fill(room, start, column, known)
            start += len(texts[0]) if texts else 0
        if columns and start != len(columns[0]):
            raise ValueError("another number of rows")
    except ValueError as error:
        raise TaskError(f"{path} changed while it was read: try again") from error
    return names, columns


def _pieces(path: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """(names, columns of stripped texts) of some thousands of rows at a time, at least once. A record's number counts from the
    heading, as an editor counts lines. Raises TaskError."""
    csv.field_size_limit(FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, skipinitialspace=True, strict=True)
            names = [name.strip() for name in next(rows, [])]
            if len(names) == 1 and (mark := next((m for m in (";", "\t", "|") if m in names[0]), None)):
                raise TaskError(f"{path} separates its columns by {mark!r}: use commas")
            number = 0
            kept: list[list[str]] = []
            for row in rows:
                if not row:
                    continue  # an empty line
                number += 1
                if len(row) != len(names):
                    raise TaskError(_other_width(path, number, row, names))
                kept.append(row)
                if len(kept) == PIECE:
                    yield names, _columns(kept, names)
                    kept = []
            if not names or any("\0" in name for name in names):
                raise TaskError(f"{path} cannot be read as a table: it has no heading: give a .csv or .parquet file")
            yield names, _columns(kept, names)
    except UnicodeDecodeError:
        raise TaskError(f"{path} is not in UTF-8: save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise TaskError(f"{path} cannot be read as a table: {' '.join(str(error).split())[:200]}") from error


def _columns(rows: list[list[str]], names: list[str]) -> list[list[str]]:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return [[text.strip() for text in column] for column in columns]


def _other_width(path: Path, number: int, row: list[str], names: list[str]) -> str:
    cause = f"{path}, row {number} has {len(row)} fields, and the heading names {len(names)} columns"
    if len(row) == len(names) + 1 and not row[-1]:
        return f"{cause}: remove the comma at the end of the rows, or name its column"
    if len(row) > len(names):
        return f"{cause}: name every column, and put texts with commas in double quotes"
    return f"{cause}: write a comma for every field, also for empty ones"


def _check_heading(path: Path, numeric: list[str], names: list[str]) -> None:
    """Rejects a first row that is data: every column of numbers (`numeric` names them) has a number for its name."""
    counted = any(names == [str(i + first) for i in range(len(names))] for first in (0, 1))  # as pandas names columns
    if numeric and all(map(NUMBER.fullmatch, numeric)) and not counted:
        raise TaskError(f"{path} begins with a row of values ({', '.join(names)[:60]}): put a heading of names above it")


def _check_names(path: Path, names: list[str]) -> None:
    for place, name in enumerate(names, 1):
        if not name or INDEX.fullmatch(name):
            cause = f"{path}: column {place} has no name" if not name else f"{path}: column {place} is called {name!r}"
            raise TaskError(f"{cause}, as pandas writes an index: write the table without it (index=False), or name the column")
        if name in names[: place - 1]:
            raise TaskError(f"{path} names a column twice: {name}")


def _parquet(path: Path, gone: set[str]) -> tuple[list[str], list[NDArray[Any]]]:
    """(names, columns), as a CSV file of the same rows would have them."""
    import pyarrow as pa  # seconds to import, and only Parquet needs it
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
    except (OSError, pa.ArrowException) as error:
        raise TaskError(f"{path} cannot be read as a table: {' '.join(str(error).split())[:200]}") from error
    columns: list[NDArray[Any]] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = field.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise TaskError(f"{path}, column {field.name} holds {kind}: give one number or text a row")
        if pa.types.is_integer(kind) and not column.null_count:
            columns.append(column.to_numpy())
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            columns.append(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        else:
            texts = ["" if value is None else str(value).strip() for value in column.to_pylist()]
            looked = _Looked(gone)
            looked.look(texts)
            columns.append(looked.empty())
            looked.fill(columns[-1], 0, texts, {})
    return [str(name).strip() for name in table.schema.names], columns

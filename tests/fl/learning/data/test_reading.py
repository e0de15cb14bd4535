"""A table is read as it stands in its file, CSV and Parquet alike, and what cannot be meant is refused by name."""

import datetime
import decimal
import gzip
import json
import re
import time
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fl.errors import TaskError
from fl.learning.data import reading
from fl.learning.data.local_rows import local_shard
from fl.learning.data.reading import NUMBER, read_table
from fl.learning.data.table import manifest_table, table_task
from fl.tools.federation.deploy import manifest_of, tried_task

ROWS = [(1, 61, 5.5, "south"), (0, 48, 6.25, "None"), (1, 83, 2.0, "NA"), (0, 35, 7.125, "null")] * 4
NAMES = ["sick", "age", "dose", "ward"]


def written(path, rows=ROWS, heading="sick,age,dose,ward"):
    path.write_text("\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_read__only_the_empty_field_is_missing__and_whole_numbers_stay(tmp_path):
    frame = read_table(written(tmp_path / "t.csv", [*ROWS, (1, "", 1, "nan")]))
    assert frame.ward.tolist() == [row[3] for row in ROWS] + ["nan"]
    assert frame.sick.dtype == np.int64 and frame.dose.tolist()[-1] == 1.0
    assert frame.age.isna().tolist() == [False] * 16 + [True] and frame.age.dtype == np.float64


CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "0", "007", "-0", "NA", "1.", ".5", "1e3", "1E400", "x", "9" * 18, "9" * 19, "-" + "9" * 19, "9" * 25]
    ),
    st.integers(-(2**64), 2**64).map(str),
    st.floats(allow_nan=False).map(repr),
)


def plainly(texts: list[str], gone: set[str]) -> pd.Series:
    """A column by the rule, all texts at once."""
    present = [text for text in texts if text not in gone]
    if not present or not all(map(NUMBER.fullmatch, present)) or any(re.match(r"[+-]?0\d", text) for text in present):
        return pd.Series([None if text in gone else text for text in texts], dtype=object)
    if len(present) == len(texts) and all(re.fullmatch(r"[+-]?\d{1,20}", t) and -(2**63) < int(t) < 2**63 for t in texts):
        return pd.Series([int(text) for text in texts], dtype=np.int64)
    return pd.Series([np.nan if text in gone else float(text) for text in texts], dtype=np.float64)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.lists(st.lists(CELLS, min_size=12, max_size=12), min_size=1, max_size=3), piece=st.integers(1, 13))
@pytest.mark.parametrize("missing", [(), ("NA", "0")])
def test_read__in_pieces__is_what_all_rows_at_once_are(tmp_path, monkeypatch, columns, piece, missing):
    monkeypatch.setattr(reading, "PIECE", piece)
    rows = [("a", *row) for row in zip(*columns, strict=True)]
    frame = read_table(written(tmp_path / "t.csv", rows, ",".join(["first", *(f"c{i}" for i in range(len(columns)))])), missing)
    for i, texts in enumerate(columns):
        expected = plainly([text.strip() for text in texts], {"", *missing})
        pd.testing.assert_series_equal(frame[f"c{i}"], expected, check_names=False, check_exact=True)


def test_read__takes_less_than_three_times_the_file_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(i, *rng.normal(5, 2, 8).round(3), "ICU" if i % 3 else "main", "yes" if i % 5 else "no") for i in range(30_000)]
    path = written(tmp_path / "t.csv", rows, "id,a,b,c,d,e,f,g,h,ward,sick")
    tracemalloc.start()
    try:
        read_table(path)
        assert tracemalloc.get_traced_memory()[1] < 3 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_read__of_a_file_that_changes_meanwhile__is_refused(tmp_path, monkeypatch):
    path, whole = written(tmp_path / "t.csv"), reading._check_heading

    def meanwhile(*args):
        whole(*args)
        written(path, [*ROWS, (1, "old", 1, "south")])

    monkeypatch.setattr(reading, "_check_heading", meanwhile)
    with pytest.raises(TaskError, match="changed while it was read: try again"):
        read_table(path)


def test_read__what_is_said_to_be_missing__is(tmp_path):
    path = written(tmp_path / "t.csv", [*ROWS, (1, "?", -9, "-")])
    frame = read_table(path, ("?", "-"))
    assert frame.isna().sum().to_dict() == {"sick": 0, "age": 1, "dose": 0, "ward": 1}
    task = table_task(f"table:{path}?target=sick&missing=?,-")
    assert [c.optional for c in task.columns] == [True, False, True]


def test_read__numbers_and_texts__are_what_stands_there(tmp_path):
    texts = ["0.1", "1e-7", "+3", "123456789.123456789", ".5", "7."]
    frame = read_table(written(tmp_path / "t.csv", [(text, "007", f" a b{i} ") for i, text in enumerate(texts)], "x,code,word"))
    assert frame.x.tolist() == [float(text) for text in texts]
    assert frame.code.tolist() == ["007"] * 6 and frame.word.tolist() == [f"a b{i}" for i in range(6)]
    large = [(2**63 - 1, "1_000", "0x1F", "Infinity")] * 3
    frame = read_table(written(tmp_path / "u.csv", large, "a,b,c,d"))
    assert frame.a.tolist() == [2**63 - 1] * 3 and frame.b.tolist() == ["1_000"] * 3
    assert frame.c.tolist() == ["0x1F"] * 3 and frame.d.tolist() == ["Infinity"] * 3


def test_read__quotes_blank_lines_and_a_mark_of_utf8__are_no_trouble(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffa, "b, c"\r\n1,"x ""y"", z"\r\n\r\n2,"two\nlines"\r\n'.encode())
    frame = read_table(path)
    assert list(frame.columns) == ["a", "b, c"] and frame["b, c"].tolist() == ['x "y", z', "two\nlines"]


@pytest.mark.parametrize("text, message", [
    ("a,b\n1,2\n1,2,3\n", "row 2 has 3 fields, and the heading names 2 columns: name every column"),
    ("a,b\n1,2,\n1,2,\n", "row 1 has 3 fields, and the heading names 2 columns: remove the comma at the end"),
    ("a,b,c\n1,2,3\n1,2\n", "row 2 has 2 fields, and the heading names 3 columns: write a comma for every field"),
    ("a,b,a\n1,2,3\n", "names a column twice: a"),
    ("a, a\n1,2\n", "names a column twice: a"),
    (",a\n0,1\n1,2\n", "column 1 has no name, as pandas writes an index: write the table without it"),
    ("a,\n0,1\n1,2\n", "column 2 has no name"),
    ("Unnamed: 0,a\n0,1\n1,2\n", "column 1 is called 'Unnamed: 0', as pandas writes an index"),
    ("86,5.9,south,1\n63,6.2,north,0\n", r"begins with a row of values \(86, 5.9, south, 1\): put a heading of names"),
    ("0.0,0.0\n0.1,0.2\n", "begins with a row of values"),
    ("a;b\n1,5;2\n", "separates its columns by ';'"),
    ("a\tb\n1\t2\n", r"separates its columns by '\\t'"),
    ('a,b\n1,"2\n3,4\n', "cannot be read as a table: unexpected end of data"),
    ("a,b\n", "holds no rows"),
    ("", "it has no heading"),
])  # fmt: skip
def test_read__what_cannot_be_meant__is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0,1\n5,6\n", "1,2\n5,6\n", "name,2019\na,7\n,8\n".replace("2019", "y2019")])
def test_read__a_heading_of_places__or_of_names__is_one(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert len(read_table(tmp_path / "t.csv").columns) == 2


@pytest.mark.parametrize("content, message", [
    (gzip.compress(b"a,b\n1,2\n", mtime=0), "is compressed"),
    (b"PK\x03\x04rest", "is an Excel workbook"),
    ("a,b\n1,2\n".encode("utf-16"), "is in UTF-16"),
    ("a,b\nn\u00f6,2\n".encode("latin-1"), "is not in UTF-8"),
    (b"PAR1noise", "cannot be read as a table"),
    (b"\x00\x01", "it has no heading"),
])  # fmt: skip
def test_read__a_file_of_another_kind__is_told_by_its_first_bytes(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TaskError, match=message):
        read_table(tmp_path / "t.csv")


def test_read__the_name_of_a_file__does_not_matter(tmp_path):
    pd.DataFrame(ROWS, columns=NAMES).to_parquet(tmp_path / "t.csv")
    written(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), read_table(tmp_path / "t.parquet"))


def test_csv_and_parquet__of_the_same_rows__give_the_same_columns(tmp_path):
    day = datetime.date(2020, 3, 1)
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, 2, None, 4] * 3, dtype="Int64"),
            "small": np.arange(12, dtype=np.int8),
            "float": [0.1, np.nan, 2.5, 3.0] * 3,
            "price": [decimal.Decimal("1.25"), decimal.Decimal("2.50"), None, decimal.Decimal("100.00")] * 3,
            "text": ["None", "NA", "", "b"] * 3,
            "digits": ["1", "2", "3", None] * 3,
            "kind": pd.Categorical(["x", "y", "x", None] * 3),
            "flag": [True, False, True, True] * 3,
            "day": [day, day + datetime.timedelta(1), day, day] * 3,
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    one, other = read_table(tmp_path / "t.csv"), read_table(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert {n: one[n].dtype.kind for n in one} == {n: other[n].dtype.kind for n in other}
    assert one.text.tolist()[:4] == ["None", "NA", None, "b"] and one.price.tolist()[0] == 1.25


def test_parquet__an_index__is_a_column_as_in_csv__or_refused_without_a_name(tmp_path):
    frame = pd.DataFrame(ROWS, columns=NAMES).set_index("age")
    frame.to_parquet(tmp_path / "t.parquet")
    assert set(read_table(tmp_path / "t.parquet").columns) == set(NAMES)
    frame.rename_axis(None).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TaskError, match="is called '__index_level_0__', as pandas writes an index"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("values, kind", [([[1], [2]], "list"), ([b"a", b"b"], "binary"), ([{"a": 1}, {"a": 2}], "struct")])
def test_parquet__what_is_no_number_or_text__is_refused(tmp_path, values, kind):
    pq.write_table(pa.table({"a": values, "b": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(TaskError, match=f"column a holds {kind}.*give one number or text a row"):
        read_table(tmp_path / "t.parquet")


# ---- what an address makes of it


@pytest.mark.parametrize("values, message", [
    (["1", "2", "?"] * 4, r"column dose: row 3 holds '\?', and 8 of 12 values are numbers .as do 3 more.*add missing=\? if"),
    (["1.5", "2,5", "3"] * 4, "column dose: row 2 holds '2,5': write decimals with a point"),
    (["1.5", "2.5", "3.5", "n/a"] * 3, "column dose: row 4 holds 'n/a'.*missing=n/a"),
    (["2020-01-01", "2021-05-06"] * 6, "column dose: holds dates, such as '2020-01-01': turn them into numbers"),
    (["1", "2", "inf"] * 4, "column dose: row 3 holds 'inf'"),
])  # fmt: skip
def test_table__texts_among_numbers__are_told_with_the_words_that_mend_it(tmp_path, values, message):
    quoted = [(i % 2, f'"{value}"') for i, value in enumerate(values)]
    path = written(tmp_path / "t.csv", quoted, "sick,dose")
    with pytest.raises(TaskError, match=message) as caught:
        table_task(f"table:{path}?target=sick")
    assert "(dose=a|b|c)" in str(caught.value) and "(drop=dose)" in str(caught.value)
    classes = "|".join(dict.fromkeys(values)).replace(",", "%2C")
    assert len(table_task(f"table:{path}?target=sick&dose={classes}").columns[0].classes) == len(set(values))


def test_table__a_class_named_none__is_a_class__in_target_and_feature(tmp_path):
    path = written(tmp_path / "t.csv", [(i % 2, ("None", "Light", "Heavy")[i % 3]) for i in range(24)], "sick,drinks")
    assert table_task(f"table:{path}?target=sick").columns[0].classes == ("Heavy", "Light", "None")
    assert table_task(f"table:{path}?target=drinks").data().y.tolist() == [(2, 1, 0)[i % 3] for i in range(24)]


def test_table__any_column_and_path_can_be_named(tmp_path):
    names = ["CD4+", "a&b", "x=y", "p,q", "50%", "sick?"]
    rows = [(i, i, i, i, i, i % 2) for i in range(12)]
    path = written(tmp_path / "what?&how.csv", rows, ",".join(f'"{name}"' for name in names))
    query = "target=sick?&CD4+=0..20&a%26b=0..30&x%3Dy=0..40&drop=p%2Cq,50%"
    task = table_task(f"table:{path}?{query}")
    assert [(c.name, c.high) for c in task.columns] == [("CD4+", 20), ("a&b", 30), ("x=y", 40)]
    assert task.data().y.tolist() == [i % 2 for i in range(12)]


def test_table__a_column_may_be_stated_to_lack_values__that_are_all_here(tmp_path):
    path = written(tmp_path / "t.csv")
    task = table_task(f"table:{path}?target=sick&optional=age,ward&age=0..100")
    assert [(c.name, c.optional) for c in task.columns] == [("age", True), ("dose", False), ("ward", True)]
    assert not task.data().x[:, 1].any()  # the flag beside the age
    with pytest.raises(TaskError, match="has no column 'wards'"):
        table_task(f"table:{path}?target=sick&optional=wards")


def test_read__a_long_field_of_digits_that_is_no_number__is_a_text_at_once(tmp_path):
    digits = "1" * 5_000  # with a pattern that matches digits in several ways, this took two seconds, and 100,000 ten minutes
    began = time.process_time()
    frame = read_table(written(tmp_path / "t.csv", [(1, digits * 20 + "x"), (0, "2")], "sick,code"))
    assert frame.code.tolist() == [digits * 20 + "x", "2"] and time.process_time() - began < 5


def test_read__integers_of_any_length__are_numbers(tmp_path):
    frame = read_table(written(tmp_path / "t.csv", [(1, "1" * 5_000), (0, "-9223372036854775807")], "sick,code"))
    assert frame.code.dtype == np.float64 and frame.code[1] == -(2.0**63)
    frame = read_table(written(tmp_path / "s.csv", [(1, "+9223372036854775807"), (0, "5")], "sick,code"))
    assert frame.code.dtype == np.int64 and frame.code.tolist() == [2**63 - 1, 5]


# ---- a table without rows, as its sponsor states it

WORDS = "table:?target=sick&sick=0|1&age=0..100&sex=F|M&optional=sex"
SCHEMA = {
    "target": {"name": "sick", "classes": ["0", "1"]},
    "columns": [{"name": "age", "low": 0, "high": 100}, {"name": "sex", "classes": ["F", "M"], "optional": True}],
}


def test_table__that_is_stated_whole__is_a_task_without_rows__which_a_participants_rows_fit(tmp_path):
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    by_words, by_file = tried_task(WORDS), tried_task(f"table:{tmp_path / 'schema.json'}")
    assert by_words.facts() == by_file.facts() and by_words.frame.empty
    stated = manifest_of(by_words, 0)
    rows = [(i % 2, 20 + i, ("F", "M", "")[i % 3]) for i in range(40)]
    shard = local_shard(manifest_table(stated), written(tmp_path / "mine.csv", rows, "sick,age,sex"), None, 0)
    assert len(shard.train) + len(shard.held_out) == 40 and shard.train.x.shape[1] == 4


@pytest.mark.parametrize(
    "address, message",
    [
        ("table:?target=sick", "state the target and every other column, such as table:"),
        ("table:?target=sick&sick=0|1", "state the target and every other column"),
        ("table:?target=sick&sick=0|1&age=0..100&optional=sex", "optional=sex is none of the columns stated"),
        ("table:?target=sick&sick=0|1&age=old", "neither a range"),
        ("table:?target=sick&sick=0|1&age=9..9", "the range 9..9 is empty"),
    ],
)
def test_words__that_state_no_table__are_refused(address, message):
    with pytest.raises(TaskError, match=message):
        table_task(address)


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {},
        {**SCHEMA, "columns": []},
        {**SCHEMA, "columns": SCHEMA["columns"] * 2},
        {**SCHEMA, "target": {"name": "sick", "low": "a", "high": 5}},
        {**SCHEMA, "columns": [{"name": "age", "low": 5, "high": 5}]},
        {**SCHEMA, "columns": [{"name": "age", "low": 0, "high": 9, "optional": "yes"}]},
        {**SCHEMA, "columns": [{"name": "age", "low": 0, "high": 9, "unit": "years"}]},
    ],
)
def test_schema__that_states_no_table__is_refused(tmp_path, facts):
    (tmp_path / "schema.json").write_text(json.dumps(facts))
    with pytest.raises(TaskError):
        table_task(f"table:{tmp_path / 'schema.json'}")

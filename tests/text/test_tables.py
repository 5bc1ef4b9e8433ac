"""Rows of CSV and TSV, as corpora and labelled files both read them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text import tables
from autolect.text.readers import read

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, data: str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode())
        return path

    return put


def texts(path: Path, **options: Any) -> list[str]:
    return [document.text for document in read(path, **options)]


def error(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        list(read(path))
    return caught.value


def test_csv_reads_quotes_breaks_and_long_fields(write: Write) -> None:
    long = "x" * (csv.field_size_limit() + 1)
    path = write("a.csv", f'id,text\r\n1,"a ""b"",\r\nc"\r\n\r\n2,{long}\r\n')
    before = csv.field_size_limit()
    found = list(read(path))
    assert [(d.text, d.where) for d in found] == [('a "b",\nc', "a.csv:2"), (long, "a.csv:5")]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.tsv", "\t")])
def test_rows_without_a_filled_cell_are_left_out(write: Write, name: str, mark: str) -> None:
    table = "\n".join(mark.join(row) for row in (["text", "label"], ["a", "x"], ["", ""], ["", ""]))
    assert texts(write(name, table), column="text") == ["a"]


def test_tsv_is_parted_by_tabs(write: Write) -> None:
    assert texts(write("a.tsv", "text\tlabel\na, b\tx\n"), column="text") == ["a, b"]


def test_an_open_quote_in_tsv_swallows_no_rows(write: Write) -> None:
    path = write("train.tsv", 'label\ttext_a\n1\t"服务很好\n0\t早餐一般"，不推荐\n1\t"""\n0\t"a"b\n')
    found = list(read(path, column="text_a"))
    assert [d.text for d in found] == ['"服务很好', '早餐一般"，不推荐', '"""', '"a"b']
    assert [d.where for d in found] == [f"train.tsv:{line}" for line in range(2, 6)]


def test_names_of_a_header_have_no_blanks_around_them(write: Write) -> None:
    assert texts(write("a.csv", "id, text \n1, a \n")) == [" a "]
    assert texts(write("a.tsv", "text \tid\na\t1\n")) == ["a"]


def test_quotes_between_tabs_are_a_programs_where_the_whole_header_has_them(write: Write) -> None:
    rows = '"a ""b"""\t1\n"c\t2\nd\t"3"\n'
    assert texts(write("a.tsv", f'"text"\t"id"\n{rows}')) == ['a "b"', '"c', "d"]
    assert texts(write("a.tsv", f'text\t"id"\n{rows}')) == ['"a ""b"""', '"c', "d"]


def test_a_tsv_row_of_another_width_is_named(write: Write) -> None:
    path = write("a.tsv", 'text\tlabel\na\t1\n\n"b\tc"\t2\n')
    assert error(path).where == f"{path}:4"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".csv", ".tsv"]), body=st.text(alphabet='ab"\t,\n\r 中', max_size=40))
def test_corpora_and_labelled_files_have_the_same_rows(suffix: str, body: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(f"text{',' if suffix == '.csv' else chr(9)}label\n{body}".encode())
    try:
        rows = list(tables.read_rows(path, encoding="utf-8"))
    except UserError as caught:
        refused = str(caught)
    else:
        refused = ""
    if refused:
        assert str(error(path)) == refused
        return
    filled = [row for row in rows[1:] if (row.cells[0] or "").strip()]
    found = list(read(path))
    assert [d.text for d in found] == [row.cells[0] for row in filled]
    assert [f"{tmp_path}/{d.where}" for d in found] == [row.where for row in filled]


@pytest.mark.parametrize(
    ("rows", "line"),
    [("1,a\n2\n", 3), ("1,a,b\n", 2), ('1,"a\n2,b\n3,c', 2), ('1,a\n2,"b"c\n', 3)],
    ids=["too few", "too many", "open quote", "text after quote"],
)
def test_a_bad_row_is_named_by_the_line_it_begins_on(write: Write, rows: str, line: int) -> None:
    path = write("a.csv", "id,text\n" + rows)
    assert error(path).where == f"{path}:{line}"


def test_an_open_quote_does_not_swallow_the_rest(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LINE_CHARACTERS", 50)
    path = write("a.csv", 'text\nfine\n"open\n' + "more\n" * 100)
    assert error(path).where == f"{path}:3"


@pytest.mark.parametrize("header", ["id,body", "text,text"])
def test_the_header_must_have_the_column_once(write: Write, header: str) -> None:
    path = write("a.csv", f"{header}\n1,2\n")
    assert error(path).where == f"{path}:1"


def test_an_empty_table_yields_nothing(write: Write) -> None:
    assert texts(write("a.csv", "")) == []
    assert texts(write("b.csv", "text\n")) == []

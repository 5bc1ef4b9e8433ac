"""Rows of tables (TSV, CSV), and rows and records of labelled files (JSON Lines too).

Every row counts: nothing is skipped but blank lines, and what is malformed is a UserError with file and
line.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from autolect.text.streams import LINE_CHARACTERS, Line, TextFile, refuse, suffix, whole_lines

__all__ = [
    "JSONL",
    "MAX_BYTES",
    "Cut",
    "Record",
    "Row",
    "cut_rows",
    "numbered_lines",
    "read_records",
    "read_rows",
    "refuse",
    "suffix",
]

JSONL = (".jsonl", ".ndjson")
"""Suffixes of JSON Lines."""
MAX_BYTES = 1 << 30
"""Largest labelled file, unpacked; its examples are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells of one row, None where there is no plain value; where is "file:line"."""

    cells: tuple[str | None, ...]
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One JSON object; where is "file:line"."""

    values: dict[str, Any]
    where: str


class Cut(NamedTuple):
    """Cells of one row and the number of the line it begins on."""

    number: int
    cells: list[str]


def read_rows(path: Path, *, encoding: str) -> Iterator[Row]:
    """The rows of a table, header included, all of one width; of JSON Lines, the keys come first.

    Unless the suffix says CSV or JSON Lines, columns are parted by tabs.
    """
    if suffix(path) in JSONL:
        return _of_records(read_records(path, encoding=encoding))
    rows = cut_rows(numbered_lines(path, encoding=encoding), path=path)
    return (Row(cells=tuple(row.cells), where=f"{path}:{row.number}") for row in rows)


def cut_rows(lines: Iterable[Line], *, path: Path) -> Iterator[Cut]:
    """The rows of a CSV file, or of one whose columns are parted by tabs, all of one width.

    CSV knows only well-formed quotes. Between tabs quotes mean nothing, for an open one would swallow the
    rows after it. Blank lines are left out. Raises UserError with file and line.
    """
    if suffix(path) == ".csv":
        return _even(_quoted(lines, path), path)
    return _even((Cut(line.number, line.text.split("\t")) for line in lines if line.text), path)


def read_records(path: Path, *, encoding: str) -> Iterator[Record]:
    """JSON objects, one a line."""
    for number, line, _ in numbered_lines(path, encoding=encoding):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            refuse(f"is not valid JSON ({error})", where, "write one object on each line")
        if not isinstance(values, dict):
            refuse(f"is a {type(values).__name__}, not a JSON object", where, "write {...} on each line")
        # Only an escape can smuggle a lone surrogate in, since decoding is strict.
        if "\\u" in line and re.search("[\ud800-\udfff]", json.dumps(values, ensure_ascii=False)):
            refuse("has half of a surrogate pair", where, "repair the \\u escape")
        yield Record(values=values, where=where)


def numbered_lines(path: Path, *, encoding: str) -> Iterator[Line]:
    """The lines of a labelled file (see `streams.whole_lines`); UserError beyond MAX_BYTES."""
    return whole_lines(TextFile(path=path, encoding=encoding, most_bytes=MAX_BYTES))


def _quoted(lines: Iterable[Line], path: Path) -> Iterator[Cut]:
    reader = csv.reader((line.text + "\n" for line in lines), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            with _field_limit():
                row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(f"is not a valid row ({error})", f"{path}:{first}", "look for an unclosed quote")
        if row:
            yield Cut(first, row)


@contextlib.contextmanager
def _field_limit() -> Iterator[None]:
    """Let fields be as long as lines. The limit belongs to the process, so it is put back after a row."""
    before = csv.field_size_limit(LINE_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _even(rows: Iterable[Cut], path: Path) -> Iterator[Cut]:
    """The rows; UserError at the first that has not as many cells as the first of all."""
    width = top = 0
    for row in rows:
        if not width:
            width, top = len(row.cells), row.number
        if len(row.cells) != width:
            refuse(
                f"has {len(row.cells)} columns where line {top} has {width}",
                f"{path}:{row.number}",
                "a separator inside of a value ends it: remove it, or use a quoted .csv",
            )
        yield row


def _of_records(records: Iterable[Record]) -> Iterator[Row]:
    keys: tuple[str, ...] | None = None
    for record in records:
        if keys is None:
            keys = tuple(record.values)
            yield Row(cells=keys, where=record.where)
        cells = tuple(_plain(record.values.get(key)) for key in keys)
        yield Row(cells=cells, where=record.where)


def _plain(value: Any) -> str | None:
    """A string, a whole number or a truth value as text; so too when it stands alone in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice")
    return values

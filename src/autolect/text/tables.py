"""Rows of tables: TSV, CSV, and records (JSON Lines, JSON arrays, saved datasets).

Every row counts: nothing is skipped but blank lines, and what is malformed is a UserError with file and
line.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from autolect.text.records import Record, holds_records, read_records
from autolect.text.streams import LINE_CHARACTERS, Line, numbered_lines, refuse, suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells of one row, None where there is no plain value; where is "file:line"."""

    cells: tuple[str | None, ...]
    where: str


class Cut(NamedTuple):
    """Cells of one row and the number of the line it begins on."""

    number: int
    cells: list[str]


def read_rows(path: Path, *, encoding: str, fractions: bool = False) -> Iterator[Row]:
    """The rows of a table, header included, all of one width; of records, the keys come first.

    Unless the suffix says CSV or records, columns are parted by tabs. fractions: numbers that are not whole
    are values of records too; a class has no such name.
    """
    if holds_records(path):
        return _of_records(read_records(path, encoding=encoding), fractions=fractions)
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


def _of_records(records: Iterable[Record], *, fractions: bool) -> Iterator[Row]:
    keys: tuple[str, ...] | None = None
    for record in records:
        if keys is None:
            keys = tuple(record.values)
            yield Row(cells=keys, where=record.where)
        cells = tuple(_plain(record.values.get(key), fractions=fractions) for key in keys)
        yield Row(cells=cells, where=record.where)


def _plain(value: Any, *, fractions: bool) -> str | None:
    """A string, a number or a truth value as text; so too when it stands alone in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    plain = isinstance(value, str | int) or (fractions and isinstance(value, float))
    return str(value) if plain else None

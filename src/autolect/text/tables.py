"""Rows of tables: TSV, CSV, and records (JSON Lines, JSON arrays, saved datasets).

Every row counts: nothing is skipped but blank lines and rows without a filled cell, and what is malformed
is a UserError with file and line.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
        return of_records(read_records(path, encoding=encoding), fractions=fractions)
    rows = cut_rows(numbered_lines(path, encoding=encoding), path=path)
    return (_row(one, path) for one in rows)


def cut_rows(lines: Iterable[Line], *, path: Path) -> Iterator[Cut]:
    """The rows of a CSV file, or of one whose columns are parted by tabs, all of one width.

    A row without a filled cell is left out, as blank lines are. CSV knows only well-formed quotes; columns
    are parted by semicolons where its first line has these and no comma, or by what a first line "sep=;"
    says. Between tabs quotes mean nothing, for an open one would swallow the rows after it. Raises UserError
    with file and line.
    """
    if suffix(path) == ".csv":
        return _even(_quoted(lines, path), path)
    return _even((Cut(line.number, line.text.split("\t")) for line in lines if line.text.strip("\t")), path)


def headed_rows(path: Path, *, encoding: str) -> Iterator[Row]:
    """The rows of a table of texts as `readers` takes them: the first one is a header, see `headed`.

    So are the names of the columns of a Parquet file.
    """
    if suffix(path) == ".parquet":
        return _of_parquet(path)
    if holds_records(path):
        return read_rows(path, encoding=encoding)
    rows = headed(cut_rows(numbered_lines(path, encoding=encoding), path=path), path=path)
    return (_row(one, path) for one in rows)


def _row(cut: Cut, path: Path) -> Row:
    return Row(cells=tuple(cut.cells), where=f"{path}:{cut.number}")


def unquoted(rows: Sequence[Row], *, path: Path) -> tuple[list[Row], int]:
    """Rows without the quotes that a program set around cells between tabs, and how many cells had them.

    They are taken off where every cell with a quote is well-formed, and one holds doubled ones, as no text
    has them by accident, or all cells of the first row have them; otherwise quotes are text.
    """
    if not rows or holds_records(path) or suffix(path) == ".csv":
        return list(rows), 0
    cells = [cell for row in rows for cell in row.cells if cell]
    held = [cell for cell in cells if '"' in cell]
    written = _all_quoted(rows[0].cells) or any('""' in cell[1:-1] for cell in held)
    if not written or not all(_QUOTED.fullmatch(cell) for cell in held):
        return list(rows), 0
    return [replace(row, cells=tuple(cell and _bare(cell) for cell in row.cells)) for row in rows], len(held)


def headed(rows: Iterable[Cut], *, path: Path) -> Iterator[Cut]:
    """The rows of a table whose first one is a header: its names have no blanks around them.

    Where columns are parted by tabs and the header has quotes around each name, quotes around the other
    cells are no text, either.
    """
    rest = iter(rows)
    header = next(rest, None)
    if header is None:
        return
    bare = suffix(path) != ".csv" and _all_quoted(header.cells)
    names = map(_bare, header.cells) if bare else header.cells
    yield Cut(header.number, [name.strip() for name in names])
    for row in rest:
        yield Cut(row.number, list(map(_bare, row.cells))) if bare else row


def _all_quoted(cells: Iterable[str | None]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(map(_QUOTED.fullmatch, filled))


_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def _bare(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell


def _separator(line: str) -> tuple[str, bool]:
    """What parts the columns of a CSV file, by its first line, and whether that says nothing else."""
    if said := re.fullmatch("sep=(.)", line):
        return said[1], True
    whole = line.count('"') % 2 == 0
    return (";" if ";" in line and "," not in line and whole else ","), False


def _quoted(lines: Iterable[Line], path: Path) -> Iterator[Cut]:
    rest = iter(lines)
    begin = next(rest, None)
    if begin is None:
        return
    separator, said = _separator(begin.text)
    kept = rest if said else itertools.chain([begin], rest)
    reader = csv.reader((line.text + "\n" for line in kept), strict=True, delimiter=separator)
    while True:
        first = reader.line_num + 1 + said
        try:
            with _field_limit():
                row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fix = 'look for an unclosed quote; a quote inside of quotes is written twice, ""'
            refuse(f"is not a valid row ({error})", f"{path}:{first}", fix)
        if any(row):
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
            what = f"has {len(row.cells)} columns where line {top} has {width}"
            quoted = suffix(path) == ".csv"
            if len(row.cells) > width:
                fix = "put values that hold the separator in quotes" if quoted else f"a tab {_ENDS}"
            else:
                fix = "give each row all of its cells" if quoted else f"a line break {_ENDS}"
            refuse(what, f"{path}:{row.number}", fix)
        yield row


_ENDS = "inside of a value ends it: remove it, or use a quoted .csv"


def of_records(records: Iterable[Record], *, fractions: bool) -> Iterator[Row]:
    """Records as rows, the keys of the first one as header."""
    keys: tuple[str, ...] | None = None
    for record in records:
        values = flat(record.values)
        if keys is None:
            keys = tuple(values)
            yield Row(cells=keys, where=record.where)
        cells = tuple(_plain(values.get(key), fractions=fractions) for key in keys)
        yield Row(cells=cells, where=record.where)


def _of_parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file, the names of its columns as header."""
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as table:
            names = table.schema_arrow.names
            yield Row(cells=tuple(names), where=str(path))
            for number, values in enumerate(_values(table), start=1):
                cells = tuple(_plain(values[name], fractions=False) for name in names)
                yield Row(cells=cells, where=f"{path}:{number}")
    except (arrow.ArrowException, OSError) as error:
        refuse(f"cannot be read as Parquet ({error})", str(path), "write or copy it again")


def _values(table: Any) -> Iterator[dict[str, Any]]:
    for batch in table.iter_batches(batch_size=_BATCH_ROWS):
        yield from batch.to_pylist()


_BATCH_ROWS = 256
TRANSLATION = "translation"
"""Key under which `datasets` keeps a text in several languages."""


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """The values, and a text in several languages as a value for each."""
    texts = values.get(TRANSLATION)
    if not isinstance(texts, dict):
        return values
    return {key: value for key, value in values.items() if key != TRANSLATION} | texts


def _plain(value: Any, *, fractions: bool) -> str | None:
    """A string, a number or a truth value as text; so too when it stands alone in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    plain = isinstance(value, str | int) or (fractions and isinstance(value, float))
    return str(value) if plain else None

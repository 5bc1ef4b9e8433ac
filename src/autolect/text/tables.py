"""Rows and records of labelled files: TSV, CSV and JSON Lines, each also .gz or .zst.

A labelled file is small enough to be kept whole, and every row in it counts: nothing is skipped but blank
lines, and what is malformed is a UserError with file and line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from autolect.core.errors import UserError

JSONL = (".jsonl", ".ndjson")
"""Suffixes of JSON Lines."""
MAX_BYTES = 1 << 30
"""Largest file, unpacked; it is kept in memory, and a packed one may hide much more."""

_ZSTD_PIECE = 1 << 10
"""Bytes unpacked at a time: four of them may become 128 KiB."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


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


def suffix(path: Path) -> str:
    """The suffix of the format, below that of the compression, in lower case."""
    return Path(path.name.lower().removesuffix(".gz").removesuffix(".zst")).suffix


def read_rows(path: Path, *, encoding: str) -> Iterator[Row]:
    """The rows of a table, header included, all of one width; of JSON Lines, the keys come first.

    Unless the suffix says CSV or JSON Lines, columns are parted by tabs.
    """
    if suffix(path) in JSONL:
        return _of_records(read_records(path, encoding=encoding))
    if suffix(path) == ".csv":
        return _even(path, _quoted(path, encoding))
    # Quotes mean nothing between tabs, for an open one would swallow the rows after it.
    lines = numbered_lines(path, encoding=encoding)
    return _even(path, ((number, line.split("\t")) for number, line in lines if line))


def read_records(path: Path, *, encoding: str) -> Iterator[Record]:
    """JSON objects, one a line."""
    for number, line in numbered_lines(path, encoding=encoding):
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


def numbered_lines(path: Path, *, encoding: str) -> Iterator[tuple[int, str]]:
    r"""Unpacked and strictly decoded lines without their breaks (\n, \r\n, \r), counted from 1.

    A byte order mark decides over the encoding. UserError with the byte that cannot be decoded.
    """
    raw = _unpacked(path)
    mark, name = next(((mark, name) for mark, name in _MARKS if raw.startswith(mark)), (b"", encoding))
    try:
        text = raw[len(mark) :].decode(name)
    except LookupError:
        refuse(f"{name!r} is not an encoding", str(path), "try utf-8 or gb18030")
    except UnicodeDecodeError as error:
        what = f"is not {name} at byte {error.start + len(mark)} ({error.reason})"
        refuse(what, str(path), "convert the file to UTF-8, or name its own encoding")
    # str.splitlines would also cut at U+2028 and its like, which stand inside of texts.
    return enumerate(text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n"), start=1)


def refuse(what: str, where: str, fix: str) -> NoReturn:
    """Raise a UserError that hides the exception it comes from."""
    raise UserError(what, where=where, fix=fix) from None


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            if path.suffix.lower() == ".gz":
                raw = gzip.GzipFile(fileobj=stream).read(MAX_BYTES + 1)
            elif path.suffix.lower() == ".zst":
                raw = _from_zstd(stream)
            else:
                raw = stream.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        refuse(f"is damaged or cut short ({error})", str(path), "compress or copy it again")
    except OSError as error:
        refuse(f"cannot be read ({error.strerror})", str(path), "check the path and its permissions")
    if len(raw) > MAX_BYTES:
        refuse(f"holds more than {MAX_BYTES} bytes", str(path), "label less, or part the file")
    return raw


def _from_zstd(stream: IO[bytes]) -> bytes:
    """Every frame; EOFError where one is damaged or unfinished, which the library's reader passes over."""
    import zstandard

    unpacked = bytearray()
    frame, left = None, b""
    while (piece := left or stream.read(_ZSTD_PIECE)) and len(unpacked) <= MAX_BYTES:
        frame = frame or zstandard.ZstdDecompressor().decompressobj()
        try:
            unpacked += frame.decompress(piece)
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from None
        left = frame.unused_data if frame.eof else b""
        frame = None if frame.eof else frame
    if frame is not None and len(unpacked) <= MAX_BYTES:
        raise EOFError("the last frame is not complete")
    return bytes(unpacked)


def _quoted(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file and the line each begins on; blank lines are left out."""
    reader = csv.reader((line + "\n" for _, line in numbered_lines(path, encoding=encoding)), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(f"is not a valid row ({error})", f"{path}:{first}", "look for an unclosed quote")
        if row:
            yield first, row


def _even(path: Path, rows: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    """The rows; UserError at the first that has not as many cells as the first of all."""
    width = top = 0
    for number, cells in rows:
        if not width:
            width, top = len(cells), number
        where = f"{path}:{number}"
        if len(cells) != width:
            refuse(
                f"has {len(cells)} columns where line {top} has {width}",
                where,
                "a separator inside of a value ends it: remove it, or use a quoted .csv",
            )
        yield Row(cells=tuple(cells), where=where)


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

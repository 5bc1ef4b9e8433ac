"""Reads documents out of files, one after the other, in bounded memory.

`streams` gives lines; each format turns lines into documents. What cannot be read is a UserError with
file and place: nothing is guessed, replaced or left out silently.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from autolect.core.errors import UserError
from autolect.text import conll, records, streams, tables
from autolect.text.segment import join
from autolect.text.streams import LINE_CHARACTERS, Line, TextFile

SAMPLE_CHARACTERS = 64 << 10
"""How much of a plain text `guess_document` sees."""

_BATCH_ROWS = 256
_WIDEST_WRAP = 120
_NARROWEST_WRAP = 40
_LONGEST_NAME = 40
_MOST_NAMES = 20

FILE_STYLE = "file"
"""Asks for the name of a document's file, without its suffixes, as its style."""
DocumentUnit = Literal["auto", "line", "block", "file"]
RecipeSection = Literal["corpus", "task"]
"""Where texts are named; a task has no key for their column."""
Column = str | Sequence[str]
"""Where texts stand; of several columns each cell is a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text, and where it came from."""

    text: str
    source: str
    """The file, relative to the folder that all files share; documents of one source are alike."""
    where: str
    """Source and line, or source and record (Parquet), counted from 1."""
    style: str = ""
    """What kind of text it is, by the column that was asked for; "" is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file and how to read it; the name stands in documents, the path in errors."""

    stream: TextFile
    name: str
    columns: tuple[str, ...]
    unit: DocumentUnit
    style: str | None
    section: RecipeSection

    def document(self, text: str, number: int, style: str = "") -> Document:
        return Document(text=text, source=self.name, where=f"{self.name}:{number}", style=style)

    def refuse(self, what: str, *, at: int | str = "", fix: str = "") -> NoReturn:
        path = self.stream.path
        streams.refuse(what, f"{path}:{at}" if at != "" else str(path), fix)


def expand(patterns: Sequence[str]) -> list[Path]:
    """The files that paths, folders and patterns (``**`` too) name: sorted, each once.

    A folder means every file below it that can be read; so do the folders that a pattern finds where it
    finds no file. UserError when something names no file.
    """
    found: dict[Path, Path] = {}
    for pattern in patterns:
        paths = _matches(pattern)
        if not paths:
            raise UserError("no file matches", where=pattern, fix=f"readable are {_known()}")
        for path in paths:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def common_folder(paths: Sequence[Path]) -> Path:
    """The deepest folder that holds all of the files: the `root` that makes names short and distinct."""
    return Path(os.path.commonpath([path.absolute().parent for path in paths]))


def gather(patterns: Sequence[str], *, column: Column = "text", encoding: str = "utf-8") -> list[Document]:
    """The documents of all files that patterns name, each with an address of its own; see `read`.

    UserError where there is none.
    """
    paths = expand(patterns)
    root = common_folder(paths)
    found = [one for path in paths for one in read(path, column=column, encoding=encoding, root=root)]
    if not found:
        raise UserError("there is no text in it", where=str(paths[0]), fix="check the files and the column")
    return found


def read(
    path: Path,
    *,
    column: Column = "text",
    encoding: str = "utf-8",
    document: DocumentUnit = "auto",
    style: str | None = None,
    root: Path | None = None,
    section: RecipeSection = "corpus",
) -> Iterator[Document]:
    """The documents of one file in order; those of blanks only are left out.

    column: where the text stands in jsonl, csv, tsv and parquet, or the texts do.  encoding: of files without
    a byte order mark.  document: what one document is in plain text.  style: column that says what kind of
    text a document is, `FILE_STYLE` for the file's name.  root: folder that `Document.source` is relative
    to; without it the source is the file's name.  section: of the recipe, that errors name.
    Raises UserError with file and line, record or byte.
    """
    reader = _reader(path)
    stream = TextFile(path=path, encoding=encoding, encoding_key=f"{section}.encoding")
    name = path.name if root is None else path.absolute().relative_to(root.absolute()).as_posix()
    asked = None if style == FILE_STYLE else style
    if asked is not None and reader not in _WITH_COLUMNS:
        raise UserError(
            f"has no column {asked!r}: it has no columns",
            where=str(path),
            fix=f"set corpus.style = {FILE_STYLE!r} to go by the names of files",
        )
    columns = (column,) if isinstance(column, str) else tuple(column)
    file = _File(stream=stream, name=name, columns=columns, unit=document, style=asked, section=section)
    found = (one for one in reader(file) if one.text and not one.text.isspace())
    if style != FILE_STYLE:
        return found
    named = path.name.split(".")[0]
    return (replace(one, style=named) for one in found)


def guess_document(sample: str) -> Literal["line", "block"]:
    """What one document seems to be in a plain text: a block where lines are wrapped at a fixed width and
    blank lines separate paragraphs, else a line.

    Wrapped: hardly a line over 120 columns, half of the paragraphs have two lines or more, and all lines of
    a paragraph but its last are about as long as the longest (verse and lists are not).
    """
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", sample)]
    blocks = [list(group) for filled, group in itertools.groupby(lines, key=bool) if filled]
    if len(blocks) < 2:
        return "line"
    sizes = sorted(len(block) for block in blocks)
    inner = sorted(_columns(line) for block in blocks for line in block[:-1])
    longest = sorted(len(line) for block in blocks for line in block)
    if sizes[len(sizes) // 2] < 2 or longest[int(len(longest) * 0.98)] > _WIDEST_WRAP:
        return "line"
    width = inner[int(len(inner) * 0.9)]
    similar = sum(length >= 0.7 * width for length in inner)
    return "block" if width >= _NARROWEST_WRAP and similar >= 0.75 * len(inner) else "line"


def _columns(line: str) -> int:
    """Width on a screen: a CJK character takes two columns."""
    return len(line) if line.isascii() else sum(1 + (char > "\u2e7f") for char in line)


# Formats: lines to documents.


def _plain(file: _File) -> Iterator[Document]:
    lines = streams.lines(file.stream)
    unit = file.unit
    if unit == "auto":
        head, size = [], 0
        for line in lines:
            head.append(line)
            size += len(line.text) + 1
            if size >= SAMPLE_CHARACTERS:
                break
        unit = guess_document("\n".join(line.text for line in head)[:SAMPLE_CHARACTERS])
        lines = itertools.chain(head, lines)
    if unit == "line":
        yield from (file.document(line.text, line.number) for line in lines)
    else:
        yield from _gathered(file, lines, unit)


def _gathered(file: _File, lines: Iterator[Line], unit: DocumentUnit) -> Iterator[Document]:
    """Blocks between blank lines, or the whole file, cut between lines where they grow too long."""
    kept: list[str] = []
    first, size = 1, 0
    for line in lines:
        blank = unit == "block" and not line.text.strip()
        if kept and (blank or size + len(line.text) > LINE_CHARACTERS):
            yield file.document(_joined(kept, unit), first)
            kept, size = [], 0
        if not blank:
            first = first if kept else line.number
            kept.append(line.text)
            size += len(line.text) + 1
    yield file.document(_joined(kept, unit), first)


def _joined(lines: list[str], unit: DocumentUnit) -> str:
    return "\n".join(lines) if unit == "file" else join([line.strip() for line in lines])[0]


def _jsonl(file: _File) -> Iterator[Document]:
    for line in streams.whole_lines(file.stream):
        if not line.text.strip():
            continue
        try:
            record = json.loads(line.text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            file.refuse(f"is not valid JSON ({error})", at=line.number, fix="one object per line is needed")
        if not isinstance(record, dict):
            file.refuse(f"is a {type(record).__name__}, not a JSON object", at=line.number)
        for one in _of_record(file, record, line.number):
            # Only an escape can smuggle a lone surrogate in, since decoding is strict.
            if "\\u" in line.text and (lone := re.search("[\ud800-\udfff]", one.text)):
                file.refuse(f"has a lone surrogate {lone[0]!r}", at=line.number, fix="repair it")
            yield one


def _json(file: _File) -> Iterator[Document]:
    found = records.read_records(file.stream.path, encoding=file.stream.encoding)
    for number, record in enumerate(found, start=1):
        yield from _of_record(file, record.values, number)


def _of_record(file: _File, record: dict[str, Any], number: int) -> Iterator[Document]:
    """The text in each column that was asked for; number: of its line, or of the record in an array."""
    record = tables.flat(record)
    if file.style is not None and file.style not in record:
        file.refuse(f"{file.style!r} is missing", at=number, fix="mend it, or corpus.style")
    for column in file.columns:
        text = record.get(column)
        if not isinstance(text, str):
            what = "is not a string" if column in record else "is missing"
            file.refuse(f"{column!r} {what}", at=number, fix=_columns_fix(file, column, record))
        yield file.document(text, number, _said(record.get(file.style or "")))


def _said(value: Any) -> str:
    """A style as text; what is no word or number is none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _columns_fix(file: _File, column: str, columns: Mapping[str, Any] | Sequence[str]) -> str:
    names = [repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}...") for name in columns]
    if not names:
        return "there are no columns"
    more = ", ..." if len(names) > _MOST_NAMES else ""
    shown = f"{', '.join(names[:_MOST_NAMES])}{more}"
    if file.section == "task":
        return f"name the column of the texts {column!r}; there are: {shown}"
    return f"set corpus.column to one of: {shown}"


def _table(file: _File) -> Iterator[Document]:
    path = file.stream.path
    rows = tables.headed(tables.cut_rows(streams.whole_lines(file.stream), path=path), path=path)
    header = next(rows, None)
    if header is None:
        return
    for column in filter(None, (*file.columns, file.style)):
        if header.cells.count(column) != 1:
            what = "stands twice" if column in header.cells else "is missing"
            fix = _columns_fix(file, column, header.cells)
            file.refuse(f"{column!r} {what} in the header", at=header.number, fix=fix)
    places = [header.cells.index(column) for column in file.columns]
    style = None if file.style is None else header.cells.index(file.style)
    for row in rows:
        said = "" if style is None else row.cells[style]
        yield from (file.document(row.cells[place], row.number, said) for place in places)


def _parquet(file: _File) -> Iterator[Document]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file.stream.path) as table:
            schema = table.schema_arrow
            for column in file.columns:
                fix = _columns_fix(file, column, schema.names)
                if schema.names.count(column) != 1:
                    file.refuse(f"{column!r} is missing", fix=fix)
                kind = schema.field(column).type
                kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
                if not (arrow.types.is_string(kind) or arrow.types.is_large_string(kind)):
                    file.refuse(f"{column!r} holds {kind}, not text", fix=fix)
            if file.style is not None and schema.names.count(file.style) != 1:
                file.refuse(f"{file.style!r} is missing", fix="set corpus.style to one of its columns")
            columns = [*file.columns, *([file.style] if file.style else [])]
            number = 0
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                rows = zip(*(batch.column(column).to_pylist() for column in file.columns), strict=True)
                styles = batch.column(columns[-1]).to_pylist() if file.style else [""] * batch.num_rows
                for texts, style in zip(rows, styles, strict=True):
                    number += 1
                    yield from (file.document(text or "", number, _said(style)) for text in texts)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        file.refuse(f"cannot be read as Parquet ({error})", fix="write or copy it again")


def _conll(file: _File) -> Iterator[Document]:
    return _sentences(file, "conll")


def _conllu(file: _File) -> Iterator[Document]:
    return _sentences(file, "conllu")


def _sentences(file: _File, layout: Literal["conll", "conllu"]) -> Iterator[Document]:
    lines = streams.whole_lines(file.stream)
    for found in conll.read_words(lines, path=file.stream.path, layout=layout):
        yield file.document(join(found.words)[0], found.number)


_Reader = Callable[[_File], Iterator[Document]]
_FORMATS: dict[str, _Reader] = {".txt": _plain, ".md": _plain, ".jsonl": _jsonl, ".ndjson": _jsonl}
_FORMATS |= {".csv": _table, ".tsv": _table, ".parquet": _parquet, ".conllu": _conllu, ".json": _json}
_FORMATS |= dict.fromkeys((".conll", ".iob", ".iob2", ".bio"), _conll)


_WITH_COLUMNS: tuple[_Reader, ...] = (_jsonl, _json, _table, _parquet)


def _known() -> str:
    return f"{', '.join(_FORMATS)}, each but .parquet also with {' or '.join(streams.PACKED)}"


def _readable(path: Path) -> _Reader | None:
    suffix = streams.suffix(path)
    return None if suffix == ".parquet" and streams.packing(path) else _FORMATS.get(suffix)


def _reader(path: Path) -> _Reader:
    reader = _readable(path)
    if reader is None:
        raise UserError("is of a kind that cannot be read", where=str(path), fix=f"readable are {_known()}")
    return reader


def _matches(pattern: str) -> list[Path]:
    """Files that a pattern names; a literal path first, for names with brackets in them."""
    path = Path(pattern)
    # Path.glob refuses absolute patterns.
    found = [path] if path.exists() else [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    files = [path for path in found if path.is_file()]
    return files or [below for folder in found for below in _below(folder)]


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        # A .json may hold anything, so it is read where it is named.
        if not hidden and path.is_file() and _readable(path) not in (None, _json):
            yield path

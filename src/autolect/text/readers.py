"""Reads documents out of files, one after the other, in bounded memory.

Bytes are decompressed, decoded and cut into lines here; each format turns lines into documents. What
cannot be read is a UserError with file and place: nothing is guessed, replaced or left out silently.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import glob
import gzip
import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, NoReturn

from autolect.core.errors import UserError
from autolect.text.segment import join

LINE_CHARACTERS = 16 << 20
"""Longest line, field, sentence or document; plain text beyond it becomes several documents."""
BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
"""A compressed file that yields more than this, and more than BOMB_RATIO times its size, is refused."""
SAMPLE_CHARACTERS = 64 << 10
"""How much of a plain text `guess_document` sees."""

_CHUNK = 1 << 20
_ZSTD_CHUNK = 1 << 10
_BATCH_ROWS = 256
_WIDEST_WRAP = 120
_NARROWEST_WRAP = 40
_LONGEST_NAME = 40
_MOST_NAMES = 20

DocumentUnit = Literal["auto", "line", "block", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text, and where it came from."""

    text: str
    source: str
    """The file, relative to the folder that all files share; documents of one source are alike."""
    where: str
    """Source and line, or source and record (Parquet), counted from 1."""


class _Line(NamedTuple):
    """A line without its break; `ends` is False where it was too long and had to be cut."""

    number: int
    text: str
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file and how to read it; the name stands in documents, the path in errors."""

    path: Path
    name: str
    column: str
    encoding: str
    unit: DocumentUnit

    def document(self, text: str, number: int) -> Document:
        return Document(text=text, source=self.name, where=f"{self.name}:{number}")

    def refuse(self, what: str, *, at: int | str = "", fix: str = "") -> NoReturn:
        where = f"{self.path}:{at}" if at != "" else str(self.path)
        raise UserError(what, where=where, fix=fix) from None


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


def read(
    path: Path,
    *,
    column: str = "text",
    encoding: str = "utf-8",
    document: DocumentUnit = "auto",
    root: Path | None = None,
) -> Iterator[Document]:
    """The documents of one file in order; those of blanks only are left out.

    column: where the text stands in jsonl, csv, tsv and parquet.  encoding: of files without a byte order
    mark.  document: what one document is in plain text.  root: folder that `Document.source` is relative
    to; without it the source is the file's name.  Raises UserError with file and line, record or byte.
    """
    reader = _reader(path)
    try:
        "".encode(encoding)
    except LookupError:
        raise UserError(
            f"{encoding!r} is not an encoding", where="corpus.encoding", fix="try utf-8 or gb18030"
        ) from None
    name = path.name if root is None else path.absolute().relative_to(root.absolute()).as_posix()
    file = _File(path=path, name=name, column=column, encoding=encoding, unit=document)
    return (found for found in reader(file) if found.text and not found.text.isspace())


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
    lines = _lines(file)
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


def _gathered(file: _File, lines: Iterator[_Line], unit: DocumentUnit) -> Iterator[Document]:
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
    for line in _whole(file, _lines(file)):
        if not line.text.strip():
            continue
        try:
            record = json.loads(line.text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            file.refuse(f"is not valid JSON ({error})", at=line.number, fix="one object per line is needed")
        if not isinstance(record, dict):
            file.refuse(f"is a {type(record).__name__}, not a JSON object", at=line.number)
        text = record.get(file.column)
        if not isinstance(text, str):
            what = "is not a string" if file.column in record else "is missing"
            file.refuse(f"{file.column!r} {what}", at=line.number, fix=_columns_fix(record))
        # Only an escape can smuggle a lone surrogate in, since decoding is strict.
        if "\\u" in line.text and (lone := re.search("[\ud800-\udfff]", text)):
            file.refuse(f"lone surrogate {lone[0]!r} in {file.column!r}", at=line.number, fix="repair it")
        yield file.document(text, line.number)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _columns_fix(columns: Mapping[str, Any] | Sequence[str]) -> str:
    names = [repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}...") for name in columns]
    if not names:
        return "there are no columns"
    more = ", ..." if len(names) > _MOST_NAMES else ""
    return f"set corpus.column to one of: {', '.join(names[:_MOST_NAMES])}{more}"


def _csv(file: _File) -> Iterator[Document]:
    return _table(file, delimiter=",")


def _tsv(file: _File) -> Iterator[Document]:
    return _table(file, delimiter="\t")


def _table(file: _File, *, delimiter: str) -> Iterator[Document]:
    rows = _rows(file, delimiter)
    _, header = next(rows, (0, None))
    if header is None:
        return
    if header.count(file.column) != 1:
        what = "stands twice" if file.column in header else "is missing"
        file.refuse(f"{file.column!r} {what} in the header", at=1, fix=_columns_fix(header))
    place = header.index(file.column)
    for number, row in rows:
        if len(row) != len(header):
            file.refuse(
                f"has {len(row)} fields where the header has {len(header)}",
                at=number,
                fix="quote fields that hold the separator, a quote or a line break",
            )
        yield file.document(row[place], number)


def _rows(file: _File, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line they begin on; blank lines are left out."""
    begins = [0]

    def fed() -> Iterator[str]:
        for line in _whole(file, _lines(file)):
            begins.append(line.number)
            yield line.text + "\n"

    reader = csv.reader(fed(), delimiter=delimiter, strict=True)
    while True:
        del begins[:-1]
        try:
            with _field_limit():
                row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            start = begins[min(1, len(begins) - 1)]
            file.refuse(f"is not a valid row ({error})", at=start, fix="look for an unclosed quote")
        if row:
            yield begins[1], row


@contextlib.contextmanager
def _field_limit() -> Iterator[None]:
    """Let fields be as long as lines. The limit belongs to the process, so it is put back after a row."""
    before = csv.field_size_limit(LINE_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet(file: _File) -> Iterator[Document]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file.path) as table:
            schema = table.schema_arrow
            if schema.names.count(file.column) != 1:
                file.refuse(f"{file.column!r} is missing", fix=_columns_fix(schema.names))
            kind = schema.field(file.column).type
            kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
            if not (arrow.types.is_string(kind) or arrow.types.is_large_string(kind)):
                file.refuse(f"{file.column!r} holds {kind}, not text", fix=_columns_fix(schema.names))
            number = 0
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=[file.column]):
                for text in batch.column(0).to_pylist():
                    number += 1
                    yield file.document(text or "", number)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        file.refuse(f"cannot be read as Parquet ({error})", fix="write or copy it again")


def _conll(file: _File) -> Iterator[Document]:
    """The word stands first; in files whose words are numbered (Universal NER), second."""
    numbered: bool | None = None
    for lines in _sentences(file):
        words = [line for line in lines if not _is_comment(line.text, lines[-1].text)]
        rows = [re.split("\t" if "\t" in line.text else " +", line.text.strip(" ")) for line in words]
        rows = [row for row in rows if row[0].strip(" ") != "-DOCSTART-"]
        if numbered is None and rows:
            numbered = len(rows[0]) > 2 and all(row[0] == str(n) for n, row in enumerate(rows, 1))
        tokens = _numbered_words(file, lines) if numbered else [row[0].strip(" ") for row in rows]
        yield file.document(join(tokens)[0], lines[0].number)


def _is_comment(line: str, last: str) -> bool:
    """Whether a line is no word of its sentence, whose last line surely is one; "# O" is the word "#"."""
    if not line.startswith("#") or line == last:
        return False
    if "\t" in last:
        return "\t" not in line
    return "=" in line or len(line.split(" ")) != len(last.split(" "))


def _conllu(file: _File) -> Iterator[Document]:
    for lines in _sentences(file):
        yield file.document(join(_numbered_words(file, lines))[0], lines[0].number)


def _numbered_words(file: _File, lines: list[_Line]) -> list[str]:
    """Forms of a sentence: a multi-word token (1-2) stands for its words, empty nodes (2.1) for nothing."""
    tokens: list[str] = []
    covered = 0
    for line in lines:
        if line.text.startswith("#"):
            continue
        name, _, rest = line.text.partition("\t")
        known = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9})|(\.[0-9]+))?", name)
        if not known or "\t" not in rest:
            file.refuse("is not a numbered word (number, tab, form, tab, ...)", at=line.number)
        if known[3] is None and int(known[1]) > covered:
            tokens.append(rest.split("\t", 1)[0])
            covered = int(known[2] or covered)
    return tokens


def _sentences(file: _File) -> Iterator[list[_Line]]:
    """Groups of lines between blank lines."""
    kept: list[_Line] = []
    size = 0
    for line in _whole(file, _lines(file)):
        if line.text.strip():
            kept.append(line)
            size += len(line.text)
            if size > LINE_CHARACTERS:
                file.refuse("begins a sentence without end", at=kept[0].number, fix="part it by blank lines")
        elif kept:
            yield kept
            kept, size = [], 0
    if kept:
        yield kept


_Reader = Callable[[_File], Iterator[Document]]
_FORMATS: dict[str, _Reader] = {".txt": _plain, ".md": _plain, ".jsonl": _jsonl, ".ndjson": _jsonl}
_FORMATS |= {".csv": _csv, ".tsv": _tsv, ".parquet": _parquet, ".conllu": _conllu}
_FORMATS |= dict.fromkeys((".conll", ".iob", ".iob2", ".bio"), _conll)
_PACKED = (".gz", ".zst")


def _known() -> str:
    return f"{', '.join(_FORMATS)}, each but .parquet also with {' or '.join(_PACKED)}"


def _readable(path: Path) -> _Reader | None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]] or [""]
    if suffixes[-1] in _PACKED:
        inner = suffixes[0] if len(suffixes) > 1 else ""
        return None if inner == ".parquet" else _FORMATS.get(inner)
    return _FORMATS.get(suffixes[-1])


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
        if not hidden and path.is_file() and _readable(path) is not None:
            yield path


# Lines, decoding and decompression.


def _whole(file: _File, lines: Iterator[_Line]) -> Iterator[_Line]:
    """The same lines; UserError at one that had to be cut, because half a record is none."""
    for line in lines:
        if not line.ends:
            file.refuse(f"is longer than {LINE_CHARACTERS} characters", at=line.number, fix="part the record")
        yield line


def _lines(file: _File) -> Iterator[_Line]:
    r"""Cut at \n, \r\n and \r only: U+2028 and its like stand inside of records."""
    rest, number = "", 1
    for chunk in _decoded(file):
        # A \r at the end may be half of a \r\n.
        rest, held = (rest + chunk, "") if not chunk.endswith("\r") else (rest + chunk[:-1], "\r")
        if "\r" in rest:
            rest = rest.replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = rest.split("\n")
        for line in lines:
            yield from _cut(number, line, ends=True)
            number += 1
        while len(rest) > LINE_CHARACTERS:
            cut = _cut_at(rest)
            yield _Line(number, rest[:cut], ends=False)
            rest = rest[cut:]
        rest += held
    if rest:
        yield from _cut(number, rest.removesuffix("\r"), ends=True)


def _cut(number: int, text: str, *, ends: bool) -> Iterator[_Line]:
    while len(text) > LINE_CHARACTERS:
        cut = _cut_at(text)
        yield _Line(number, text[:cut], ends=False)
        text = text[cut:]
    yield _Line(number, text, ends)


def _cut_at(text: str) -> int:
    """Where to cut a line that is too long: after the last blank that fits, else where it must be."""
    blank = max(text.rfind(char, 0, LINE_CHARACTERS) for char in " \t\u3000")
    return blank + 1 or LINE_CHARACTERS


_MARKS = [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")]
_MARKS += [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]


def _decoded(file: _File) -> Iterator[str]:
    """Strictly decoded text: by the byte order mark if there is one, else by the declared encoding."""
    chunks = _bytes(file)
    head = next(chunks, b"")
    mark, encoding = next((pair for pair in _MARKS if head.startswith(pair[0])), (b"", file.encoding))
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    fed = len(mark)
    for chunk, final in _with_final(itertools.chain([head[fed:]], chunks)):
        fed += len(chunk)
        try:
            text = decoder.decode(chunk, final)
        except UnicodeError as error:
            offset = 0
            if isinstance(error, UnicodeDecodeError):
                offset = fed - len(error.object) + error.start
            fix = "set corpus.encoding to the file's own, or convert the file to UTF-8"
            file.refuse(f"is not {encoding} at byte {offset} ({error})", fix=fix)
        if "\0" in text:
            after = len(text[text.index("\0") :].encode(encoding)) + len(decoder.getstate()[0])
            file.refuse(f"looks binary: NUL at byte {fed - after}", fix="leave it out or set corpus.encoding")
        yield text


def _with_final(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    yield from ((chunk, False) for chunk in chunks)
    yield b"", True


def _bytes(file: _File) -> Iterator[bytes]:
    """The file's bytes, decompressed."""
    packing = file.path.suffix.lower()
    try:
        with file.path.open("rb") as stream:
            most = max(BOMB_BYTES, BOMB_RATIO * os.fstat(stream.fileno()).st_size)
            total = 0
            for chunk in _unpacked(stream, packing):
                total += len(chunk)
                if packing in _PACKED and total > most:
                    file.refuse(f"grows beyond {most} bytes", fix="unpack it yourself if you trust it")
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        file.refuse(f"is damaged or cut short ({error})", fix="compress or copy it again")
    except OSError as error:
        file.refuse(f"cannot be read ({error.strerror})")


def _unpacked(stream: IO[bytes], packing: str) -> Iterator[bytes]:
    if packing == ".zst":
        return _zstd(stream)
    source = gzip.GzipFile(fileobj=stream) if packing == ".gz" else stream
    return iter(lambda: source.read(_CHUNK), b"")


def _zstd(stream: IO[bytes]) -> Iterator[bytes]:
    """Every frame, fed in small pieces, because four bytes of zstd may become 128 KiB.

    EOFError for a damaged or unfinished frame; the library's own reader takes an unfinished one for the end.
    """
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    frame, left = None, b""
    pieces: list[bytes] = []
    while piece := left or stream.read(_ZSTD_CHUNK):
        frame = frame or decompressor.decompressobj()
        try:
            pieces.append(frame.decompress(piece))
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from None
        left = frame.unused_data if frame.eof else b""
        frame = None if frame.eof else frame
        if sum(map(len, pieces)) >= _CHUNK:
            yield b"".join(pieces)
            pieces.clear()
    if frame is not None:
        raise EOFError("the last frame is not complete")
    yield b"".join(pieces)

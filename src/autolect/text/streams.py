"""Files to numbered lines, in bounded memory: unpacked, strictly decoded, cut at line breaks.

Every reader of text goes through here, so that all of them agree on what a line is and refuse the same
bytes. What cannot be read is a UserError with file and place: nothing is guessed or replaced.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from autolect.core.errors import UserError

LINE_CHARACTERS = 16 << 20
"""Longest line, field, sentence or document."""
BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
"""A packed file that yields more than this, and more than BOMB_RATIO times its size, is refused."""
MAX_BYTES = 1 << 30
"""Largest labelled file, unpacked; its examples are kept in memory."""
PACKED = (".gz", ".zst")
"""Suffixes of packed files."""

_CHUNK = 1 << 20
_ZSTD_CHUNK = 1 << 10
_OFFICE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How files of office programs begin, the new ones and the old."""
# UTF-32 stands before UTF-16, whose mark is the beginning of its own.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Line(NamedTuple):
    """A line without its break; `ends` is False where it was too long and had to be cut."""

    number: int
    text: str
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A file and how its bytes become text; UserError for an encoding that does not exist.

    encoding: of files without a byte order mark.  encoding_key: the recipe key that sets it, if there is
    one.  most_bytes: largest size, unpacked, for a reader that keeps the whole file.
    """

    path: Path
    encoding: str
    encoding_key: str = ""
    most_bytes: int | None = None

    def __post_init__(self) -> None:
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError):
            where = self.encoding_key or str(self.path)
            refuse(f"{self.encoding!r} is not an encoding", where, "try utf-8 or gb18030")


def refuse(what: str, where: str, fix: str) -> NoReturn:
    """Raise a UserError that hides the exception it comes from."""
    raise UserError(what, where=where, fix=fix) from None


def packing(path: Path) -> str:
    """The suffix of the packing in lower case; empty where there is none."""
    last = path.suffix.lower()
    return last if last in PACKED else ""


def suffix(path: Path) -> str:
    """The suffix of the format, below that of the packing, in lower case."""
    return Path(path.stem if packing(path) else path.name).suffix.lower()


def is_utf8(path: Path) -> bool:
    """Whether the beginning of a file is UTF-8, or has a byte order mark."""
    seen = 0
    try:
        for text in _decoded(TextFile(path=path, encoding="utf-8")):
            seen += len(text)
            if seen > _CHUNK:
                break
    except UserError:
        return False
    return True


def numbered_lines(path: Path, *, encoding: str) -> Iterator[Line]:
    """The lines of a labelled file (see `whole_lines`); UserError beyond MAX_BYTES."""
    return whole_lines(TextFile(path=path, encoding=encoding, most_bytes=MAX_BYTES))


def whole_lines(file: TextFile) -> Iterator[Line]:
    """The lines of a file; UserError at one that is too long, because half a record is none."""
    for line in lines(file):
        if not line.ends:
            what = f"is longer than {LINE_CHARACTERS} characters"
            refuse(what, f"{file.path}:{line.number}", "part the record")
        yield line


def lines(file: TextFile) -> Iterator[Line]:
    r"""The lines of a file, counted from 1; those beyond LINE_CHARACTERS come in parts.

    Cut at \n, \r\n and \r only: U+2028 and its like stand inside of records. Raises UserError with the
    byte (after unpacking) that cannot be decoded or is NUL.
    """
    rest, number = "", 1
    for chunk in _decoded(file):
        # A \r at the end may be half of a \r\n.
        rest, held = (rest + chunk, "") if not chunk.endswith("\r") else (rest + chunk[:-1], "\r")
        if "\r" in rest:
            rest = rest.replace("\r\n", "\n").replace("\r", "\n")
        *found, rest = rest.split("\n")
        for text in found:
            yield from _cut(number, text, ends=True)
            number += 1
        while len(rest) > LINE_CHARACTERS:
            cut = _cut_at(rest)
            yield Line(number, rest[:cut], ends=False)
            rest = rest[cut:]
        rest += held
    if rest:
        yield from _cut(number, rest.removesuffix("\r"), ends=True)


def _cut(number: int, text: str, *, ends: bool) -> Iterator[Line]:
    while len(text) > LINE_CHARACTERS:
        cut = _cut_at(text)
        yield Line(number, text[:cut], ends=False)
        text = text[cut:]
    yield Line(number, text, ends)


def _cut_at(text: str) -> int:
    """Where to cut a line that is too long: after the last blank that fits, else where it must be."""
    blank = max(text.rfind(char, 0, LINE_CHARACTERS) for char in " \t\u3000")
    return blank + 1 or LINE_CHARACTERS


def _decoded(file: TextFile) -> Iterator[str]:
    """Strictly decoded text: by the byte order mark if there is one, else by the declared encoding."""
    chunks = _bytes(file)
    head = next(chunks, b"")
    if head.startswith(_OFFICE):
        fix = "save it as CSV, or as plain text"
        refuse("is a workbook or document of an office program, or a zip archive", str(file.path), fix)
    mark, encoding = next((pair for pair in _MARKS if head.startswith(pair[0])), (b"", file.encoding))
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    key = file.encoding_key
    fed, breaks = len(mark), 0
    for chunk, final in _with_final(itertools.chain([head[fed:]], chunks)):
        fed += len(chunk)
        try:
            text = decoder.decode(chunk, final)
        except UnicodeError as error:
            place, reason, where = "", str(error), str(file.path)
            if isinstance(error, UnicodeDecodeError):
                place, reason = f" at byte {fed - len(error.object) + error.start}", error.reason
                if not encoding.startswith(("utf-16", "utf-32")):
                    where += f":{1 + breaks + error.object[: error.start].count(10)}"
            refuse(f"is not {encoding}{place} ({reason})", where, _encoded(key))
        if "\0" in text:
            after = _num_bytes(text[text.index("\0") :], encoding) + len(decoder.getstate()[0])
            fix = f"leave it out, or {_encoded(key)}"
            refuse(f"looks binary: NUL at byte {fed - after}", str(file.path), fix)
        breaks += text.count("\n")
        yield text


def _encoded(key: str) -> str:
    """What mends a file of another encoding; key: the recipe's that names it."""
    key = key or "task.encoding"
    return f"name the encoding that it has, by {key} in a recipe, else by --encoding; or convert it to UTF-8"


def _num_bytes(text: str, encoding: str) -> int:
    """Bytes of a text inside of a file: without the mark that some encodings set before it."""
    return len(text.encode(encoding, "replace")) - len("".encode(encoding))


def _with_final(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    yield from ((chunk, False) for chunk in chunks)
    yield b"", True


def _bytes(file: TextFile) -> Iterator[bytes]:
    """The file's bytes, unpacked."""
    where, packed = str(file.path), packing(file.path)
    try:
        with file.path.open("rb") as stream:
            bomb = max(BOMB_BYTES, BOMB_RATIO * os.fstat(stream.fileno()).st_size)
            total = 0
            for chunk in _unpacked(stream, packed):
                total += len(chunk)
                if file.most_bytes is not None and total > file.most_bytes:
                    refuse(f"holds more than {file.most_bytes} bytes", where, "part the file")
                if packed and total > bomb:
                    refuse(f"grows beyond {bomb} bytes", where, "unpack it yourself if you trust it")
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        refuse(f"is damaged or cut short ({error})", where, "compress or copy it again")
    except IsADirectoryError:
        what = "is a folder, and none of brat's, of a saved dataset or of a folder for each label"
        refuse(what, where, "name a file in it")
    except OSError as error:
        refuse(f"cannot be read ({error.strerror})", where, "check the path and its permissions")


def _unpacked(stream: IO[bytes], packed: str) -> Iterator[bytes]:
    if packed == ".zst":
        return _zstd(stream)
    source = gzip.GzipFile(fileobj=stream) if packed == ".gz" else stream
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

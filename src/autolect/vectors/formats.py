"""Vectors that other tools wrote: word2vec text and binary, GloVe and fastText text."""

from __future__ import annotations

import codecs
import mmap
import re
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import UserError
from autolect.vectors.store import WordVectors

_HEADER = re.compile(rb"\s*(\d{1,12})[ \t](\d{1,6})\s*?\n")
_SNIFFED = 1 << 16
_LONGEST_WORD = 4096


def read_word2vec(path: Path) -> WordVectors:
    """Read word2vec text or binary, or GloVe text (no header); which one is seen from the bytes.

    Of a word that stands twice the first vector is taken. Counts are unknown, hence zero. Raises
    UserError with the line (text) or the word's number (binary) where the file is malformed.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(path)) from None
    header = _HEADER.match(head)
    if header is None:
        return _read_text(path, promised=None, width=None)
    promised, width = int(header[1]), int(header[2])
    if width < 1 or promised * width * 2 > path.stat().st_size:
        raise UserError(
            f"promises {promised} vectors of {width} numbers, more than the file can hold",
            where=f"{path}:1",
            fix="fetch the file again",
        )
    if _is_binary(head[header.end() :]):
        return _read_binary(path, start=header.end(), promised=promised, width=width)
    return _read_text(path, promised=promised, width=width)


def _is_binary(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return True
    return b"\0" in sample


def _read_text(path: Path, *, promised: int | None, width: int | None) -> WordVectors:
    keys: dict[str, None] = {}
    numbers = array("f")
    found = 0
    with path.open("rb") as stream:
        for line_number, line in enumerate(stream, start=1):
            if not line.strip() or (promised is not None and line_number == 1):
                continue
            where = f"{path}:{line_number}"
            fields = _text(line, where=where).split(" ")
            width = len(fields) - 1 if width is None else width
            word, row = _row(fields, width=width, where=where)
            found += 1
            if word not in keys:
                keys[word] = None
                numbers.extend(row)
    if not keys or width is None:
        raise UserError("holds no vectors", where=str(path))
    if promised is not None and found != promised:
        raise UserError(
            f"promises {promised} vectors and holds {found}", where=f"{path}:1", fix="fetch the file again"
        )
    return _vectors(list(keys), np.frombuffer(numbers, np.float32).reshape(-1, width))


def _text(line: bytes, *, where: str) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n ")
    except UnicodeDecodeError:
        raise UserError("is not UTF-8", where=where, fix="convert the file to UTF-8") from None


def _row(fields: list[str], *, width: int, where: str) -> tuple[str, list[float]]:
    """The word, blanks in it allowed, and its numbers."""
    word = " ".join(fields[: len(fields) - width])
    if width < 1 or len(fields) <= width or not word:
        raise UserError(
            f"has {len(fields)} fields, a word and {max(width, 1)} numbers expected",
            where=where,
            fix="remove the line (and lower the first line's count)",
        )
    try:
        row = [float(field) for field in fields[-width:]]
    except ValueError as error:
        raise UserError(f"a field is not a number ({error})", where=where) from None
    if not all(map(np.isfinite, row)):
        raise UserError("a number is not finite", where=where)
    return word, row


def _read_binary(path: Path, *, start: int, promised: int, width: int) -> WordVectors:
    keys: dict[str, None] = {}
    rows: list[NDArray[np.float32]] = []
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for number in range(1, promised + 1):
            where = f"{path}, vector {number}"
            blank = content.find(b" ", start, start + _LONGEST_WORD)
            end = blank + 1 + 4 * width
            if blank < 0 or end > len(content):
                raise UserError(
                    "is neither whole word2vec binary nor text in UTF-8",
                    where=where,
                    fix="fetch the file again",
                )
            try:
                word = content[start:blank].lstrip(b"\n").decode("utf-8")
            except UnicodeDecodeError:
                raise UserError("its word is not UTF-8", where=where) from None
            row = np.frombuffer(content[blank + 1 : end], "<f4")
            if not np.isfinite(row).all():
                raise UserError("a number is not finite", where=where)
            if word not in keys:
                keys[word] = None
                rows.append(row)
            start = end
    if not rows:
        raise UserError("holds no vectors", where=str(path))
    return _vectors(list(keys), np.stack(rows).astype(np.float32))


def _vectors(keys: list[str], matrix: NDArray[np.float32]) -> WordVectors:
    return WordVectors(keys=keys, matrix=matrix, counts=np.zeros(len(keys), np.int64))

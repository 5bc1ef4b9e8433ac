"""How things look in a terminal: escaped, aligned, coloured only where a person looks.

Text from files, models and people may hold bytes that move the cursor, hide what follows or change the
terminal's title; `safe` and `plain_json` make them visible instead.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

from autolect.core.errors import UserError

_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what reverses the direction of writing, and halves of surrogate pairs."""

_CODES = {"bold": "1", "red": "31", "green": "32", "cyan": "36", "faint": "2"}


def safe(text: str) -> str:
    """The text on one line with every character that could act on a terminal written as an escape."""
    return _HOSTILE.sub(_escape, text)


def plain_json(value: Any) -> str:
    """A JSON value on one line, in UTF-8, with nothing in it that could act on a terminal."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _HOSTILE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write(line: str = "") -> None:
    """One line of the answer, on standard output."""
    _put(sys.stdout, line)


def tell(line: str) -> None:
    """One line beside the answer, on standard error."""
    _put(sys.stderr, line)


def paint(text: str, style: str, *, stream: TextIO | None = None) -> str:
    """The text in a style, where the stream is a terminal and NO_COLOR is not set."""
    stream = sys.stdout if stream is None else stream
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def error(problem: UserError) -> str:
    """A user's error as up to three lines: what, where, how."""
    lines = [f"{paint('error:', 'red', stream=sys.stderr)} {safe(problem.what)}"]
    if problem.where:
        lines.append(f"  where: {safe(problem.where)}")
    if problem.fix:
        lines.append(f"  how:   {safe(problem.fix)}")
    return "\n".join(lines)


def table(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = ()) -> str:
    """Rows in aligned columns, two spaces apart; a header when there is one."""
    lines = [[safe(cell) for cell in row] for row in ([columns, *rows] if columns else rows)]
    if not lines:
        return ""
    widths = [max(width(line[at]) for line in lines) for at in range(len(lines[0]))]
    texts = [
        "  ".join(cell + " " * (size - width(cell)) for cell, size in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    if columns:
        texts[0] = paint(texts[0], "bold")
    return "\n".join(texts)


def width(text: str) -> int:
    """Columns that a text takes in a terminal; Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    silent = sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) + wide - silent


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    names = {9: "\\t", 10: "\\n", 13: "\\r"}
    return names.get(number, f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _put(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()

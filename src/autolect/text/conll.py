"""Tagged sentences as they stand in a file: the CoNLL family, CoNLL-U, Universal NER, JSON Lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autolect.text import segment
from autolect.text.tables import numbered_lines, read_records, refuse

_TAG_KEYS = ("tags", "ner_tags")
_USUAL_TAG = {10: 3, 5: 2}
"""Columns of a file whose first one counts the words -> where its tag stands: CoNLL-U has the part of
speech (UPOS) in the fourth of ten, Universal NER the entity in the third of five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Tokens, their tags as written, and the "file:line" of each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How the lines of a file are built; columns are counted from 0 here."""

    tabs: bool
    counted: bool
    width: int
    word: int
    tag: int
    line: int

    def cells(self, line: str) -> list[str]:
        return _cells(line, tabs=self.tabs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    word: str
    tag: str
    place: str


def read_columns(path: Path, *, encoding: str, column: int | None) -> Iterator[Sentence]:
    """Sentences between blank lines; column is where the tag stands, counted from 1 (None: see `layout`).

    The first token of the file says how its lines are built. Comments before a sentence, -DOCSTART- and
    the lines of CoNLL-U that are no word of their own (3-4, 5.1) are left out. UserError with file and line.
    """
    layout: _Layout | None = None
    kept: list[_Token] = []
    for number, line in numbered_lines(path, encoding=encoding):
        if not line.strip(" \t"):
            if kept:
                yield _sentence(kept)
                kept = []
            continue
        if line.startswith("-DOCSTART-") or (not kept and _is_comment(line, layout)):
            continue
        where = f"{path}:{number}"
        layout = layout or _learn(line, number, where, column)
        token = _token(line, layout, where)
        if token is not None:
            kept.append(token)
    if kept:
        yield _sentence(kept)


def read_objects(path: Path, *, encoding: str) -> Iterator[Sentence]:
    """JSON Lines with "tokens" and "tags" (or "ner_tags"), two lists of strings of one length."""
    for record in read_records(path, encoding=encoding):
        words = record.values.get("tokens")
        keys = [key for key in _TAG_KEYS if key in record.values]
        if not isinstance(words, list) or len(keys) != 1:
            refuse("needs 'tokens' and either 'tags' or 'ner_tags'", record.where, "rename the keys")
        tags = record.values[keys[0]]
        if not isinstance(tags, list) or len(tags) != len(words) or not words:
            what = f"'tokens' and {keys[0]!r} are not filled lists of one length"
            refuse(what, record.where, "give each token a tag")
        for name, values in (("token", words), ("tag", tags)):
            for at, value in enumerate(values, start=1):
                if not isinstance(value, str) or not value or value.isspace():
                    fix = "write tags by name, not by number" if isinstance(value, int) else "name it"
                    refuse(f"{name} {at} is {value!r}", record.where, fix)
        yield Sentence(words=tuple(words), tags=tuple(tags), places=(record.where,) * len(words))


def strip_counts(sentences: Sequence[Sentence]) -> list[tuple[str, ...]]:
    """The words of each sentence, without the digit that counts the characters of a word (Weibo NER).

    Taken off only when every token of the file ends in a digit and most have a CJK character before it.
    """
    num_tokens = num_cjk = 0
    for sentence in sentences:
        for word in sentence.words:
            if len(word) < 2 or not "0" <= word[-1] <= "9":
                return [sentence.words for sentence in sentences]
            num_tokens += 1
            num_cjk += segment.is_cjk(word[-2])
    if num_cjk * 2 <= num_tokens:
        return [sentence.words for sentence in sentences]
    return [tuple(word[:-1] for word in sentence.words) for sentence in sentences]


def _is_comment(line: str, layout: _Layout | None) -> bool:
    """Whether a line that begins a sentence with "#" is no token.

    A comment has a blank in its first column or another number of columns than the tokens; so the word
    "#" keeps its place. Before the first token, only a tab after "#..." makes a token of it.
    """
    if not line.startswith("#"):
        return False
    if layout is None:
        return "\t" not in line or " " in line.split("\t")[0]
    cells = layout.cells(line)
    return len(cells) != layout.width or (layout.tabs and " " in cells[0])


def _learn(line: str, number: int, where: str, column: int | None) -> _Layout:
    tabs = "\t" in line
    cells = _cells(line, tabs=tabs)
    counted = tabs and len(cells) in _USUAL_TAG and re.fullmatch(r"1(-\d+)?|0\.1", cells[0]) is not None
    least = 3 if counted else 2
    if len(cells) < least:
        refuse("has one column", where, "a token, a tab and a tag are needed")
    if column is not None and not least <= column <= len(cells):
        refuse(
            f"there is no tag in column {column} of {len(cells)}",
            where,
            f"set task.tag_column from {least} to {len(cells)}",
        )
    usual = _USUAL_TAG[len(cells)] if counted else len(cells) - 1
    tag = usual if column is None else column - 1
    return _Layout(tabs=tabs, counted=counted, width=len(cells), word=int(counted), tag=tag, line=number)


def _token(line: str, layout: _Layout, where: str) -> _Token | None:
    """One token; None for a line of CoNLL-U that is no word of its own."""
    cells = layout.cells(line)
    if len(cells) != layout.width:
        refuse(
            f"has {len(cells)} columns where line {layout.line} has {layout.width}",
            where,
            "a blank line parts sentences; tabs, or blanks where there is no tab, part columns",
        )
    if layout.counted and not cells[0].isdecimal():
        if re.fullmatch(r"\d+[-.]\d+", cells[0]):
            return None
        refuse(f"{cells[0]!r} is not the number of a word", where, "number the words from 1")
    word, tag = cells[layout.word], cells[layout.tag]
    if not word or word.isspace():
        refuse("the token is blank", where, "remove the line or name the token")
    if not tag or tag.isspace():
        refuse("the tag is missing", where, "write O for a token outside of every entity")
    return _Token(word=word, tag=tag, place=where)


def _cells(line: str, *, tabs: bool) -> list[str]:
    # Only the plain blank parts or pads columns: others, such as the ideographic space, may be tokens.
    return [cell.strip(" ") for cell in line.split("\t")] if tabs else re.split(" +", line.strip(" "))


def _sentence(tokens: Sequence[_Token]) -> Sentence:
    return Sentence(
        words=tuple(token.word for token in tokens),
        tags=tuple(token.tag for token in tokens),
        places=tuple(token.place for token in tokens),
    )

"""Sentences as they stand in a file, tagged or words alone: the CoNLL family, CoNLL-U, Universal NER.

Tagged sentences may also be JSON Lines.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.text import segment
from autolect.text.records import read_records
from autolect.text.streams import LINE_CHARACTERS, Line, numbered_lines, refuse, suffix

TAG_KEYS = ("tags", "ner_tags")
_TAG = re.compile(r"O|[BIESLUM]-[^\d\s]\S*")
_BRACKETS = "#begin document"
_ASIDE = ("#", "-DOCSTART-")
"""How lines begin that stand among numbered words and are none."""
_NO_WORD = re.compile(r"\d+[-.]\d+")
"""The number of a line of CoNLL-U that is no word of its own."""
_LOOKED_AT = 20
"""Sentences that say whether words are numbered."""
_FEWEST = 2
"""Columns of a word and its tag."""
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
class Words:
    """The words of a sentence and the number of the line it begins on."""

    words: tuple[str, ...]
    number: int


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
    tags: set[str] = set()
    sentences = list(_sentences(numbered_lines(path, encoding=encoding), path))
    numbered = _are_numbered(sentences[:_LOOKED_AT])
    for lines in sentences:
        kept: list[_Token] = []
        for number, line, _ in lines:
            where = f"{path}:{number}"
            if line.startswith(_BRACKETS):
                what = "is CoNLL-2012, whose entities stand in brackets"
                refuse(what, where, "write a word and its tag on each line")
            if line.startswith("-DOCSTART-") or (not kept and _is_comment(line, layout, tags)):
                continue
            if "\t" not in line and suffix(path) == ".conllu":
                refuse("has no tabs, which part the columns of CoNLL-U", where, "part them by tabs")
            layout = layout or _learn(line, number, where, column, numbered=numbered)
            token = _token(line, layout, where)
            if token is not None:
                kept.append(token)
        if kept:
            tags.update(token.tag for token in kept)
            yield _sentence(kept)


def read_words(lines: Iterable[Line], *, path: Path, layout: Literal["conll", "conllu"]) -> Iterator[Words]:
    """The words of each sentence, whatever is known about them; -DOCSTART- and comments are left out.

    conll: the word stands first, or second where the words of the first sentences are numbered (Universal
    NER).  conllu: words are numbered; a multi-word token (1-2) stands for its words, an empty node (2.1)
    for nothing. Raises UserError with file and line.
    """
    sentences = _sentences(lines, path)
    first = list(itertools.islice(sentences, _LOOKED_AT))
    numbered = layout == "conllu" or _are_numbered(first)
    for group in itertools.chain(first, sentences):
        number = group[0].number
        if numbered:
            yield Words(words=_numbered_words(group, path), number=number)
            continue
        texts = [line.text for line in group if not _is_remark(line.text, group[-1].text)]
        rows = [row for row in map(_row, texts) if row[0] != "-DOCSTART-"]
        yield Words(words=tuple(row[0] for row in rows), number=number)


def read_objects(path: Path, *, encoding: str) -> Iterator[Sentence]:
    """JSON Lines with "tokens" and "tags" (or "ner_tags"), two lists of strings of one length."""
    for record in read_records(path, encoding=encoding):
        words = record.values.get("tokens")
        keys = [key for key in TAG_KEYS if key in record.values]
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


def _sentences(lines: Iterable[Line], path: Path) -> Iterator[list[Line]]:
    """Groups of lines between blank lines."""
    kept: list[Line] = []
    size = 0
    for line in lines:
        # Other blanks, such as the ideographic space, may be tokens.
        if line.text.strip(" \t"):
            kept.append(line)
            size += len(line.text)
            if size > LINE_CHARACTERS:
                where = f"{path}:{kept[0].number}"
                refuse("begins a sentence without end", where, "part it by blank lines")
        elif kept:
            yield kept
            kept, size = [], 0
    if kept:
        yield kept


def _row(line: str) -> list[str]:
    return _cells(line, tabs="\t" in line)


def _is_remark(line: str, last: str) -> bool:
    """Whether a line is no word of its sentence, whose last line surely is one; "# O" is the word "#"."""
    if not line.startswith("#") or line == last:
        return False
    if "\t" in last:
        return "\t" not in line
    return "=" in line or len(line.split(" ")) != len(last.split(" "))


def _numbered_words(lines: Iterable[Line], path: Path) -> tuple[str, ...]:
    words: list[str] = []
    covered = 0
    for line in lines:
        if line.text.startswith(_ASIDE):
            continue
        name, *rest = _row(line.text)
        known = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9})|(\.[0-9]+))?", name)
        if not known or len(rest) < _FEWEST:
            where = f"{path}:{line.number}"
            refuse("is not a numbered word (number, tab, form, tab, ...)", where, "number the words from 1")
        if known[3] is None and int(known[1]) > covered:
            words.append(rest[0])
            covered = int(known[2] or covered)
    return tuple(words)


def _is_comment(line: str, layout: _Layout | None, tags: Container[str]) -> bool:
    """Whether a line that begins a sentence with "#" is no token.

    A comment has a blank in its first column or another number of columns than the tokens; so the word
    "#" keeps its place. Where blanks part columns a tag makes a token of "# ...", and before the first token
    of any "#...": one of the ``tags`` so far, O, or one with a prefix.
    """
    if not line.startswith("#"):
        return False
    cells = _cells(line, tabs="\t" in line)
    tagged = cells[-1] in tags or re.fullmatch(_TAG, cells[-1]) is not None
    if layout is None:
        return " " in cells[0] if "\t" in line else not (tagged and len(cells) == _FEWEST)
    if len(cells) != layout.width or layout.tabs != ("\t" in line):
        return True
    return " " in cells[0] if layout.tabs else line.startswith("# ") and not tagged


def _are_numbered(sentences: Sequence[Sequence[Line]]) -> bool:
    """Whether a first column counts the words of each sentence from 1, and two more or so say something."""
    longest = 0
    for lines in sentences:
        rows = [_row(line.text) for line in lines if not line.text.startswith(_ASIDE)]
        rows = [row for row in rows if re.fullmatch(_NO_WORD, row[0]) is None]
        if not all(len(row) > _FEWEST and row[0] == str(n) for n, row in enumerate(rows, 1)):
            return False
        longest = max(longest, len(rows))
    return longest > 1


def _learn(line: str, number: int, where: str, column: int | None, *, numbered: bool) -> _Layout:
    tabs = "\t" in line
    cells = _cells(line, tabs=tabs)
    usual = tabs and len(cells) in _USUAL_TAG and re.fullmatch(r"1(-\d+)?|0\.1", cells[0]) is not None
    counted = usual or numbered
    least = 3 if counted else 2
    if len(cells) < least:
        refuse("has one column", where, "a token, a tab and a tag are needed")
    if column is not None and not least <= column <= len(cells):
        refuse(
            f"there is no tag in column {column} of {len(cells)}",
            where,
            f"set task.tag_column from {least} to {len(cells)}",
        )
    tag = _USUAL_TAG[len(cells)] if usual else len(cells) - 1
    tag = tag if column is None else column - 1
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
        if re.fullmatch(_NO_WORD, cells[0]):
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

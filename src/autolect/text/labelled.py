"""Reads labelled data: texts with one label each, and sentences with one tag for each token.

Texts: TSV, CSV, JSON Lines. Tokens: the CoNLL family, CoNLL-U, JSON Lines. Each also .gz or .zst.
Nothing is guessed in silence: the columns that were chosen and the tag scheme that was found come back
with the examples, and what can be read in two ways is an error that says which recipe key settles it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from autolect.core.errors import UserError
from autolect.text import segment, tags
from autolect.text.columns import Row, choose
from autolect.text.readers import numbered_lines

_JSONL = (".jsonl", ".ndjson")
_TAG_KEYS = ("tags", "ner_tags")
_COLUMNS_CONLLU = 10
_COLUMNS_UNER = 5
_TAG_CONLLU = 3
_TAG_UNER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextExample:
    """A text and its label; where is "file:line"."""

    text: str
    label: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExample:
    """A sentence and one tag for each token; tokens are spans of text in code points.

    Entity tags are IOB2. where is "file:line" of the first token.
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    tags: tuple[str, ...]
    where: str

    def words(self) -> list[str]:
        """The tokens as strings."""
        return [self.text[start:end] for start, end in self.tokens]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTexts:
    """The examples of one file and the columns they stand in: names, or numbers from 1 without header."""

    examples: tuple[TextExample, ...]
    text_column: str
    label_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTokens:
    """The examples of one file; written is the scheme their tags had there ("plain": no entities)."""

    examples: tuple[TokenExample, ...]
    scheme: Literal["entities", "plain"]
    written: tags.Scheme


def read_texts(
    path: Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "utf-8",
) -> LabelledTexts:
    """Read texts with labels.

    A column is named as in the header, or by its number from 1 when there is no header; None lets it be
    found (see `columns.choose`). TSV knows no quotes, CSV only well-formed ones. Raises UserError with
    file and line for what is malformed or empty, and when the columns cannot be told.
    """
    if _suffix(path) in _JSONL:
        rows, keys = _records(path, encoding), True
    else:
        rows, keys = (_csv if _suffix(path) == ".csv" else _tsv)(path, encoding), False
    table = list(rows)
    chosen = choose(table, where=str(path), named=keys, text=text_column, label=label_column)
    examples = []
    for row in table[chosen.first :]:
        text, label = row.cells[chosen.text], row.cells[chosen.label].strip()
        for value, column in ((text, chosen.text_name), (label, chosen.label_name)):
            if not value or value.isspace():
                _refuse(f"column {column!r} is empty", row.where, "fill it in or remove the row")
        examples.append(TextExample(text=text, label=label, where=row.where))
    return LabelledTexts(
        examples=tuple(examples), text_column=chosen.text_name, label_column=chosen.label_name
    )


def read_tokens(path: Path, *, encoding: str = "utf-8", column: int | None = None) -> LabelledTokens:
    """Read tagged sentences and normalise entity tags to IOB2 (see `tags.normalise`).

    column: where the tag stands, counted from 1; None is the last column, or the usual one of a CoNLL-U
    (UPOS) or Universal NER file. Digits that count the characters of a word behind every character
    (as in Weibo NER) are taken off. Raises UserError with file and line.
    """
    if _suffix(path) in _JSONL:
        sentences = list(_token_records(path, encoding))
    else:
        sentences = list(_Columns(path, column).sentences(encoding))
    if not sentences:
        raise UserError("has no sentences", where=str(path), fix="check that this is the right file")
    normal = tags.normalise([tags.Sentence(tags=s.tags, places=s.places) for s in sentences])
    strip = _are_numbered(sentences)
    examples = []
    for sentence, normal_tags in zip(sentences, normal.tags, strict=True):
        words = [word[:-1] for word in sentence.words] if strip else sentence.words
        text, spans = segment.join(words)
        examples.append(
            TokenExample(text=text, tokens=tuple(spans), tags=normal_tags, where=sentence.places[0])
        )
    scheme: Literal["entities", "plain"] = "plain" if normal.scheme == "plain" else "entities"
    return LabelledTokens(examples=tuple(examples), scheme=scheme, written=normal.scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """Tokens and tags as they stand in a file, and the place of each."""

    words: list[str]
    tags: tuple[str, ...]
    places: tuple[str, ...]


class _Columns:
    """Sentences of a file of columns; the first token line of the file says how its lines are built."""

    def __init__(self, path: Path, column: int | None) -> None:
        self._path, self._column = path, column
        self._tabs = self._indexed = False
        self._width = self._tag = self._first_line = 0

    def sentences(self, encoding: str) -> Iterator[_Sentence]:
        kept: list[tuple[str, str, str]] = []
        for number, line in numbered_lines(self._path, encoding=encoding):
            if not line.strip(" \t"):
                if kept:
                    yield _sentence(kept)
                    kept = []
            elif not (line.startswith("-DOCSTART-") or (not kept and self._is_comment(line))):
                token = self._token(number, line)
                if token is not None:
                    kept.append(token)
        if kept:
            yield _sentence(kept)

    def _is_comment(self, line: str) -> bool:
        """Whether a line that begins a sentence with "#" is no token.

        A token "#" stands in as many columns as the others, and a comment says something after a blank.
        """
        if not line.startswith("#"):
            return False
        cells = self._cells(line, tabs="\t" in line)
        if " " in cells[0] or len(cells) == 1:
            return True
        return self._width > 0 and len(cells) != self._width

    def _token(self, number: int, line: str) -> tuple[str, str, str] | None:
        """Word, tag and place; None for a line of CoNLL-U that is no word of its own."""
        where = f"{self._path}:{number}"
        if not self._width:
            self._learn(number, line, where)
        cells = self._cells(line, tabs=self._tabs)
        if len(cells) != self._width:
            _refuse(
                f"has {len(cells)} columns where line {self._first_line} has {self._width}",
                where,
                "a blank line parts sentences, a tab or a blank parts columns",
            )
        if self._indexed and not cells[0].isdecimal():
            if re.fullmatch(r"\d+[-.]\d+", cells[0]):
                return None
            _refuse(f"{cells[0]!r} is not the number of a word", where, "number the words from 1")
        word, tag = cells[1 if self._indexed else 0], cells[self._tag]
        if not word or word.isspace():
            _refuse("the token is blank", where, "remove the line or name the token")
        if not tag or tag.isspace():
            _refuse("the tag is missing", where, "write O for a token outside of every entity")
        return word, tag, where

    def _learn(self, number: int, line: str, where: str) -> None:
        self._tabs = "\t" in line
        cells = self._cells(line, tabs=self._tabs)
        self._width, self._first_line = len(cells), number
        usual = {_COLUMNS_CONLLU: _TAG_CONLLU, _COLUMNS_UNER: _TAG_UNER}
        counted = re.fullmatch(r"1|1-\d+|0\.1", cells[0]) is not None
        self._indexed = self._tabs and counted and self._width in usual
        least = 2 + self._indexed
        if self._width < least:
            _refuse("has one column", where, "a token, a tab and a tag are needed")
        self._tag = usual[self._width] if self._indexed else self._width - 1
        if self._column is not None:
            self._tag = self._column - 1
        if not least - 1 <= self._tag < self._width:
            _refuse(
                f"there is no tag in column {self._column} of {self._width}",
                where,
                f"set task.tag_column from {least} to {self._width}",
            )

    @staticmethod
    def _cells(line: str, *, tabs: bool) -> list[str]:
        # Other blanks, such as the ideographic space, can be tokens.
        return [cell.strip(" ") for cell in line.split("\t")] if tabs else re.split(" +", line.strip(" "))


def _sentence(tokens: Sequence[tuple[str, str, str]]) -> _Sentence:
    words, tags_, places = zip(*tokens, strict=True)
    return _Sentence(words=list(words), tags=tags_, places=places)


def _are_numbered(sentences: Sequence[_Sentence]) -> bool:
    """Whether every token is a character and its digit, and most characters are Chinese or the like."""
    num_tokens = num_cjk = 0
    for sentence in sentences:
        for word in sentence.words:
            if len(word) < 2 or not ("0" <= word[-1] <= "9"):
                return False
            num_tokens += 1
            num_cjk += segment.is_cjk(word[-2])
    return num_cjk * 2 > num_tokens


def _token_records(path: Path, encoding: str) -> Iterator[_Sentence]:
    for where, record in _objects(path, encoding):
        words = record.get("tokens")
        keys = [key for key in _TAG_KEYS if key in record]
        if not isinstance(words, list) or len(keys) != 1:
            _refuse("needs 'tokens' and either 'tags' or 'ner_tags'", where, "rename the keys")
        found = record[keys[0]]
        if not isinstance(found, list) or len(found) != len(words) or not words:
            _refuse(f"'tokens' and {keys[0]!r} are not lists of one length", where, "give each token a tag")
        for name, values in (("token", words), ("tag", found)):
            for at, value in enumerate(values, start=1):
                if not isinstance(value, str) or not value or value.isspace():
                    fix = "write tags by name, not by number" if isinstance(value, int) else "name it"
                    _refuse(f"{name} {at} is {value!r}", where, fix)
        yield _Sentence(words=words, tags=tuple(found), places=(where,) * len(words))


def _objects(path: Path, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """JSON objects, one a line, each with its place; blank lines are skipped."""
    for number, line in numbered_lines(path, encoding=encoding):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            _refuse(f"is not valid JSON ({error})", where, "write one object on each line")
        if not isinstance(record, dict):
            _refuse(f"is a {type(record).__name__}, not a JSON object", where, "write {...} on each line")
        yield where, record


def _records(path: Path, encoding: str) -> Iterator[Row]:
    """JSON objects as rows; the keys of the first object are the header."""
    keys: tuple[str, ...] | None = None
    for where, record in _objects(path, encoding):
        if keys is None:
            keys = tuple(record)
            yield Row(cells=keys, where=where)
        yield Row(cells=tuple(_plain(record.get(key)) for key in keys), where=where)


def _plain(value: Any) -> str | None:
    """A string, a whole number or a truth value as text; so too when it stands alone in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _tsv(path: Path, encoding: str) -> Iterator[Row]:
    """Lines cut at every tab. Quotes mean nothing, for an open one would swallow the rows after it."""
    lines = ((f"{path}:{n}", line.split("\t")) for n, line in numbered_lines(path, encoding=encoding))
    return _even(((where, cells) for where, cells in lines if cells != [""]))


def _csv(path: Path, encoding: str) -> Iterator[Row]:
    return _even(_quoted(path, encoding))


def _quoted(path: Path, encoding: str) -> Iterator[tuple[str, list[str]]]:
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in numbered_lines(path, encoding=encoding):  # noqa: B007
            yield line + "\n"

    reader = csv.reader(lines(), strict=True)
    while True:
        first = number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            _refuse(f"is not a valid row ({error})", f"{path}:{first}", "look for an unclosed quote")
        if cells:
            yield f"{path}:{first}", cells


def _even(rows: Iterator[tuple[str, list[str]]]) -> Iterator[Row]:
    """The rows; UserError at the first one that has not as many cells as the first."""
    width, top = 0, ""
    for where, cells in rows:
        if not width:
            width, top = len(cells), where.rpartition(":")[2]
        if len(cells) != width:
            _refuse(
                f"has {len(cells)} columns where line {top} has {width}",
                where,
                "a tab or comma inside of a value is taken for the end of it",
            )
        yield Row(cells=tuple(cells), where=where)


def _suffix(path: Path) -> str:
    """The format's suffix, below that of the compression."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return Path(name).suffix


def _refuse(what: str, where: str, fix: str) -> NoReturn:
    raise UserError(what, where=where, fix=fix) from None

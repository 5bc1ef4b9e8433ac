"""Reads labelled data: texts with one label each, and sentences with one tag for each token.

Texts: TSV, CSV, JSON Lines. Tokens: the CoNLL family, CoNLL-U, JSON Lines. Each also .gz or .zst.
Nothing is guessed in silence: the columns that were chosen and the tag scheme that was found come back
with the examples, and what can be read in two ways is an error that says which recipe key settles it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.text import columns, conll, segment, tables, tags
from autolect.text.tables import refuse


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
    """The examples of one file, and what their tags are.

    written: the scheme that the tags had in the file.  stray: the "file:line" of each I- that continues
    no entity of its type and so starts nothing; worth telling the user.
    """

    examples: tuple[TokenExample, ...]
    scheme: Literal["entities", "plain"]
    written: tags.Scheme
    stray: tuple[str, ...]


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
    rows = list(tables.read_rows(path, encoding=encoding))
    named = tables.suffix(path) in tables.JSONL
    chosen = columns.choose(rows, where=str(path), named=named, text=text_column, label=label_column)
    examples = []
    for row in rows[chosen.num_headers :]:
        text = _filled(row, chosen.text, chosen.text_name)
        label = _filled(row, chosen.label, chosen.label_name).strip()
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
    if tables.suffix(path) in tables.JSONL:
        sentences = list(conll.read_objects(path, encoding=encoding))
    else:
        sentences = list(conll.read_columns(path, encoding=encoding, column=column))
    if not sentences:
        refuse("has no sentences", str(path), "check that this is the right file")
    normal = tags.normalise(sentences)
    words = conll.strip_counts(sentences)
    examples = []
    for sentence, words_here, tags_here in zip(sentences, words, normal.tags, strict=True):
        text, spans = segment.join(words_here)
        where = sentence.places[0]
        examples.append(TokenExample(text=text, tokens=tuple(spans), tags=tags_here, where=where))
    scheme: Literal["entities", "plain"] = "plain" if normal.scheme == "plain" else "entities"
    return LabelledTokens(examples=tuple(examples), scheme=scheme, written=normal.scheme, stray=normal.stray)


def _filled(row: tables.Row, at: int, name: str) -> str:
    value = row.cells[at]
    if value is None:
        refuse(f"{name!r} is missing, or neither text nor a whole number", row.where, "fill it in")
    if not value or value.isspace():
        refuse(f"{name!r} is empty", row.where, "fill it in or remove the row")
    return value

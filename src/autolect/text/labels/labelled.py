"""Reads labelled data: texts with labels, and sentences with one tag for each token.

Texts: TSV, CSV, JSON. Tokens: the CoNLL family, CoNLL-U, JSON. Either: what labelling tools write (`formats`)
and folders that `datasets` saved. Files also .gz or .zst.
Nothing is guessed in silence: the columns that were chosen, the tag scheme that was found and what had to be
mended come back with the examples, and what can be read in two ways is an error that says which recipe key
settles it.
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.core.errors import UserError
from autolect.text import conll, segment, tables
from autolect.text.labels import columns, formats, tags
from autolect.text.labels.annotation import Annotation, Mended, tagged
from autolect.text.labels.formats import brat, folders
from autolect.text.records import holds_records, read_records
from autolect.text.streams import refuse

_SEPARATORS, _OFTEN = ("|", ";", ",", "/"), 0.05
"""What often parts labels; in so many of them it may."""
LISTED = "\0"
"""The separator of tables whose cells have several labels only where they are lists."""
_SHOWN = 40


class SeveralLabelsError(UserError):
    """A cell is a list of labels, where each text should have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextExample:
    """A text and its labels: one, unless texts may have several or none; where is "file:line"."""

    text: str
    labels: tuple[str, ...]
    where: str
    slice: str = ""
    """What kind of text it is, to tell scores apart by."""

    @property
    def label(self) -> str:
        """The one label."""
        (label,) = self.labels
        return label


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExample:
    """A sentence and one tag for each token; tokens are spans of text in code points.

    Entity tags are IOB2. where is "file:line" of the first token.
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    tags: tuple[str, ...]
    where: str

    @property
    def labels(self) -> tuple[str, ...]:
        """What it is labelled with: its tags."""
        return self.tags

    def words(self) -> list[str]:
        """The tokens as strings."""
        return [self.text[start:end] for start, end in self.tokens]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTexts:
    """The examples of one file and the columns they stand in: names, or numbers from 1 without header."""

    examples: tuple[TextExample, ...]
    text_column: str
    label_column: str
    notes: tuple[str, ...]
    """What a person should know of how the file was read."""
    others: tuple[str, ...] = ()
    """Names of the further columns of a table, which are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTokens:
    """The examples of one file, and what their tags are.

    written: the scheme that the tags had in the file.  stray: the "file:line" of each I- that continues
    no entity of its type and so starts nothing.  mended: spans that could not be written as tags.
    """

    examples: tuple[TokenExample, ...]
    scheme: Literal["entities", "plain"]
    written: tags.Scheme
    stray: tuple[str, ...]
    mended: tuple[Mended, ...]
    unread: tuple[str, ...] = ()
    """What the file says and no one here reads."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the file was read."""
        found = []
        if self.written == "plain":
            found.append("tags are taken as they are, one a token; those of entities begin with B- and I-")
        elif self.written != "IOB2":
            found.append(f"tags in {self.written} were turned into IOB2")
        if self.stray:
            found.append(f"{len(self.stray)} I- tag(s) continue no entity, first {self.stray[0]}")
        counts = Counter(one.what for one in self.mended)
        for what, count in counts.items():
            first = next(one for one in self.mended if one.what == what)
            found.append(f"{count} span(s) {what}, first {first.label!r} at {first.where}")
        return (*found, *self.unread)


def read_texts(
    path: Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    slice_column: str | None = None,
    encoding: str = "utf-8",
    separator: str | None = None,
) -> LabelledTexts:
    """Read texts with labels.

    A column is named as in the header, or by its number from 1 when there is no header; None lets it be
    found (see `columns.choose`). Of quotes see `tables.cut_rows` and `tables.unquoted`. separator: what parts
    the labels of a text that may have several or none; None where each text has one. slice_column: of what
    kind each text is. UserError with file and line for what is malformed or empty, and where columns cannot
    be told.
    """
    several = separator is not None
    if text_column is label_column is None:
        annotated = formats.read(path, encoding=encoding, records=several)
        if annotated is not None:
            if slice_column is not None:
                fix = f"name {columns.TEXT_KEY} and {columns.LABEL_KEY} too, or leave it out"
                refuse(f"is read as a labelling tool's, without {columns.SLICE_KEY}", str(path), fix)
            return _of_annotations(annotated, path, separator=separator)
    if separator is not None and holds_records(path):
        return _of_lists(
            path, text_column, label_column, slice_column, encoding=encoding, separator=separator
        )
    rows, num_quoted = tables.unquoted(list(tables.read_rows(path, encoding=encoding)), path=path)
    named = holds_records(path)
    asked = {"text": text_column, "label": label_column, "aside": slice_column}
    chosen = columns.choose(rows, where=str(path), named=named, **asked)
    examples = []
    for row in rows[chosen.num_headers :]:
        text = _filled(row, chosen.text, chosen.text_name)
        if separator is None:
            labels: tuple[str, ...] = (
                _one(_filled(row, chosen.label, chosen.label_name).strip(), row.where),
            )
        else:
            labels = _parted((row.cells[chosen.label] or "").strip(), separator, row.where)
        kind = "" if chosen.aside is None else (row.cells[chosen.aside] or "").strip()
        examples.append(TextExample(text=text, labels=labels, where=row.where, slice=kind))
    notes = [f"text from column {chosen.text_name!r}, label from {chosen.label_name!r}"]
    notes += [f"not read: {', '.join(chosen.others)}"] if chosen.others else []
    notes += [f"the quotes of {num_quoted:,} cell(s) were taken off"] if num_quoted else []
    notes += _perhaps_parted(examples) if several else []
    return LabelledTexts(
        examples=tuple(examples),
        text_column=chosen.text_name,
        label_column=chosen.label_name,
        notes=tuple(notes),
        others=chosen.others,
    )


def read_tokens(
    path: Path, *, encoding: str = "utf-8", column: int | None = None, mend: bool = False
) -> LabelledTokens:
    """Read tagged sentences and normalise entity tags to IOB2 (see `tags.normalise`).

    column: where the tag stands, counted from 1; None is the last column, or the usual one of a CoNLL-U
    (UPOS) or Universal NER file. Digits that count the characters of a word behind every character
    (as in Weibo NER) are taken off. mend: see `annotation.tagged`. Raises UserError with file and line.
    """
    annotated = None if column is not None else formats.read(path, encoding=encoding)
    if annotated is not None:
        return _of_spans(annotated, path, mend=mend)
    if holds_records(path):
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
    return LabelledTokens(
        examples=tuple(examples), scheme=scheme, written=normal.scheme, stray=normal.stray, mended=()
    )


def _listed(cell: str, where: str) -> list[str] | None:
    """The labels of a cell that is a list, as JSON and Python write it; None where it is none."""
    found: object = None
    for read in (json.loads, ast.literal_eval) if cell.startswith("[") and cell.endswith("]") else ():
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = read(cell)
            break
    if not isinstance(found, list):
        return None
    if any(isinstance(one, dict) for one in found):
        refuse("holds objects in JSON, not a label", where, "export JSON in place of a table")
    names = [str(one).strip() for one in found if isinstance(one, str | int) and not isinstance(one, bool)]
    if len(names) != len(found) or not all(names):
        refuse(f"{cell[:_SHOWN]!r} holds what is no name of a label", where, "write a list of names")
    return names


def _one(cell: str, where: str) -> str:
    """The one label of a cell."""
    found = _listed(cell, where)
    if found is not None and len(found) != 1:
        fix = "set task.several = true"
        raise SeveralLabelsError(f"{cell[:_SHOWN]!r} is a list of labels", where=where, fix=fix)
    return found[0] if found else cell


def _parted(cell: str, separator: str, where: str) -> tuple[str, ...]:
    """Any number of labels of a cell."""
    found = _listed(cell, where)
    names = (name.strip() for name in (cell.split(separator) if found is None else found))
    return tuple(dict.fromkeys(name for name in names if name))


def _perhaps_parted(examples: Sequence[TextExample]) -> Iterator[str]:
    """Where no text has several labels: what may part them after all."""
    if any(len(one.labels) > 1 for one in examples):
        return
    for mark in _SEPARATORS:
        share = sum(any(mark in label for label in one.labels) for one in examples) / max(1, len(examples))
        if share > _OFTEN:
            yield f"no text has several labels; if {mark!r} parts them set task.separator = {mark!r}"


def _of_lists(
    path: Path,
    text_column: str | None,
    label_column: str | None,
    slice_column: str | None,
    *,
    encoding: str,
    separator: str,
) -> LabelledTexts:
    """Records whose labels stand in a list, or in one text with parts."""
    if text_column is None or label_column is None:
        refuse("one of two columns is named", str(path), "set task.text_column and task.label_column")
    examples = []
    others: dict[str, None] = {}
    for record in read_records(path, encoding=encoding):
        others |= dict.fromkeys(record.values)
        text, found = record.values.get(text_column), record.values.get(label_column)
        if not isinstance(text, str) or not text.strip():
            refuse(f"{text_column!r} is missing, empty or no text", record.where, "fill it in")
        if label_column not in record.values or not isinstance(found, list | str | None):
            refuse(f"{label_column!r} is missing, or no list of labels", record.where, "write a list")
        items = found.split(separator) if isinstance(found, str) else found or []
        if not all(isinstance(item, str | int) for item in items):
            refuse(f"{label_column!r} holds more than names", record.where, "write labels by name")
        names = (str(item).strip() for item in items)
        labels = tuple(dict.fromkeys(name for name in names if name))
        if slice_column is not None and slice_column not in record.values:
            refuse(f"{slice_column!r} is missing", record.where, f"fill it in, or mend {columns.SLICE_KEY}")
        kind = record.values.get(slice_column or "")
        kind = "" if kind is None else str(kind).strip()
        examples.append(TextExample(text=text, labels=labels, where=record.where, slice=kind))
    if not examples:
        refuse("has no records", str(path), "check that this is the right file")
    left = tuple(name for name in others if name not in (text_column, label_column, slice_column))
    return LabelledTexts(
        examples=tuple(examples),
        text_column=text_column,
        label_column=label_column,
        notes=(f"not read: {', '.join(left)}",) if left else (),
        others=left,
    )


def _of_annotations(annotated: Sequence[Annotation], path: Path, *, separator: str | None) -> LabelledTexts:
    """Texts of a labelling tool; one with spans, or without its one label, is a UserError."""
    examples = []
    answered = _answered(annotated, path)
    aside = sorted({what for one in answered for what in one.lost})
    if aside and not any(one.labels or one.marks for one in answered):
        what = f"holds no label that is read here, but {', '.join(aside)}"
        refuse(what, str(path), "labels are read of choices; for two texts say task.kind = pair")
    for one in answered:
        if one.marks:
            refuse("has labelled spans, not a label of all of it", one.where, 'set task.kind = "tag"')
        labels = one.labels
        if separator is not None and one.joined:
            labels = tuple(part for label in labels for part in _parted(label, separator, one.where))
        if separator is None and len(labels) != 1:
            what = f"has {len(one.labels)} labels ({', '.join(one.labels)})" if one.labels else "has no label"
            refuse(what, one.where, "give it one, or set task.several = true")
        examples.append(TextExample(text=one.text, labels=tuple(dict.fromkeys(labels)), where=one.where))
    parted = separator is not None and any(one.joined for one in answered)
    return LabelledTexts(
        examples=tuple(examples),
        text_column="text",
        label_column="label",
        notes=(*_unread(annotated), *passed_over(path), *(_perhaps_parted(examples) if parted else ())),
        others=tuple(dict.fromkeys(name for one in annotated for name in one.beside)),
    )


def _of_spans(annotated: Sequence[Annotation], path: Path, *, mend: bool) -> LabelledTokens:
    found = [(one, tagged(one, mend=mend)) for one in _answered(annotated, path)]
    examples = tuple(
        TokenExample(text=one.text, tokens=read.tokens, tags=read.tags, where=one.where)
        for one, read in found
    )
    mended = tuple(one for _, read in found for one in read.mended)
    return LabelledTokens(
        examples=examples,
        scheme="entities",
        written="IOB2",
        stray=(),
        mended=mended,
        unread=(*_unread(annotated), *_unasked(annotated), *passed_over(path)),
    )


def _answered(annotated: Sequence[Annotation], path: Path) -> list[Annotation]:
    """Those that someone has labelled; UserError where there is none."""
    found = [one for one in annotated if one.answered]
    if not found:
        what = f"nobody has labelled its {len(annotated)} text(s)" if annotated else "has no labelled texts"
        refuse(what, str(path), "label some, and export them again")
    return found


def _unread(annotated: Sequence[Annotation]) -> Iterator[str]:
    """What the files say and no one here reads."""
    for what, count in Counter(what for one in annotated for what in one.lost).items():
        yield f"{what} of {count} text(s) are left aside"
    beside = dict.fromkeys(name for one in annotated for name in one.beside)
    if beside:
        yield f"not read: {', '.join(beside)}"
    waiting = sum(not one.answered for one in annotated)
    if waiting:
        yield f"{waiting} text(s) that nobody has labelled are left out"


def _unasked(annotated: Sequence[Annotation]) -> Iterator[str]:
    """Labels of whole texts, which tags cannot say."""
    count = sum(bool(one.labels) for one in annotated)
    if count:
        yield f"labels of {count} whole text(s) are left aside"


def passed_over(path: Path) -> Iterator[str]:
    """How many files of a folder are not read."""
    if path.is_dir() and brat.is_mine(path, encoding="") and (count := brat.passed_over(path)):
        yield f"{count} text(s) without {brat.MARKS} beside them are passed over"
    if path.is_dir() and folders.is_mine(path, encoding="") and (count := folders.passed_over(path)):
        yield f"{count} file(s) in the folders that are no {folders.TEXTS} are passed over"


def _filled(row: tables.Row, at: int, name: str) -> str:
    value = row.cells[at]
    if value is None:
        what = f"{name!r} is missing, or a fraction, a list or an object"
        refuse(what, row.where, "give each example a text and the name or the whole number of its label")
    if not value or value.isspace():
        refuse(f"{name!r} is empty", row.where, "fill it in or remove the row")
    return value

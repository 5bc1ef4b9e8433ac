"""A file -> what it is labelled with, told by reading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.core.errors import UserError
from autolect.text import conll, records, streams, tables
from autolect.text.labels import columns, formats, labelled
from autolect.text.labels.annotation import Annotation, tagged
from autolect.text.labels.formats import brat, folders
from autolect.text.labels.pairs import TWINS, holds_pairs, holds_translations

Kind = Literal["classify", "tag", "pair", "translate"]

TAGGED = (".conll", ".conllu", ".iob", ".iob2", ".bio")
TABLES = (".csv", ".tsv", *records.JSONL, ".json")
LARGEST_LOOK = 64 << 20
"""Larger tables are taken for text without a look: labelled data is small, and looking reads it whole."""
LONGEST_NAME = 40
"""A first row with a longer cell is no header."""
_LONGEST_LABEL = 60
_ROWS_A_LABEL = 3
"""A column whose values stand less often than this on average holds no labels."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a labelled file is for, and how many examples it has."""

    path: Path
    kind: Kind
    columns: tuple[str, ...]
    """Of the texts; none where words are tagged."""
    num_examples: int
    several: bool = False
    """Whether a text may have several labels or none."""
    cut: bool = False
    """Whether spans cut words or share one, which tags cannot say."""
    asked: str = ""
    """The column of the texts where a run would ask for it: its name, or its number without a header."""


def look(path: Path, *, encoding: str = "utf-8") -> Look | None:
    """What a file is labelled with, or None for text, told by reading it."""
    suffix = streams.suffix(path)
    if suffix in TAGGED:
        return Look(path, "tag", (), len(labelled.read_tokens(path, encoding=encoding).examples))
    if path.is_file() and (suffix not in (*TABLES, brat.MARKS) or path.stat().st_size > LARGEST_LOOK):
        return None
    if records.holds_records(path) and _tagged_records(path, encoding):
        return Look(path, "tag", (), len(labelled.read_tokens(path, encoding=encoding).examples))
    try:
        tool = formats.find(path, encoding=encoding)
        if tool is not None and tool.NAME == folders.NAME:
            # Folders may as well be years: nobody but a person knows that they are labels.
            return None
        if tool is None and (found := _pairs(path, encoding)) is not None:
            return found
        read = list(tool.read(path, encoding=encoding)) if tool is not None else []
        if any(one.marks for one in read):
            return Look(path, "tag", _text_key(path, encoding), len(read), cut=any(map(_is_cut, read)))
        texts, asked = _texts(path, encoding)
    except UserError:
        return _several(path, encoding)
    labels = [example.label for example in texts.examples]
    few = len(set(labels)) * _ROWS_A_LABEL <= len(labels)
    if not few or max(map(len, labels)) > _LONGEST_LABEL or len(set(labels)) < 2:
        return None
    return Look(path, "classify", (texts.text_column,), len(labels), asked=asked)


def _texts(path: Path, encoding: str) -> tuple[labelled.LabelledTexts, str]:
    """Labelled texts, and what a run would ask for; a short first row that may be a header is one."""
    try:
        return labelled.read_texts(path, encoding=encoding), ""
    except columns.PerhapsHeaderError as error:
        named = len(error.name) <= LONGEST_NAME and not error.name.isdecimal()
        asked = error.name if named else error.column
        return labelled.read_texts(path, encoding=encoding, text_column=asked), asked


def _text_key(path: Path, encoding: str) -> tuple[str, ...]:
    """The key of the texts of records that can be read as text, too."""
    if streams.suffix(path) not in records.JSONL:
        return ()
    first = next(iter(records.read_records(path, encoding=encoding)))
    return ("text",) if isinstance(first.values.get("text"), str) else ()


def _is_cut(annotation: Annotation) -> bool:
    """Whether any span that somebody stands for cuts a word or shares it with another."""
    if not annotation.answered:
        return False
    try:
        tagged(annotation, mend=False)
    except UserError:
        return True
    return False


def _several(path: Path, encoding: str) -> Look | None:
    """Texts of which some have several labels."""
    try:
        texts = labelled.read_texts(path, encoding=encoding, separator=",")
    except UserError:
        return None
    sets = [example.labels for example in texts.examples]
    few = len({label for one in sets for label in one}) * _ROWS_A_LABEL <= len(sets)
    alone = {labels[0] for labels in sets if len(labels) == 1}
    if not few or not any(len(labels) > 1 and alone.issuperset(labels) for labels in sets):
        return None
    return Look(path, "classify", (texts.text_column,), len(sets), several=True)


def _pairs(path: Path, encoding: str) -> Look | None:
    """A table of pairs or translations, by its header; None for any other."""
    rows, _ = tables.unquoted(list(tables.read_rows(path, encoding=encoding)), path=path)
    header = [(cell or "").strip() for cell in rows[0].cells] if rows else []
    if holds_translations(header):
        return Look(path, "translate", tuple(header), len(rows) - 1)
    if not holds_pairs(header):
        return None
    lower = [name.casefold() for name in header]
    twins = next(names for names in TWINS if set(names) <= set(lower))
    return Look(path, "pair", tuple(header[lower.index(name)] for name in twins), len(rows) - 1)


def _tagged_records(path: Path, encoding: str) -> bool:
    record = next(iter(records.read_records(path, encoding=encoding)), None)
    if record is None or "text" in record.values or not isinstance(record.values.get("tokens"), list):
        return False
    return any(key in record.values for key in conll.TAG_KEYS)

"""Annotated texts and pairs to the formats that need no labelling tool: tables, JSON Lines, CoNLL."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autolect.text.labels.annotation import Annotation, tagged
from autolect.text.streams import refuse

HEADER = ("text", "label")
_LARGEST = 1e15
"""Larger numbers stay text: not every reader keeps all of their digits."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table that is to be written: names of its columns, and rows with the places that they are from."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    places: Sequence[str]
    num_texts: int = 2
    """So many columns are text whatever stands in them; in further ones there may be numbers."""


def tsv(table: Rows) -> str:
    """Cells parted by tabs; UserError where one has a tab or a line break."""
    lines = []
    for row, where in zip((table.header, *table.rows), (*table.places[:1], *table.places), strict=True):
        if any(character in cell for cell in row for character in "\t\n\r\0"):
            refuse("has a tab or a line break, which TSV cannot hold", where, "write .csv or .jsonl")
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"


def comma_separated(table: Rows) -> str:
    """Cells parted by commas, quoted where that is needed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return stream.getvalue()


def json_lines(table: Rows) -> str:
    """One object a row; a column of numbers that would all be written as they are holds numbers."""
    columns: list[Sequence[object]] = list(zip(*table.rows, strict=True))
    for at in range(table.num_texts, len(columns)):
        numbers = [_number(str(cell)) for cell in columns[at]]
        columns[at] = columns[at] if None in numbers else numbers
    records = (dict(zip(table.header, row, strict=True)) for row in zip(*columns, strict=True))
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


TABLES: dict[str, Callable[[Rows], str]] = {"tsv": tsv, "csv": comma_separated, "jsonl": json_lines}
"""By the suffix of the file."""


def dump_tsv(annotations: Sequence[Annotation]) -> str:
    """Text and label, or a list of labels where a text has several or none, as `tsv` writes them."""
    return tsv(_table(annotations))


def dump_csv(annotations: Sequence[Annotation]) -> str:
    """The same, as `comma_separated` writes them."""
    return comma_separated(_table(annotations))


def dump_jsonl(annotations: Sequence[Annotation]) -> str:
    """Text and label, or tokens and tags, one object a line."""
    labelled = any(one.labels for one in annotations) or not any(
        one.marks or one.tokens for one in annotations
    )
    several = any(len(one.labels) != 1 for one in annotations)
    rows = (_labelled(one, several=several) if labelled else _tagged(one) for one in annotations)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def dump_conll(annotations: Sequence[Annotation]) -> str:
    """Token and tag, parted by a tab, a blank line between sentences."""
    sentences = []
    for one in annotations:
        if one.labels:
            refuse("has a label of the whole text, which CoNLL cannot hold", one.where, "write .jsonl")
        words, tags = _words(one)
        if any(character in cell for cell in (*words, *tags) for character in "\t\n\r\0"):
            refuse("has a tab or a line break in a word, which CoNLL cannot hold", one.where, "write .jsonl")
        sentences.append("".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True)))
    return "\n".join(sentences)


DUMPS: dict[str, Callable[[Sequence[Annotation]], str]] = {
    "tsv": dump_tsv,
    "csv": dump_csv,
    "jsonl": dump_jsonl,
    "conll": dump_conll,
}
"""By the suffix of the file."""


def _table(annotations: Sequence[Annotation]) -> Rows:
    for one in annotations:
        if one.marks:
            fix = "write .conll, .jsonl or doccano"
            refuse("has labelled spans, which a table cannot hold", one.where, fix)
    several = any(len(one.labels) != 1 for one in annotations)
    cells = (json.dumps(one.labels, ensure_ascii=False) if several else one.labels[0] for one in annotations)
    rows = list(zip((one.text for one in annotations), cells, strict=True))
    return Rows(HEADER, rows, [one.where for one in annotations])


def _number(cell: str) -> float | None:
    """The number that is written as the cell is, if there is one."""
    for read in (int, float):
        with contextlib.suppress(ValueError):
            value = read(cell)
            if str(value) == cell and abs(value) < _LARGEST:
                return value
    return None


def _labelled(one: Annotation, *, several: bool) -> dict[str, object]:
    if one.marks:
        refuse("has spans, and others have labels, which one file cannot hold", one.where, "write doccano")
    return {"text": one.text, "label": list(one.labels) if several else one.labels[0]}


def _tagged(one: Annotation) -> dict[str, object]:
    words, tags = _words(one)
    return {"tokens": words, "tags": tags}


HOLD = "write doccano, label-studio or brat, which hold any spans, or add --set task.kind=tag task.mend=true"
"""What can be done with spans that tags cannot say."""


def _words(one: Annotation) -> tuple[list[str], list[str]]:
    if one.tags is not None and one.tokens is not None:
        return [one.text[start:end] for start, end in one.tokens], list(one.tags)
    found = tagged(one, mend=False, otherwise=HOLD)
    return [one.text[start:end] for start, end in found.tokens], list(found.tags)

"""Annotated texts to the formats that need no labelling tool: tables, JSON Lines, CoNLL."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

from autolect.text.labels.annotation import Annotation, tagged
from autolect.text.streams import refuse

HEADER = ("text", "label")


def dump_tsv(annotations: Sequence[Annotation]) -> str:
    """Text and label, parted by tabs; UserError where a text has tabs or line breaks."""
    lines = ["\t".join(HEADER)]
    for one in annotations:
        row = (one.text, _label(one))
        if any(character in cell for cell in row for character in "\t\n\r\0"):
            refuse("has a tab or a line break, which TSV cannot hold", one.where, "write .csv or .jsonl")
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"


def dump_csv(annotations: Sequence[Annotation]) -> str:
    """Text and label, quoted where that is needed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((one.text, _label(one)) for one in annotations)
    return stream.getvalue()


def dump_jsonl(annotations: Sequence[Annotation]) -> str:
    """Text and label, or tokens and tags, one object a line."""
    labelled = any(one.labels for one in annotations)
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


def _label(one: Annotation) -> str:
    if one.marks:
        refuse("has labelled spans, which a table cannot hold", one.where, "write .conll, .jsonl or doccano")
    if len(one.labels) != 1:
        refuse(f"has {len(one.labels)} labels, and a table holds one", one.where, "write .jsonl")
    return one.labels[0]


def _labelled(one: Annotation, *, several: bool) -> dict[str, object]:
    if one.marks:
        refuse("has spans, and others have labels, which one file cannot hold", one.where, "write doccano")
    return {"text": one.text, "label": list(one.labels) if several else one.labels[0]}


def _tagged(one: Annotation) -> dict[str, object]:
    words, tags = _words(one)
    return {"tokens": words, "tags": tags}


def _words(one: Annotation) -> tuple[list[str], list[str]]:
    if one.tags is not None and one.tokens is not None:
        return [one.text[start:end] for start, end in one.tokens], list(one.tags)
    found = tagged(one, mend=False, otherwise="write doccano, label-studio or brat, which hold any spans")
    return [one.text[start:end] for start, end in found.tokens], list(found.tags)

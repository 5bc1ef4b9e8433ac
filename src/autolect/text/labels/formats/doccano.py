"""doccano: JSON Lines with a text and its labels or spans; also its twins of other tools.

in   {"text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 11, "PER"]]}
     {"text": "a fine film", "label": ["positive"]}
     {"text": "Ann met Bob", "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autolect.text.labels.annotation import Annotation, Mark, spans_in
from autolect.text.records import Record, holds_records, read_records
from autolect.text.streams import refuse

NAME, SUFFIX = "doccano", ".jsonl"
TEXT_KEYS = ("text", "data")
LABEL_KEYS = ("label", "labels", "entities", "spans", "cats")
RELATIONS = "relations"


def is_mine(path: Path, *, encoding: str) -> bool:
    """Whether the first record has a text and a list of labels, but not of one alone: that is a table's."""
    first = next(read_records(path, encoding=encoding), None) if holds_records(path) else None
    if first is None or _text_key(first) is None:
        return False
    found = [first.values[key] for key in LABEL_KEYS if isinstance(first.values.get(key), list)]
    return bool(found) and not (len(found) == 1 and len(found[0]) == 1 and isinstance(found[0][0], str))


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a record; UserError with the place of the first that cannot be understood."""
    for record in read_records(path, encoding=encoding):
        key = _text_key(record)
        if key is None:
            refuse("has no 'text'", record.where, "each record needs a text and its labels")
        found = [item for name in LABEL_KEYS for item in _items(record, name)]
        yield Annotation(
            text=record.values[key],
            where=record.where,
            labels=tuple(item for item in found if isinstance(item, str)),
            marks=tuple(item for item in found if isinstance(item, Mark)),
            tokens=_tokens(record),
            lost=(RELATIONS,) if record.values.get(RELATIONS) else (),
        )


def dump(annotations: Iterable[Annotation]) -> dict[str, str]:
    """One record a text. "tokens" says where the words are, for those who read it back."""
    lines = []
    for one in annotations:
        values: dict[str, Any] = {"text": one.text, "label": [*one.labels, *map(list, one.marks)]}
        if one.tokens is not None:
            values["tokens"] = one.tokens
        lines.append(json.dumps(values, ensure_ascii=False) + "\n")
    return {"": "".join(lines)}


def _text_key(record: Record) -> str | None:
    return next((key for key in TEXT_KEYS if isinstance(record.values.get(key), str)), None)


def _items(record: Record, name: str) -> Iterator[str | Mark]:
    """The labels and marks under one key."""
    found = record.values.get(name)
    if found is None:
        return
    for item in found if isinstance(found, list) else [found]:
        match item:
            case str():
                yield item
            case int() if not isinstance(item, bool):
                yield str(item)
            case [int() as start, int() as end, str() as label]:
                yield Mark(start, end, label)
            case {"start_offset": int() as start, "end_offset": int() as end, "label": str() as label}:
                yield Mark(start, end, label)
            case {"start": int() as start, "end": int() as end, "label": str() as label}:
                yield Mark(start, end, label)
            case {"start": int() as start, "end": int() as end, "labels": [str() as label]}:
                yield Mark(start, end, label)
            case _:
                shown = json.dumps(item, ensure_ascii=False, default=str)[:60]
                fix = 'write "name", [start, end, "name"] or {"start": …, "end": …, "label": "name"}'
                refuse(f"{name!r} holds {shown}, which is no label", record.where, fix)


def _tokens(record: Record) -> tuple[tuple[int, int], ...] | None:
    match record.values.get("tokens"):
        case [*pairs]:
            return spans_in(pairs)
        case _:
            return None

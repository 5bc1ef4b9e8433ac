"""doccano: JSON Lines with a text and its labels or spans; also its twins of other tools.

in   {"text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 11, "PER"]]}
     {"text": "a fine film", "label": ["positive"]}
     {"text": "Ann met Bob", "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]}

One whose "answer" is "reject" or "ignore" (Prodigy) counts as one that nobody has labelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autolect.text.labels.annotation import Annotation, Said, placed, spans_in
from autolect.text.records import Record, holds_records, read_records
from autolect.text.streams import refuse

NAME, SUFFIX = "doccano", ".jsonl"
TEXT_KEYS = ("text", "data")
LABEL_KEYS = ("label", "labels", "entities", "spans", "cats")
RELATIONS = "relations"
ANSWER, REFUSED = "answer", ("reject", "ignore")
TOKENS = "tokens"
READ = (*LABEL_KEYS, RELATIONS, ANSWER, TOKENS)
"""Keys that are read, beside that of the text."""


def is_mine(path: Path, *, encoding: str) -> bool:
    """Whether the first record has a text and a list of labels, but not of one alone: that is a table's; or
    a text and an answer that says whether its labels hold.
    """
    first = next(read_records(path, encoding=encoding), None) if holds_records(path) else None
    if first is None or _text_key(first) is None:
        return False
    if first.values.get(ANSWER) in ("accept", *REFUSED) and any(key in first.values for key in LABEL_KEYS):
        return True
    found = [first.values[key] for key in LABEL_KEYS if isinstance(first.values.get(key), list)]
    return bool(found) and not (len(found) == 1 and len(found[0]) == 1 and isinstance(found[0][0], str))


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a record; UserError with the place of the first that cannot be understood."""
    for record in read_records(path, encoding=encoding):
        key = _text_key(record)
        if key is None:
            refuse("has no 'text'", record.where, "each record needs a text and its labels")
        found = [item for name in LABEL_KEYS for item in _items(record, name)]
        text = record.values[key]
        spans = [item for item in found if isinstance(item, Said)]
        yield Annotation(
            text=text,
            where=record.where,
            labels=tuple(item for item in found if isinstance(item, str)),
            marks=placed(spans, text, record.where, units=False),
            tokens=_tokens(record, text),
            answered=record.values.get(ANSWER) not in REFUSED and not _waiting(record),
            joined=any(isinstance(record.values.get(name), str) for name in LABEL_KEYS),
            lost=(RELATIONS,) if record.values.get(RELATIONS) else (),
            beside=tuple(name for name in record.values if name not in (key, *READ)),
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


def _waiting(record: Record) -> bool:
    """Whether null stands where its labels would."""
    said = [record.values[name] for name in LABEL_KEYS if name in record.values]
    return bool(said) and all(one is None for one in said)


def _items(record: Record, name: str) -> Iterator[str | Said]:
    """The labels and spans under one key."""
    found = record.values.get(name)
    if found is None or (isinstance(found, str) and not found.strip()):
        return
    for item in found if isinstance(found, list) else [found]:
        match item:
            case str():
                yield item
            case bool():
                yield str(item).lower()
            case int():
                yield str(item)
            case [int() as start, int() as end, str() as label]:
                yield Said(start, end, label, None)
            case {"start_offset": int() as start, "end_offset": int() as end, "label": str() as label}:
                yield Said(start, end, label, _said(item))
            case {"start": int() as start, "end": int() as end, "label": str() as label}:
                yield Said(start, end, label, _said(item))
            case {"start": int() as start, "end": int() as end, "labels": [*labels]} if _names(labels):
                yield from (Said(start, end, label, _said(item)) for label in labels)
            case _:
                shown = json.dumps(item, ensure_ascii=False, default=str)[:60]
                fix = 'write "name", [start, end, "name"] or {"start": …, "end": …, "label": "name"}'
                refuse(f"{name!r} holds {shown}, which is no label", record.where, fix)


def _names(labels: list[Any]) -> bool:
    return bool(labels) and all(isinstance(label, str) for label in labels)


def _said(item: dict[str, Any]) -> str | None:
    text = item.get("text")
    return text if isinstance(text, str) else None


def _tokens(record: Record, text: str) -> tuple[tuple[int, int], ...] | None:
    given = record.values.get(TOKENS)
    found = spans_in(given) if isinstance(given, list) else None
    return (
        None
        if found is None
        else tuple(one for one in found if text[slice(*one)].strip() or one[1] > len(text))
    )

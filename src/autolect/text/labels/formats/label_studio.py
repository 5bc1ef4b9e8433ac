"""Label Studio: a JSON array of tasks with annotations.

in   [{"data": {"text": "Ann met Bob"}, "annotations": [{"result": [{"type": "labels",
       "value": {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}}]}]}]
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core.errors import UserError
from autolect.text.labels import columns
from autolect.text.labels.annotation import Annotation, Mark, Said, placed, spans_in, units_of
from autolect.text.records import Record, holds_records, read_records
from autolect.text.streams import refuse, suffix

NAME, SUFFIX = "label-studio", ".json"
SPANS, CHOICES = ("labels", "hypertextlabels"), ("choices", "taxonomy")
VALUES = {"rating": "rating", "number": "number", "pairwise": "selected", "textarea": "text"}
"""Further kinds of answers, and under which key each holds what was answered."""
UNREAD = "answers of other annotators"
LABEL = "label"
"""Name of the answer beside what was shown, in `answers`."""

TEXT = "text"
_NUMBER = re.compile("(.*_)?id", re.IGNORECASE)
"""Names of what numbers a task."""
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|/data/)\S+", re.IGNORECASE)


def is_mine(path: Path, *, encoding: str) -> bool:
    """Whether the first record is a task: it has "data" and "annotations" (or "completions")."""
    if not holds_records(path) or suffix(path) != ".json":
        return False
    first = next(read_records(path, encoding=encoding), None)
    return first is not None and isinstance(first.values.get("data"), dict)


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a task that someone has answered; of several answers the first."""
    for record, given in _tasks(path, encoding):
        found = _Answer.of(record, given)
        data = _data(record)
        name = _text_key(record, data, found.spans)
        tokens = data.get("tokens")
        yield Annotation(
            text=data[name],
            where=record.where,
            labels=tuple(found.choices),
            marks=placed(found.spans, data[name], record.where, units=True),
            answered=bool(given),
            tokens=spans_in(tokens) if isinstance(tokens, list) else None,
            lost=tuple(dict.fromkeys([*found.values, *found.lost])),
            beside=tuple(key for key in data if key not in (name, "tokens")),
        )


def answers(path: Path, *, encoding: str) -> tuple[list[Record], int]:
    """What was shown in each task and what was answered, under "label": a choice, a rating, a number, a side
    or a text. And how many tasks nobody has answered.
    """
    tasks = [(record, _Answer.of(record, given)) for record, given in _tasks(path, encoding) if given]
    found = []
    for record, one in tasks:
        said = [*one.choices, *(one.values[kind] for kind in VALUES if kind in one.values)]
        values = _data(record) | {LABEL: said[0] if said else None}
        found.append(Record(values=values, where=record.where))
    return found, sum(1 for _ in _tasks(path, encoding)) - len(tasks)


def dump(annotations: Iterable[Annotation]) -> dict[str, str]:
    """A file to import: tasks with one annotation each, or, where nobody has answered, one prediction."""
    tasks = []
    for one in annotations:
        data = {"text": one.text} | ({"tokens": one.tokens} if one.tokens is not None else {})
        answer = {"result": [*map(_choice, one.labels), *(_span(mark, one.text) for mark in one.marks)]}
        said = {"annotations": [answer]} if one.answered else {"annotations": [], "predictions": [answer]}
        tasks.append({"data": data, **said})
    return {"": json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one answer says: labels of all of the text, spans, further values by their kind, and the rest."""

    choices: list[str]
    spans: list[Said]
    values: dict[str, Any]
    lost: list[str]

    @staticmethod
    def of(record: Record, given: list[dict[str, Any]]) -> _Answer:
        """The first of the answers to a task."""
        found = _Answer([], [], {}, [UNREAD] if len(given) > 1 else [])
        results = given[0].get("result") if given else None
        for result in results if isinstance(results, list) else []:
            if not isinstance(result, dict):
                refuse("holds a result that is no object", record.where, "export the project again")
            kind, held = str(result.get("type", "")).lower(), result.get("value")
            found._take(kind, held if isinstance(held, dict) else {}, record)
        return found

    def _take(self, kind: str, value: dict[str, Any], record: Record) -> None:
        names = value.get(kind)
        if kind in SPANS and isinstance(names, list):
            self.spans.extend(_said(value, str(name), record) for name in names)
        elif kind in CHOICES and isinstance(names, list):
            for one in names:
                if not one or not isinstance(one, str | list):
                    refuse(f"holds the choice {one!r}, which is no name", record.where, "export it again")
                self.choices.append("/".join(map(str, one)) if isinstance(one, list) else one)
        elif kind in VALUES and VALUES[kind] in value:
            held = value[VALUES[kind]]
            self.values.setdefault(kind, held[0] if isinstance(held, list) and held else held)
        else:
            self.lost.append(kind or "unnamed results")


def _tasks(path: Path, encoding: str) -> Iterator[tuple[Record, list[dict[str, Any]]]]:
    """Each task, and the answers to it that were not cancelled."""
    for record in read_records(path, encoding=encoding):
        given = record.values.get("annotations", record.values.get("completions"))
        if not isinstance(given, list):
            refuse("has no 'annotations'", record.where, "export the project as JSON")
        yield record, [one for one in given if isinstance(one, dict) and not one.get("was_cancelled")]


def _data(record: Record) -> dict[str, Any]:
    given = record.values.get("data")
    return given if isinstance(given, dict) else {}


def _text_key(record: Record, data: dict[str, Any], spans: list[Said]) -> str:
    """Which of the values that were shown is the text; UserError where that cannot be told."""
    given = [key for key, one in data.items() if isinstance(one, str)]
    if TEXT in given:
        return TEXT
    usual = columns.usual(given, columns.TEXT_NAMES[:1])
    texts = [key for key in given if not _ADDRESS.fullmatch(data[key].strip()) and not _NUMBER.fullmatch(key)]
    if not usual and not texts:
        refuse("has no text in 'data'", record.where, "label text; autolect reads no images or sound")
    told = ([key for key in texts if _holds(data[key], spans)], usual, texts)
    found = next((some[0] for some in told if len(some) == 1), None)
    if found is None:
        what = f"has several texts in 'data' ({', '.join(texts)}), and none of them is called text"
        refuse(what, record.where, "rename the one that was labelled; for two texts say task.kind = pair")
    return found


def _holds(text: str, spans: list[Said]) -> bool:
    """Whether the spans with a text are those of this one."""
    known = [one for one in spans if one.text is not None]
    try:
        return bool(placed(known, text, "", units=True))
    except UserError:
        return False


def _said(value: dict[str, Any], label: str, record: Record) -> Said:
    start, end, text = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int):
        refuse(f"a span of {label!r} has no start and end", record.where, "export it again")
    return Said(start, end, label, text if isinstance(text, str) else None)


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": "class", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


def _span(mark: Mark, text: str) -> dict[str, Any]:
    start, end, label = mark
    value = {"start": units_of(text[:start]), "end": units_of(text[:end]), "text": text[start:end]}
    return {
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {**value, "labels": [label]},
    }

"""Label Studio: a JSON array of tasks with annotations.

in   [{"data": {"text": "Ann met Bob"}, "annotations": [{"result": [{"type": "labels",
       "value": {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}}]}]}]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from autolect.text.labels.annotation import Annotation, Mark, spans_in
from autolect.text.records import Record, holds_records, read_records
from autolect.text.streams import refuse, suffix

NAME, SUFFIX = "label-studio", ".json"
SPANS, CHOICES = ("labels", "hypertextlabels"), ("choices", "taxonomy")
UNREAD = "answers of other annotators"


def is_mine(path: Path, *, encoding: str) -> bool:
    """Whether the first record is a task: it has "data" and "annotations" (or "completions")."""
    if not holds_records(path) or suffix(path) != ".json":
        return False
    first = next(read_records(path, encoding=encoding), None)
    return first is not None and isinstance(first.values.get("data"), dict)


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a task that someone has answered; of several answers the first."""
    for record in read_records(path, encoding=encoding):
        given = record.values.get("annotations", record.values.get("completions"))
        if not isinstance(given, list):
            refuse("has no 'annotations'", record.where, "export the project as JSON")
        answers = [one for one in given if isinstance(one, dict) and not one.get("was_cancelled")]
        yield _task(record, answers)


def dump(annotations: Iterable[Annotation]) -> dict[str, str]:
    """A file to import: tasks with one annotation each."""
    tasks = [
        {
            "data": {"text": one.text} | ({"tokens": one.tokens} if one.tokens is not None else {}),
            "annotations": [
                {"result": [*map(_choice, one.labels), *(_span(m, one.text) for m in one.marks)]}
            ],
        }
        for one in annotations
    ]
    return {"": json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"}


def _task(record: Record, answers: list[dict[str, Any]]) -> Annotation:
    given = record.values.get("data")
    data = given if isinstance(given, dict) else {}
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    text = texts.get("text") or next(iter(texts.values()), None) if texts else None
    if text is None:
        refuse("has no text in 'data'", record.where, "label text; autolect reads no images or sound")
    labels: list[str] = []
    spans: list[dict[str, Any]] = []
    lost = [UNREAD] if len(answers) > 1 else []
    results = answers[0].get("result") if answers else None
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, dict):
            refuse("holds a result that is no object", record.where, "export the project again")
        kind, held = str(result.get("type", "")).lower(), result.get("value")
        value = held if isinstance(held, dict) else {}
        names = value.get(kind)
        if not isinstance(names, list):
            lost.append(kind or "unnamed results")
        elif kind in SPANS:
            spans += [{**value, "label": str(name)} for name in names]
        elif kind in CHOICES:
            labels += ["/".join(map(str, one)) if isinstance(one, list) else str(one) for one in names]
        else:
            lost.append(kind)
    tokens = data.get("tokens")
    return Annotation(
        text=text,
        where=record.where,
        labels=tuple(labels),
        marks=_marks(spans, text, record),
        answered=bool(answers),
        tokens=spans_in(tokens) if isinstance(tokens, list) else None,
        lost=tuple(dict.fromkeys(lost)),
    )


def _marks(spans: list[dict[str, Any]], text: str, record: Record) -> tuple[Mark, ...]:
    """Spans whose offsets count UTF-16 units, as a browser does, or characters: as their texts say."""
    for span in spans:
        if not isinstance(span.get("start"), int) or not isinstance(span.get("end"), int):
            refuse(f"a span of {span['label']!r} has no start and end", record.where, "export it again")
    places = {}
    if _units(text) > len(text):
        widths = (1 + (character > "\uffff") for character in text)
        places = {unit: at for at, unit in enumerate(accumulate(widths, initial=0))}
    counted = [Mark(places.get(one["start"], -1), places.get(one["end"], -1), one["label"]) for one in spans]
    plain = [Mark(one["start"], one["end"], one["label"]) for one in spans]
    for marks in (counted, plain) if places else (plain,):
        wrong = [
            (mark, one["text"])
            for mark, one in zip(marks, spans, strict=True)
            if mark.start < 0 or text[mark.start : mark.end] != one.get("text", text[mark.start : mark.end])
        ]
        if not wrong:
            break
    else:
        (start, end, _), shown = wrong[0]
        what = f"the span {start} to {end} is {text[start:end]!r} in the text, {shown!r} in the answer"
        refuse(what, record.where, "the text was changed after it was labelled; correct one of them")
    return tuple(marks)


def _units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": "class", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


def _span(mark: Mark, text: str) -> dict[str, Any]:
    start, end, label = mark
    value = {"start": _units(text[:start]), "end": _units(text[:end]), "text": text[start:end]}
    return {
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {**value, "labels": [label]},
    }

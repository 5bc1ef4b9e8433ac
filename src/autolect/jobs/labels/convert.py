"""A labelled file -> the same examples in another format."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from autolect.core import files, registry
from autolect.core.errors import UserError
from autolect.jobs.labels.look import Look, look
from autolect.text import records
from autolect.text.labels import formats, labelled, pairs
from autolect.text.labels.annotation import Annotation, marks_of, tagged
from autolect.text.labels.writing import DUMPS, TABLES, Rows

PAIRS = ("pair", "translate", "embed", "generate")
"""Kinds of tasks whose examples are two texts."""
HEADER, UNANSWERED = ("sentence1", "sentence2", "label"), ("source", "target")
"""Of pairs whose file has no names for its columns, or not one for each: with an answer and without."""


@dataclass(frozen=True, slots=True)
class Converted:
    """How many examples were written in which format; beside: names of what else stood beside the texts."""

    examples: int
    format: str
    beside: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a person should know of how the file was read."""


def convert(
    source: Path,
    target: Path,
    *,
    form: str | None,
    lossy: bool,
    encoding: str = "utf-8",
    task: Any = None,
) -> Converted:
    """Write the examples of a file in another format: texts with their labels or spans, or pairs of texts.

    form: a labelling tool, or None for what the target's suffix says.  task: settings of the task that says
    how the file is read; None finds that out.  What the format cannot hold is a UserError before anything is
    written; unless ``lossy``, so is what would not come back the same.
    """
    if target.exists():
        raise UserError("is there already", where=str(target), fix="name another file, or remove it")
    seen = look(source, encoding=encoding) if task is None else None
    kind = task.kind if task is not None else seen.kind if seen is not None else ""
    if kind in PAIRS:
        found = _convert_pairs(_pairs(source, kind, encoding, task), target, form)
        return replace(found, beside=(*found.beside, *_sliced(task)))
    read = _annotations(source, encoding, seen) if task is None else _as_task(source, task)
    annotations = [one for one in read.annotations if one.answered]
    if (lost := read.lost) and not lossy:
        shown = ", ".join(f"{what} of {count} text(s)" for what, count in lost.items())
        raise UserError(f"{shown} would be lost", where=str(source), fix="add --lossy to leave them out")
    written = _dumped(annotations, target, form)
    if not lossy:
        _compare(annotations, written, target, form)
    if "" in written:
        files.save_file(target, written[""])
    else:
        with files.saving(target, kind="labels") as beside:
            for name, content in written.items():
                files.save_file(beside / name, content)
    others = tuple(dict.fromkeys(name for one in annotations for name in one.beside))
    return Converted(len(annotations), form or target.suffix.removeprefix("."), others, read.notes)


@dataclass(frozen=True, slots=True)
class _Read:
    """The examples of a file, what to tell of them, and in how many what is lost on the way."""

    annotations: list[Annotation]
    notes: tuple[str, ...]
    lost: Counter[str]


def _convert_pairs(read: pairs.ReadPairs, target: Path, form: str | None) -> Converted:
    """Write pairs as a table under the names that their columns have."""
    suffix = target.suffix.removeprefix(".")
    if form is not None or suffix not in TABLES:
        fix = f"end its name in {', '.join(f'.{one}' for one in TABLES)}, without --to"
        raise UserError("is no format that holds pairs of texts", where=form or str(target), fix=fix)
    rows = [(one.first, one.second, *one.labels) for one in read.examples]
    header = read.columns
    if len(set(header)) < len(rows[0]) or not all(header) or any(name.isdecimal() for name in header):
        header = HEADER if len(rows[0]) > 2 else UNANSWERED
    content = TABLES[suffix](Rows(header, rows, [one.where for one in read.examples]))
    with tempfile.TemporaryDirectory(prefix="autolect-labels-") as scratch:
        place = Path(scratch) / target.name
        place.write_text(content, encoding="utf-8", newline="")
        first, second, *gold = header
        asked = gold[0] if gold else None
        try:
            again = pairs.read_pairs(place, first=first, second=second, gold=asked, answered=bool(gold))
        except UserError as error:
            _refuse_unread(error, str(target))
    differing = [
        one.where
        for one, row, other in itertools.zip_longest(read.examples, rows, again.examples)
        if one is None or other is None or row != (other.first, other.second, *other.labels)
    ]
    _refuse_differing(differing, str(target), fix="write .jsonl, which holds any text")
    files.save_file(target, content)
    return Converted(len(rows), suffix, read.others, read.notes)


def _pairs(path: Path, kind: str, encoding: str, task: Any) -> pairs.ReadPairs:
    """The pairs of a file, their answers as they are written there."""
    if task is None:
        return pairs.read_pairs(path, answered=kind == "pair", encoding=encoding)
    if kind == "pair":
        columns = {"first": task.first_column, "second": task.second_column, "gold": task.label_column}
        return pairs.read_pairs(path, **columns, slices=task.slice_column, encoding=task.encoding)
    read: pairs.ReadPairs = registry.load("tasks", kind).build.read(path, task)
    return read


def _as_task(path: Path, task: Any) -> _Read:
    """The examples of a file as a run with these settings would read them."""
    read = registry.load("tasks", task.kind).build.read(path, task)
    lost = _lost(formats.read(path, encoding=task.encoding) or [], tags=task.kind == "tag")
    if isinstance(read, labelled.LabelledTokens):
        lost["a span"] = sum(one.what == "left out" for one in read.mended)
        return _Read(_of_tokens(read), read.notes, +lost)
    return _Read(_of_texts(read, (*read.others, *_sliced(task))), read.notes, lost)


def _sliced(task: Any) -> tuple[str, ...]:
    """The column that scores are told apart by, which no format here holds."""
    column = getattr(task, "slice_column", None)
    return (column,) if column else ()


def _lost(annotations: Sequence[Annotation], *, tags: bool = False) -> Counter[str]:
    """What is not carried of how many texts; tags: labels of whole texts are not, either."""
    lost = Counter(what for one in annotations for what in one.lost)
    lost["the place"] = sum(not one.answered for one in annotations)
    lost["a label of the whole"] = sum(bool(one.labels) for one in annotations) if tags else 0
    return +lost


def _annotations(path: Path, encoding: str, seen: Look | None) -> _Read:
    """The examples of any labelled file, of which a look is known."""
    found = formats.read(path, encoding=encoding)
    if found is None and records.holds_records(path) and (seen is None or seen.columns == ("text",)):
        found = formats.read(path, encoding=encoding, records=True)
    if found is not None:
        return _Read(found, tuple(labelled.passed_over(path)), _lost(found))
    if seen is not None and seen.kind == "tag":
        tokens = labelled.read_tokens(path, encoding=encoding)
        return _Read(_of_tokens(tokens), tokens.notes, Counter())
    try:
        texts = labelled.read_texts(path, encoding=encoding)
    except labelled.SeveralLabelsError:
        texts = labelled.read_texts(path, encoding=encoding, separator=labelled.LISTED)
    return _Read(_of_texts(texts, texts.others), texts.notes, Counter())


def _of_tokens(read: labelled.LabelledTokens) -> list[Annotation]:
    return [
        Annotation(
            text=one.text,
            where=one.where,
            marks=marks_of(one.tags, one.tokens),
            tokens=one.tokens,
            tags=one.tags,
        )
        for one in read.examples
    ]


def _of_texts(read: labelled.LabelledTexts, beside: tuple[str, ...]) -> list[Annotation]:
    return [
        Annotation(text=one.text, where=one.where, labels=one.labels, beside=beside) for one in read.examples
    ]


def _dumped(annotations: Sequence[Annotation], target: Path, form: str | None) -> dict[str, str]:
    if form is not None:
        return formats.to_write(target, form).dump(annotations)
    suffix = target.suffix.removeprefix(".")
    if suffix not in DUMPS:
        endings = ", ".join(f".{one}" for one in DUMPS)
        fix = f"end its name in {endings}, or add --to {' | '.join(formats.known())}"
        raise UserError("its name does not say the format", where=str(target), fix=fix)
    return {"": DUMPS[suffix](annotations)}


def _compare(
    annotations: Sequence[Annotation], written: dict[str, str], target: Path, form: str | None
) -> None:
    """UserError where what was written would not be read as it was."""
    with tempfile.TemporaryDirectory(prefix="autolect-labels-") as scratch:
        place = Path(scratch) / target.name
        if "" in written:
            place.write_text(written[""], encoding="utf-8", newline="")
        else:
            place.mkdir()
            for name, content in written.items():
                (place / name).parent.mkdir(exist_ok=True)
                (place / name).write_text(content, encoding="utf-8", newline="")
        try:
            again = _annotations(place, "utf-8", look(place)).annotations
        except UserError as error:
            _refuse_unread(error, str(target))
    spans = any(one.marks or one.tokens for one in annotations)
    differing = [
        one.where
        for one, other in itertools.zip_longest(annotations, again)
        if one is None or other is None or not _same(one, other, spans=spans)
    ]
    fix = (
        "choose .conll or .jsonl, which hold words and tags as they are, or add --lossy: words may be cut"
        " otherwise, plain tags come back as spans, and an I- that continues nothing is lost"
        if spans
        else "choose a format that holds them, such as .jsonl, or add --lossy"
    )
    _refuse_differing(differing, form or str(target), fix=fix)


def _refuse_unread(error: UserError, where: str) -> NoReturn:
    what = f"would not be read back, for an example {error.what}"
    raise UserError(what, where=where, fix="choose a format that holds it") from None


def _refuse_differing(places: Sequence[str], where: str, *, fix: str) -> None:
    if places:
        what = f"{len(places)} example(s) would not be read back as they are, first {places[0]}"
        raise UserError(what, where=where, fix=fix)


def _same(one: Annotation, other: Annotation, *, spans: bool) -> bool:
    """Whether an example was read back as it is; spans are compared as they are where both keep them so."""
    if one.tokens is None and other.tokens is None:
        parts = [(each.text, set(each.marks), set(each.labels)) for each in (one, other)]
        return parts[0] == parts[1]
    return _essence(one, spans=spans) == _essence(other, spans=spans)


def _essence(one: Annotation, *, spans: bool) -> tuple[Any, ...]:
    """What must survive: labels, and words with their tags where any text has spans, else the text."""
    if not spans:
        return (one.text, set(one.labels))
    tokens, tags = one.tokens, one.tags
    if tokens is None or tags is None:
        found = tagged(one, mend=False, otherwise="choose a format that holds any spans")
        tokens, tags = found.tokens, found.tags
    return ([one.text[start:end] for start, end in tokens], list(tags), set(one.labels))

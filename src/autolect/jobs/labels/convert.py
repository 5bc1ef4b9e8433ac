"""A labelled file -> the same examples in another format."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core import files
from autolect.core.errors import UserError
from autolect.jobs.labels.look import look
from autolect.text import records
from autolect.text.labels import formats, labelled
from autolect.text.labels.annotation import Annotation, marks_of, tagged
from autolect.text.labels.writing import DUMPS


@dataclass(frozen=True, slots=True)
class Converted:
    """How many examples were written in which format; beside: names of what else stood beside the texts."""

    examples: int
    format: str
    beside: tuple[str, ...]


def convert(
    source: Path, target: Path, *, form: str | None, lossy: bool, encoding: str = "utf-8"
) -> Converted:
    """Write the examples of a file in another format: texts with their labels or spans, and nothing else.

    form: a labelling tool, or None for what the target's suffix says. What the format cannot hold is a
    UserError before anything is written; unless ``lossy``, so is what would not come back the same.
    """
    if target.exists():
        raise UserError("is there already", where=str(target), fix="name another file, or remove it")
    annotations = _annotations(source, encoding)
    lost = Counter(what for one in annotations for what in one.lost)
    lost["the place"] = sum(not one.answered for one in annotations)
    lost = +lost
    annotations = [one for one in annotations if one.answered]
    if lost and not lossy:
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
    return Converted(len(annotations), form or target.suffix.removeprefix("."), others)


def _annotations(path: Path, encoding: str) -> list[Annotation]:
    """The examples of any labelled file."""
    found = formats.read(path, encoding=encoding)
    seen = look(path, encoding=encoding) if found is None else None
    if found is None and records.holds_records(path) and (seen is None or seen.column == "text"):
        found = formats.read(path, encoding=encoding, records=True)
    if found is not None:
        return found
    if seen is not None and seen.kind == "tag":
        tokens = labelled.read_tokens(path, encoding=encoding)
        return [
            Annotation(
                text=one.text,
                where=one.where,
                marks=marks_of(one.tags, one.tokens),
                tokens=one.tokens,
                tags=one.tags,
            )
            for one in tokens.examples
        ]
    if seen is not None and seen.kind in ("pair", "translate"):
        raise UserError("holds pairs of texts", where=str(path), fix="convert writes single texts and labels")
    texts = labelled.read_texts(path, encoding=encoding)
    return [
        Annotation(text=one.text, where=one.where, labels=one.labels, beside=texts.others)
        for one in texts.examples
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
                (place / name).write_text(content, encoding="utf-8", newline="")
        try:
            again = _annotations(place, "utf-8")
        except UserError as error:
            what = f"would not be read back, for an example {error.what}"
            raise UserError(what, where=str(target), fix="choose a format that holds it") from None
    spans = any(one.marks or one.tokens for one in annotations)
    differing = [
        one.where
        for one, other in itertools.zip_longest(annotations, again)
        if one is None or other is None or not _same(one, other, spans=spans)
    ]
    if differing:
        raise UserError(
            f"{len(differing)} example(s) would not be read back as they are, first {differing[0]}",
            where=form or str(target),
            fix="choose a format that holds them, or add --lossy: words may then be cut otherwise",
        )


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

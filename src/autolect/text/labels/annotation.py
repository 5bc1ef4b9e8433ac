"""A text with what a person marked in it, as labelling tools keep it: labels of the whole, labelled spans.

Tags need tokens. Spans that do not begin and end with words, or that overlap, cannot be written as tags:
they are refused, or mended if that is allowed, and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn

from autolect.core import metrics
from autolect.text import segment
from autolect.text.streams import refuse


class Mark(NamedTuple):
    """A labelled span of a text: text[start:end] in code points."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A text, the labels of all of it, and its labelled spans. where: "file:line" or the like."""

    text: str
    where: str
    labels: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    tokens: tuple[segment.Span, ...] | None = None
    """Where its words are, if the file says so."""
    tags: tuple[str, ...] | None = None
    """One for each token, if that is how the file marks spans; entity tags are IOB2."""
    answered: bool = True
    """Whether anyone has labelled it."""
    joined: bool = False
    """Whether its labels stand in one string, which may have several parts."""
    lost: tuple[str, ...] = ()
    """What the file says beyond that and no one here reads, such as relations."""
    beside: tuple[str, ...] = ()
    """Names of values that stand beside the text and say nothing of its labels, such as its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A mark that could not be written as tags, and what became of it."""

    what: Literal["widened", "left out"]
    label: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A text's words, one IOB2 tag each, and the marks that had to be mended for it."""

    tokens: tuple[segment.Span, ...]
    tags: tuple[str, ...]
    mended: tuple[Mended, ...]


def checked(annotation: Annotation) -> Annotation:
    """The annotation, if all of its marks lie in its text; UserError with its place otherwise."""
    text, where = annotation.text, annotation.where
    if not text.strip():
        refuse("has an empty text", where, "fill it in or remove it")
    for start, end, label in annotation.marks:
        if not 0 <= start < end <= len(text):
            what = f"the span {start} to {end} ({label!r}) is not in its text of {len(text)} characters"
            refuse(what, where, "correct the offsets; they count characters from 0, the end excluded")
        if not text[start:end].strip():
            refuse(f"the span {start} to {end} ({label!r}) marks only blanks", where, "remove it")
    last = 0
    for start, end in annotation.tokens or ():
        if not last <= start < end <= len(text):
            what = f"the word {start} to {end} is not in its text of {len(text)} characters, or out of order"
            refuse(what, where, "remove 'tokens'; words are then found anew")
        last = end
    for label in (*annotation.labels, *(mark.label for mark in annotation.marks)):
        if not label.strip():
            refuse("has an empty label", where, "name it or remove it")
    return annotation


class Said(NamedTuple):
    """A labelled span as a file says it; text: what the file says stands there."""

    start: int
    end: int
    label: str
    text: str | None


def placed(spans: Sequence[Said], text: str, where: str, *, units: bool) -> tuple[Mark, ...]:
    """Spans whose offsets count characters, or UTF-16 units as a browser does: as the texts beside them say.

    Where they say nothing, ``units`` says which are meant. UserError where neither fits.
    """
    plain = [Mark(*one[:3]) for one in spans]
    ways = [plain]
    if units_of(text) > len(text) and (units or any(one.text is not None for one in spans)):
        widths = (1 + (character > "\uffff") for character in text)
        at = {unit: place for place, unit in enumerate(itertools.accumulate(widths, initial=0))}
        counted = [Mark(at.get(one.start, -1), at.get(one.end, -1), one.label) for one in spans]
        ways = [counted, plain] if units else [plain, counted]
    for marks in ways:
        if all(_fits(mark, one, text) for mark, one in zip(marks, spans, strict=True)):
            break
    else:
        wrong = next(one for one, mark in zip(spans, plain, strict=True) if not _fits(mark, one, text))
        _refuse(wrong, text, where)
    return tuple(marks)


def _refuse(wrong: Said, text: str, where: str) -> NoReturn:
    what = f"the span {wrong.start} to {wrong.end}"
    if not 0 <= wrong.start < wrong.end <= len(text):
        what = f"{what} ({wrong.label!r}) is not in its text of {len(text)} characters"
        refuse(what, where, "correct the offsets; they count from 0, the end excluded")
    what = f"{what} is {text[wrong.start : wrong.end]!r} in the text, {wrong.text!r} in the answer"
    refuse(what, where, "the text was changed after it was labelled; correct one of them")


def units_of(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def _fits(mark: Mark, said: Said, text: str) -> bool:
    """Whether a span lies in its text and holds what is said of it, however blanks were written."""
    if not 0 <= mark.start < mark.end <= len(text):
        return False
    return said.text is None or text[mark.start : mark.end].split() == said.text.split()


def spans_in(values: Sequence[object]) -> tuple[segment.Span, ...] | None:
    """Pairs of whole numbers as spans of words; None where they are anything else."""
    found = []
    for one in values:
        match one:
            case [int() as start, int() as end] | {"start": int() as start, "end": int() as end}:
                found.append((start, end))
            case _:
                return None
    return tuple(found) or None


MEND = "set task.mend = true: spans grow to whole words, and the longest of several stays"
"""What a run can do with spans that tags cannot say."""


def tagged(annotation: Annotation, *, mend: bool, otherwise: str = MEND) -> Tagged:
    """Words and IOB2 tags. Blanks at the ends of a mark count for nothing.

    mend: a mark that cuts a word takes all of it, and of marks that share a word the longest stays.
    Otherwise either is a UserError, which says what can be done ``otherwise``.
    """
    text = annotation.text
    tokens = annotation.tokens if annotation.tokens is not None else tuple(segment.units(text))
    tags = ["O"] * len(tokens)
    mended: list[Mended] = []
    for mark in sorted(set(annotation.marks), key=lambda one: (one.start - one.end, one)):
        start, end, label = _trimmed(mark, text)
        inside = [at for at, (begin, stop) in enumerate(tokens) if begin < end and stop > start]
        what = f"{text[start:end]!r} ({label}, {mark.start} to {mark.end})"
        if not inside:
            refuse(f"{what} holds no word", annotation.where, "remove it")
        first, last = inside[0], inside[-1]
        if (tokens[first][0], tokens[last][1]) != (start, end):
            if not mend:
                whole = text[tokens[first][0] : tokens[last][1]]
                refuse(
                    f"{what} cuts a word: {whole!r}", annotation.where, f"mark whole words, or {otherwise}"
                )
            mended.append(Mended(what="widened", label=label, where=annotation.where))
        if any(tags[at] != "O" for at in inside):
            if not mend:
                refuse(
                    f"{what} overlaps a longer span", annotation.where, f"mark a word once, or {otherwise}"
                )
            mended.append(Mended(what="left out", label=label, where=annotation.where))
            continue
        tags[first : last + 1] = [f"B-{label}", *[f"I-{label}"] * (last - first)]
    return Tagged(tokens=tokens, tags=tuple(tags), mended=tuple(mended))


def marks_of(tags: Sequence[str], tokens: Sequence[segment.Span]) -> tuple[Mark, ...]:
    """The spans that IOB2 tags mark in a text; of plain tags, each token but O is a span."""
    if any(tag.startswith(("B-", "I-")) for tag in tags):
        found = sorted(metrics.entities(tags))
    else:
        found = [(at, at + 1, tag) for at, tag in enumerate(tags) if tag != "O"]
    return tuple(Mark(tokens[first][0], tokens[end - 1][1], label) for first, end, label in found)


def _trimmed(mark: Mark, text: str) -> Mark:
    part = text[mark.start : mark.end]
    start = mark.start + len(part) - len(part.lstrip())
    return Mark(start, start + len(part.strip()), mark.label)

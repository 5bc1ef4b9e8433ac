"""labelled files -> what is in them, or the same examples in another format."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from autolect.core import files, registry
from autolect.core.errors import UserError
from autolect.jobs.tuning.finetune import texts_without_labels
from autolect.text import conll, records, streams, tables
from autolect.text.labels import columns, formats, labelled, lengths
from autolect.text.labels.annotation import Annotation, marks_of, tagged
from autolect.text.labels.formats import brat
from autolect.text.labels.pairs import TWINS, PairExample, holds_pairs, number_of
from autolect.text.labels.split import Overlap, Parts, conflicts, drawn, normalise, overlap
from autolect.text.labels.writing import DUMPS

Kind = Literal["classify", "tag", "pair"]

TAGGED = (".conll", ".conllu", ".iob", ".iob2", ".bio")
TABLES = (".csv", ".tsv", *records.JSONL, ".json")
SHOWN = 5
"""Places that are named of each kind of trouble."""
TOLD = 0.05
"""If lengths alone guess so many more of the labels than the most frequent one, a model would learn them."""
SURE = 3
"""... and by more than so many standard errors."""
RARE = 10
"""A label with fewer examples is worth a word."""

LARGEST_LOOK = 64 << 20
"""Larger tables are taken for text without a look: labelled data is small, and looking reads it whole."""
_LONGEST_LABEL = 60
_ROWS_A_LABEL = 3
"""A column whose values stand less often than this on average holds no labels."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a labelled file is for, the column of its texts, and how many examples it has."""

    path: Path
    kind: Kind
    column: str
    num_examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one split holds."""

    file: str
    examples: int
    characters: tuple[int, int, int]
    """Of the shortest, the median and the longest text."""
    repeated: int
    """Examples whose text stood before, case, width and punctuation aside."""
    labels: dict[str, int]
    """How many examples have each label; of tags, how many entities or tokens."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that `check` has to say."""

    kind: Kind
    parts: dict[str, Part]
    refusals: tuple[str, ...]
    """Why a run would not begin."""
    troubles: tuple[str, ...]
    """What makes its score worth less."""
    plan: tuple[str, ...]
    """What a run would do with these files."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def look(path: Path, *, encoding: str = "utf-8") -> Look | None:
    """What a file is labelled with, or None for text, told by reading it."""
    suffix = streams.suffix(path)
    if suffix in TAGGED:
        return Look(path, "tag", "", len(labelled.read_tokens(path, encoding=encoding).examples))
    if path.is_file() and (suffix not in (*TABLES, brat.MARKS) or path.stat().st_size > LARGEST_LOOK):
        return None
    if records.holds_records(path) and _tagged_records(path, encoding):
        return Look(path, "tag", "", len(labelled.read_tokens(path, encoding=encoding).examples))
    try:
        tool = formats.find(path, encoding=encoding)
        if tool is None and (found := _pairs(path, encoding)) is not None:
            return found
        read = list(tool.read(path, encoding=encoding)) if tool is not None else []
        if any(one.marks for one in read):
            return Look(path, "tag", "", len(read))
        texts = _texts(path, encoding)
    except UserError:
        return None
    labels = [example.label for example in texts.examples]
    few = len(set(labels)) * _ROWS_A_LABEL <= len(labels)
    if not few or max(map(len, labels)) > _LONGEST_LABEL or len(set(labels)) < 2:
        return None
    return Look(path, "classify", texts.text_column, len(labels))


def check(config: Any, *, seed: int = 0) -> Findings:
    """Read the files of a task, split them as a run with this seed does, and say what is in and between them.

    UserError with file and line for what cannot be read at all.
    """
    mended = {"mend": True} if hasattr(config, "mend") else {}
    plugin = registry.load("tasks", config.kind).build
    named = {name: getattr(config, name) for name in ("train", "valid", "test")}
    read = {
        name: plugin.read(Path(path), config.model_copy(update=mended))
        for name, path in named.items()
        if path
    }
    parts = {name: _part(named[name], found) for name, found in read.items()}
    given = {name: found.examples for name, found in read.items()}
    refusals, splits = [], Parts(train=given["train"], valid=(), test=())
    try:
        shares = {"valid": config.valid_share, "test": config.test_share, "share": config.share}
        splits = drawn(given, **shares, seed=seed)
        plugin.find_labels(splits.train)
        texts_without_labels(config, splits)
    except UserError as error:
        refusals.append(f"{error.what}; {error.fix}" if error.fix else error.what)
    shared = [_shared(one) for one in overlap(splits) if one.num_shared]
    spoilt = list(_spoilt(read)) if mended and not config.mend else []
    refusals += [f"{one}: refused unless task.mend = true" for one in spoilt]
    if not config.allow_overlap:
        refusals += [f"{one}: refused unless task.allow_overlap = true" for one in shared]
    return Findings(
        kind=config.kind,
        parts=parts,
        refusals=tuple(refusals),
        troubles=(*(shared if config.allow_overlap else ()), *_troubles(parts, given)),
        plan=tuple(_plan(parts, splits, config)),
    )


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


def _texts(path: Path, encoding: str) -> labelled.LabelledTexts:
    """Labelled texts; a run asks whether the first row is a header, here it is none."""
    try:
        return labelled.read_texts(path, encoding=encoding)
    except columns.PerhapsHeaderError as error:
        return labelled.read_texts(path, encoding=encoding, text_column=error.column)


def _pairs(path: Path, encoding: str) -> Look | None:
    """A table of pairs, by its header; None for any other."""
    rows, _ = tables.unquoted(list(tables.read_rows(path, encoding=encoding)), path=path)
    header = [(cell or "").strip() for cell in rows[0].cells] if rows else []
    if not holds_pairs(header):
        return None
    first = next(name for name in header if name.casefold() in {one for one, _ in TWINS})
    return Look(path, "pair", first, len(rows) - 1)


def _tagged_records(path: Path, encoding: str) -> bool:
    record = next(iter(records.read_records(path, encoding=encoding)), None)
    if record is None or "text" in record.values or not isinstance(record.values.get("tokens"), list):
        return False
    return any(key in record.values for key in conll.TAG_KEYS)


def _part(path: str, read: Any) -> Part:
    lengths = sorted(len(example.text) for example in read.examples)
    texts = [normalise(example.text) for example in read.examples]
    labels: Counter[str] = Counter()
    for example in read.examples:
        tokens = getattr(example, "tokens", None)
        if tokens is None:
            labels.update(example.labels)
        else:
            labels.update(mark.label for mark in marks_of(example.labels, tokens))
    return Part(
        file=path,
        examples=len(lengths),
        characters=(lengths[0], int(np.median(lengths)), lengths[-1]),
        repeated=len(texts) - len(set(texts)),
        labels=dict(labels.most_common()),
        notes=read.notes,
    )


def _shared(one: Overlap) -> str:
    pairs = "; ".join(f"{pair.other} and {pair.one}" for pair in one.pairs[:SHOWN])
    kinds = f"{one.num_exact} exact, {one.num_normalised} normalised, {one.num_near} near"
    return f"{one.num_shared} text(s) of {one.later} stand in {one.earlier} too ({kinds}; {pairs})"


def _spoilt(read: dict[str, Any]) -> Iterator[str]:
    """Spans that tags cannot say."""
    for name, found in read.items():
        if found.mended:
            first = found.mended[0]
            what = "span(s) cut a word or share one with another"
            yield f"{name}: {len(found.mended)} {what}, first {first.label!r} at {first.where}"


def _troubles(parts: dict[str, Part], given: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, part in parts.items():
        if part.repeated:
            found.append(f"{name}: {part.repeated} text(s) stand there more than once")
        clashes = conflicts(given[name])
        if clashes:
            shown = "; ".join(
                f"{' and '.join(clash.where[:2])} ({' or '.join(sorted(set(clash.labels))[:2])})"
                for clash in clashes[:SHOWN]
            )
            found.append(f"{name}: {len(clashes)} text(s) carry different labels: {shown}")
    known = parts["train"].labels
    for name in ("valid", "test"):
        unseen = sorted(set(parts[name].labels) - set(known)) if name in parts else []
        if unseen:
            found.append(f"{name}: label(s) that train lacks: {', '.join(unseen)}")
    found += _told_by_length(given["train"])
    found += _alike(known)
    rare = [f"{label} {count}" for label, count in known.items() if count < RARE]
    if rare:
        found.append(f"train: label(s) with fewer than {RARE} examples: {', '.join(rare)}")
    if len(known) > 1 and max(known.values()) >= 10 * min(known.values()):
        most, least = next(iter(known)), list(known)[-1]
        found.append(f"train: {most!r} stands {known[most] / known[least]:.0f} times as often as {least!r}")
    return found


def _alike(labels: Iterable[str]) -> Iterator[str]:
    """Labels that differ in case, width, blanks or punctuation alone."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        if number_of(label) is None:
            groups[normalise(label)].append(label)
    for names in groups.values():
        if len(names) > 1:
            yield f"train: labels that look alike: {', '.join(map(repr, sorted(names)))}"


def _told_by_length(examples: Sequence[Any]) -> Iterator[str]:
    """Of pairs with labels: whether a model could answer by how long their texts are."""
    if not isinstance(examples[0], PairExample) or not examples[0].labels:
        return
    labels, places = np.unique([one.labels[0] for one in examples], return_inverse=True)
    sizes = np.array([len(one.first) + len(one.second) for one in examples])
    share, plain = lengths.told(sizes, places, len(labels)), np.bincount(places).max() / len(places)
    if share - plain > max(TOLD, SURE * (plain * (1 - plain) / len(places)) ** 0.5):
        yield (
            f"train: how long its texts are tells the label of {share:.0%} of the pairs, the most frequent "
            f"label is that of {plain:.0%}; where that is an accident set task.even_lengths = true"
        )


def _plan(parts: dict[str, Part], splits: Parts[Any], config: Any) -> list[str]:
    if not splits.test:
        return []
    found = [
        f"{name}: {len(getattr(splits, name)):,} examples are drawn from train, labels in proportion"
        for name in ("valid", "test")
        if name not in parts
    ]
    if config.refit:
        found.append("after all choices the model learns once more from train and valid together")
    return found


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
    if seen is not None and seen.kind == "pair":
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
    import tempfile

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

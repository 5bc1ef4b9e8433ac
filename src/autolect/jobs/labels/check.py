"""The labelled files of a task -> what is in and between them, and what a run would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autolect.core import registry
from autolect.core.errors import UserError
from autolect.jobs.tuning.finetune import texts_without_labels
from autolect.text.labels import lengths
from autolect.text.labels.annotation import marks_of
from autolect.text.labels.columns import short
from autolect.text.labels.labelled import TextExample
from autolect.text.labels.pairs import PairExample
from autolect.text.labels.split import Overlap, Parts, alike, conflicts, drawn, normalise, overlap

SHOWN = 5
"""Places that are named of each kind of trouble."""
TOLD = 0.05
"""If lengths alone guess so many more of the labels than the most frequent one, a model would learn them."""
SURE = 3
"""... and by more than so many standard errors."""
MOST_NAMED = 20
"""Rare labels that are named."""
RARE = 10
"""A label with fewer examples is worth a word."""


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

    kind: str
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
                f"{' and '.join(clash.where[:2])} ({' or '.join(map(short, sorted(set(clash.labels))[:2]))})"
                for clash in clashes[:SHOWN]
            )
            found.append(f"{name}: {len(clashes)} text(s) carry different labels: {shown}")
    known = parts["train"].labels
    for name in ("valid", "test"):
        unseen = sorted(set(parts[name].labels) - set(known)) if name in parts else []
        if unseen:
            found.append(f"{name}: label(s) that train lacks: {', '.join(unseen)}")
    found += _told_by_length(given["train"])
    found += [f"train: {names}" for names in alike(known)]
    rare = [f"{short(label)} {count}" for label, count in known.items() if count < RARE]
    if rare:
        more = f" and {len(rare) - MOST_NAMED:,} more" if len(rare) > MOST_NAMED else ""
        found.append(f"train: label(s) with fewer than {RARE} examples: {', '.join(rare[:MOST_NAMED])}{more}")
    if len(known) > max(RARE, parts["train"].examples / 2) and isinstance(given["train"][0], TextExample):
        found.append(
            'train: most texts have a label of their own; of two texts say task.kind = "translate" or "pair"'
        )
    if len(known) > 1 and max(known.values()) >= 10 * min(known.values()):
        most, least = next(iter(known)), list(known)[-1]
        found.append(f"train: {most!r} stands {known[most] / known[least]:.0f} times as often as {least!r}")
    return found


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

"""Splits labelled examples once, and finds what should not be: texts in two splits, two labels for a text.

Texts are compared as they are, normalised (case, width, blanks and punctuation folded away), and by the
Jaccard similarity of their character 5-grams.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import regex

from autolect.core.errors import UserError
from autolect.text import near
from autolect.text.labels import tags
from autolect.text.labels.labelled import TextExample, TokenExample
from autolect.text.labels.pairs import PairExample, number_of

Example = TypeVar("Example", TextExample, TokenExample, PairExample)
Kind = Literal["exact", "normalised", "near"]

MOST_SHARED, MOST_BOUND, FEW_BOUND = 10, 0.05, 0.15
"""A text in more pairs than that does not hold them together, nor do texts that would hold together more than
this share of all; of few pairs more than this one, as long as they are no more than so many."""
MOST_MOVED, ROUNDS = 0.2, 5
"""Texts of a drawn part that are nearly those of another go to train; not if that is more of the part."""
NEAR = 0.85
"""Jaccard similarity from which two texts are nearly the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Generic[Example]):
    """Examples for training, for choosing, and for the one final measurement."""

    train: tuple[Example, ...]
    valid: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A text of one split and the one in another split that it repeats; both as "file:line"."""

    kind: Kind
    one: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Texts of `later` (valid or test) that stand in `earlier` too, each counted once, by its best match."""

    earlier: str
    later: str
    num_exact: int
    num_normalised: int
    num_near: int
    pairs: tuple[Pair, ...]
    """One for each repeated text, in the order of the later split."""

    @property
    def num_shared(self) -> int:
        """Texts that repeat another one in any way."""
        return self.num_exact + self.num_normalised + self.num_near


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One text that carries different labels; labels[i] stands at where[i] ("file:line")."""

    text: str
    labels: tuple[str, ...]
    where: tuple[str, ...]


def split(
    examples: Sequence[Example],
    *,
    valid: float,
    test: float,
    seed: int,
    key: Callable[[Example], str] | None = None,
) -> Parts[Example]:
    """Draw valid and test (shares of the examples), with the same mix of labels in each part.

    key: what is kept in proportion; None is the label of a text or of a pair, of several the rarest, and of
    tagged tokens the entity type they have that is rarest among all examples. Texts that are equal when
    normalised stay together, and so do pairs that share a text, see `groups`; the shares are those of what
    stays together. Every key keeps one of them in train. The order of the examples is kept, and the same
    arguments give the same parts. UserError when there are too few.
    """
    assert valid >= 0
    assert test >= 0
    assert valid + test < 1
    key = _default_key(examples) if key is None else key
    together = groups(examples)
    parts = _assign(_keys(examples, together, key), valid=valid, test=test, seed=seed)
    names = [""] * len(examples)
    for group, name in zip(together, parts, strict=True):
        for at in group:
            names[at] = name
    chosen = {
        part: tuple(example for example, name in zip(examples, names, strict=True) if name == part)
        for part in ("train", "valid", "test")
    }
    return Parts(train=chosen["train"], valid=chosen["valid"], test=chosen["test"])


def groups(examples: Sequence[TextExample | TokenExample | PairExample]) -> list[list[int]]:
    """The places of examples that must not be parted, in order of appearance.

    Those whose texts are equal when normalised; of pairs also those that share one of their texts, which a
    network could recognise, unless it stands in more than `MOST_SHARED` of them. Where so much hangs together
    that one part would get it all, those pairs are told apart by both their texts alone.
    """
    whole = [[normalise(example.text)] for example in examples]
    sides = [
        [normalise(example.first), normalise(example.second)] if isinstance(example, PairExample) else []
        for example in examples
    ]
    often = Counter(side for texts in sides for side in set(texts))
    binding = [
        [*both, *(f"one of two: {side}" for side in texts if often[side] <= MOST_SHARED)]
        for both, texts in zip(whole, sides, strict=True)
    ]
    most = max(MOST_BOUND * len(examples), min(MOST_SHARED, FEW_BOUND * len(examples)))
    found = []
    for group in _alike(binding):
        apart = _alike([whole[at] for at in group]) if len(group) > most else [list(range(len(group)))]
        found += [[group[at] for at in places] for places in apart]
    return sorted(found)


def _keys(
    examples: Sequence[Example], together: Sequence[Sequence[int]], key: Callable[[Example], str]
) -> list[str]:
    """The key of each group: of several the rarest, so that it is not lost to train."""
    of = [key(example) for example in examples]
    counts = Counter(of)
    return [min({of[at] for at in group}, key=lambda name: (counts[name], name)) for group in together]


def _alike(names: Sequence[Sequence[str]]) -> list[list[int]]:
    """Places that have a name in common, or are linked by places that have."""
    above = list(range(len(names)))
    first: dict[str, int] = {}

    def root(at: int) -> int:
        while above[at] != at:
            above[at] = above[above[at]]
            at = above[at]
        return at

    for at, mine in enumerate(names):
        for name in mine:
            one, other = sorted((root(at), root(first.setdefault(name, at))))
            above[other] = one
    found: defaultdict[int, list[int]] = defaultdict(list)
    for at in range(len(names)):
        found[root(at)].append(at)
    return list(found.values())


def drawn(
    given: Mapping[str, tuple[Example, ...]], *, valid: float, test: float, share: float, seed: int
) -> Parts[Example]:
    """The parts of a run: those that are given, and for the others shares of train; of train and valid the
    share that is used. UserError where there are too few examples.
    """
    valid_share, test_share = 0.0 if "valid" in given else valid, 0.0 if "test" in given else test
    parts = Parts(train=given["train"], valid=(), test=())
    if valid_share or test_share:
        parts = _without_twins(split(given["train"], valid=valid_share, test=test_share, seed=seed))
    found = Parts(
        train=some(parts.train, share, seed=seed),
        valid=some(given.get("valid", parts.valid), share, seed=seed),
        test=given.get("test", parts.test),
    )
    if not found.valid or not found.test:
        raise UserError("too few examples to keep some for valid and test", where="task.train")
    return found


def _without_twins(parts: Parts[Example]) -> Parts[Example]:
    """Drawn parts whose texts that are nearly those of another part went to train, unless these are many."""
    found: Parts[Example] = parts
    for _ in range(ROUNDS):
        twins = {pair.other for one in overlap(found) for pair in one.pairs}
        if not twins:
            return found
        taken: tuple[Example, ...] = found.valid + found.test
        moved = tuple(one for one in taken if one.where in twins)
        found = Parts(
            train=found.train + moved,
            valid=tuple(one for one in found.valid if one.where not in twins),
            test=tuple(one for one in found.test if one.where not in twins),
        )
        left = [(len(found.valid), len(parts.valid)), (len(found.test), len(parts.test))]
        if any(now < (1 - MOST_MOVED) * before for now, before in left):
            return parts
    return parts


def some(examples: tuple[Example, ...], share: float, *, seed: int) -> tuple[Example, ...]:
    """A share of the examples, drawn as `split` draws; one example of each label where that is more."""
    if share >= 1:
        return examples
    key = _default_key(examples)
    together = groups(examples)
    most = 1 - len(set(_keys(examples, together, key))) / max(1, len(together))
    left_out = min(1 - share, most)
    return split(examples, valid=0.0, test=left_out, seed=seed).train if left_out > 0 else examples


def overlap(parts: Parts[Example]) -> tuple[Overlap, ...]:
    """What stands in two splits: valid against train, test against train, test against valid."""
    named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
    compared = (("train", "valid"), ("train", "test"), ("valid", "test"))
    return tuple(_compare(named[one], named[other], one, other) for one, other in compared)


def conflicts(examples: Sequence[Example]) -> tuple[Conflict, ...]:
    """Texts that are equal when normalised and have different labels (or tags), in order of appearance."""
    alike: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        alike[normalise(example.text)].append(example)
    return tuple(
        Conflict(
            text=group[0].text,
            labels=tuple(_label(example) for example in group),
            where=tuple(example.where for example in group),
        )
        for group in alike.values()
        if len({_label(example) for example in group}) > 1
    )


def alike(labels: Iterable[str]) -> list[str]:
    """What to tell of labels that differ in case, width, blanks or punctuation alone."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        if number_of(label) is None:
            found[normalise(label)].append(label)
    return [
        f"labels that look alike: {', '.join(map(repr, sorted(names)))}"
        for names in found.values()
        if len(names) > 1
    ]


def normalise(text: str) -> str:
    """A text without its case, width, blanks, punctuation and control characters, for comparison only.

    A text that has nothing else keeps all but its blanks.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _folded_away().sub("", folded) or "".join(folded.split())


@functools.cache
def _folded_away() -> regex.Pattern[str]:
    return regex.compile(r"[\p{P}\p{Z}\p{C}]+")


def _label(example: TextExample | TokenExample | PairExample) -> str:
    return " ".join(example.labels if isinstance(example, TokenExample) else sorted(example.labels))


def _default_key(examples: Sequence[Example]) -> Callable[[Example], str]:
    kinds: Counter[str] = Counter()
    labels = Counter(label for example in examples for label in example.labels)
    for example in examples:
        if isinstance(example, TokenExample):
            kinds.update({tags.kind_of(tag) for tag in example.tags} - {""})

    def key(example: Example) -> str:
        if not isinstance(example, TokenExample):
            return min(example.labels, key=lambda label: (labels[label], label), default="")
        here = {tags.kind_of(tag) for tag in example.tags} - {""}
        return min(here, key=lambda kind: (kinds[kind], kind), default="")

    return key


def _assign(keys: Sequence[str], *, valid: float, test: float, seed: int) -> list[str]:
    """The part of each item, "train", "valid" or "test"."""
    left: defaultdict[str, list[int]] = defaultdict(list)
    for at in np.random.default_rng(seed).permutation(len(keys)).tolist():
        left[keys[at]].append(at)
    sizes = {name: len(items) for name, items in sorted(left.items())}
    parts = ["train"] * len(keys)
    for part, share in (("valid", valid), ("test", test)):
        for name, count in _counts(sizes, left, part, share).items():
            for _ in range(count):
                parts[left[name].pop()] = part
    return parts


def _counts(
    sizes: Mapping[str, int], left: Mapping[str, Sequence[int]], part: str, share: float
) -> dict[str, int]:
    """How many items of each key go to a part: its share, by largest remainder, never the last one left."""
    total = sum(sizes.values())
    wanted = max(1, round(share * total)) if share else 0
    free = {name: len(left[name]) - 1 for name in sizes}
    if wanted > sum(free.values()):
        shown = ", ".join(f"{name or 'no entity'!r} {n}" for name, n in Counter(sizes).most_common(10))
        labels = f", since every label keeps one for training (there are: {shown})" if any(sizes) else ""
        raise UserError(
            f"{total} different texts are too few to draw {wanted} for {part}{labels}",
            fix="add examples, draw a smaller share, or give a file for that split",
        )
    counts = {name: min(int(share * size + 1e-9), free[name]) for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (counts[name] - share * sizes[name], -sizes[name], name))
    while missing := wanted - sum(counts.values()):
        for name in [name for name in by_remainder if counts[name] < free[name]][:missing]:
            counts[name] += 1
    return counts


def _compare(earlier: Sequence[Example], later: Sequence[Example], one: str, other: str) -> Overlap:
    exact: dict[str, str] = {}
    same: dict[str, str] = {}
    for example in earlier:
        exact.setdefault(example.text, example.where)
        same.setdefault(normalise(example.text), example.where)
    folded = [normalise(example.text) for example in later]
    texts, places = list(same), list(same.values())
    new = [text for text in dict.fromkeys(folded) if text not in same]
    nearest = dict(zip(new, near.nearest(texts, new, threshold=NEAR), strict=True))
    pairs: list[Pair] = []
    for example, text in zip(later, folded, strict=True):
        if example.text in exact:
            pairs.append(Pair(kind="exact", one=exact[example.text], other=example.where))
        elif text in same:
            pairs.append(Pair(kind="normalised", one=same[text], other=example.where))
        elif (match := nearest[text]) is not None:
            pairs.append(Pair(kind="near", one=places[match], other=example.where))
    kinds = Counter(pair.kind for pair in pairs)
    return Overlap(
        earlier=one,
        later=other,
        num_exact=kinds["exact"],
        num_normalised=kinds["normalised"],
        num_near=kinds["near"],
        pairs=tuple(pairs),
    )

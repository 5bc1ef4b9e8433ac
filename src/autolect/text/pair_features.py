"""How much two texts share, in numbers: runs of words and characters, and words that mean alike.

Each shared thing counts by its rarity in the training texts (Spärck Jones 1972). Words are matched with the
nearest one of the other text by the vectors of their tokens (as in BERTScore: Zhang 2020, arXiv:1904.09675).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autolect.text.features import buckets, text_features
from autolect.text.labels.pairs import PairExample

BUCKETS = 1 << 18
KINDS, OF_KIND = 6, 5
"""Words, pairs of words, and runs of 1 to 4 characters (`features.text_features`), and numbers for each."""
NUM_OVERLAPS, NUM_LIKENESSES = KINDS * OF_KIND + 4, 10

Numbers = NDArray[np.float32]


class Shared(NamedTuple):
    """Of one kind, every bucket that either text has, and how often each has it, (M,)."""

    buckets: NDArray[np.int64]
    first: Numbers
    second: Numbers


@dataclass(frozen=True, slots=True)
class Matched:
    """What is known of a pair before anything is learned: its kinds, and both texts as ids."""

    kinds: tuple[Shared, ...]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    characters: tuple[int, int]
    digits: float
    """Share of the runs of digits that both have."""


def matched(
    first: str, second: str, ids: tuple[NDArray[np.int32], NDArray[np.int32]], *, language: str
) -> Matched:
    """Two texts and their token ids -> what they share."""
    sides = [text_features(text, language=language) for text in (first, second)]
    kinds = tuple(_shared(one, other) for one, other in zip(*sides, strict=True))
    numbers = [{word for word in side[0] if any(map(str.isdigit, word))} for side in sides]
    either = numbers[0] | numbers[1]
    digits = len(numbers[0] & numbers[1]) / len(either) if either else 1.0
    return Matched(kinds, ids[0], ids[1], (len(first), len(second)), digits)


def rarity_of(pairs: Sequence[Matched]) -> Numbers:
    """(BUCKETS,) the inverse document frequency of each bucket among the texts of some pairs."""
    counts = np.zeros(BUCKETS)
    for pair in pairs:
        for kind in pair.kinds:
            counts[kind.buckets] += (kind.first > 0).astype(float) + (kind.second > 0)
    found: Numbers = (np.log((1 + 2 * len(pairs)) / (1 + counts)) + 1).astype(np.float32)
    return found


def of_examples(examples: Sequence[PairExample], *, language: str) -> list[Matched]:
    """What the texts of each pair share, without their tokens."""
    none = np.zeros(0, np.int32)
    return [matched(one.first, one.second, (none, none), language=language) for one in examples]


def overlaps(pairs: Sequence[Matched], *, rarity: Numbers) -> Numbers:
    """(N, NUM_OVERLAPS): what is shared of each kind, and lengths."""
    found = np.zeros((len(pairs), NUM_OVERLAPS), dtype=np.float32)
    for row, pair in zip(found, pairs, strict=True):
        row[: KINDS * OF_KIND] = [value for kind in pair.kinds for value in _overlap(kind, rarity)]
        long, short = max(pair.characters), max(1, min(pair.characters))
        row[KINDS * OF_KIND :] = np.log1p(long), np.log1p(short), short / max(1, long), pair.digits
    return found


def likenesses(pairs: Sequence[Matched], *, directions: Numbers, weights: Numbers) -> Numbers:
    """(N, NUM_LIKENESSES) by vectors. directions (V,D): unit vectors of the tokens; weights (V,): how much
    each counts.
    """
    found = np.zeros((len(pairs), NUM_LIKENESSES), dtype=np.float32)
    for row, pair in zip(found, pairs, strict=True):
        if len(pair.first) and len(pair.second):
            row[:] = _likeness(pair, directions, weights)
    return found


def _shared(one: list[str], other: list[str]) -> Shared:
    sides = [np.unique(buckets(side, count=BUCKETS), return_counts=True) for side in (one, other)]
    every = np.union1d(sides[0][0], sides[1][0])
    counts = np.zeros((2, len(every)), dtype=np.float32)
    for row, (places, times) in zip(counts, sides, strict=True):
        row[np.searchsorted(every, places)] = times
    return Shared(every, counts[0], counts[1])


def _overlap(kind: Shared, rarity: Numbers) -> tuple[float, ...]:
    """Cosine, what is shared of the first, of the second and of both together, and the rarest odd one out."""
    weight = rarity[kind.buckets]
    one, other = weight * np.log1p(kind.first), weight * np.log1p(kind.second)
    cosine = float(one @ other) / max(1e-9, float(np.linalg.norm(one) * np.linalg.norm(other)))
    both = float(np.minimum(one, other).sum())
    odd = weight[(kind.first > 0) != (kind.second > 0)]
    return (
        cosine,
        both / max(1e-9, float(one.sum())),
        both / max(1e-9, float(other.sum())),
        both / max(1e-9, float(np.maximum(one, other).sum())),
        float(odd.max(initial=0.0)),
    )


def _likeness(pair: Matched, directions: Numbers, weights: Numbers) -> tuple[float, ...]:
    """Cosine of the means; how near each token of a text comes to one of the other: on average both ways and
    together, the one that is farthest, the sum of what is missing; and the first and the last ones.
    """
    one, other = directions[pair.first], directions[pair.second]
    mine, theirs = weights[pair.first], weights[pair.second]
    near = one @ other.T
    there, back = near.max(axis=1), near.max(axis=0)
    means = mine @ one, theirs @ other
    norms = float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
    to, fro = float(mine @ there / mine.sum()), float(theirs @ back / theirs.sum())
    return (
        float(means[0] @ means[1]) / max(1e-9, norms),
        to,
        fro,
        2 * to * fro / (to + fro) if to + fro > 0 else 0.0,
        float((mine * (1 - there)).max()),
        float((theirs * (1 - back)).max()),
        float(mine @ (1 - there)),
        float(theirs @ (1 - back)),
        float(near[0, 0]),
        float(near[-1, -1]),
    )

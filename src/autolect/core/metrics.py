"""Scores: how well labels, entities, similarities and texts were predicted.

Entities follow the strict reading of IOB2 (seqeval's strict mode, Nakayama 2018): an I- that continues
no entity of its own type starts nothing. What cannot be divided, such as the precision of a label that
was never predicted, is 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autolect.core.intervals import Tally

Entity = tuple[int, int, str]
"""First token, one past the last token, and type."""

LONG_WORD = 12
"""Characters a word from which on blanks are not taken to part words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerLabel:
    """Precision, recall and F1 of one label; support is how often it stands in the gold data."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityScore:
    """Micro-averaged entity scores, and those of each type in alphabetical order."""

    precision: float
    recall: float
    f1: float
    per_label: tuple[PerLabel, ...]


def accuracy(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Share of equal elements of two arrays of the same shape; 0 when they are empty."""
    one, other = np.asarray(gold), np.asarray(predicted)
    assert one.shape == other.shape
    return float((one == other).mean()) if one.size else 0.0


def confusion(gold: ArrayLike, predicted: ArrayLike, num_labels: int) -> NDArray[np.int64]:
    """(L, L) counts: row = gold label, column = predicted label. Both (N,), numbers below num_labels."""
    rows = np.asarray(gold, dtype=np.int64)
    columns = np.asarray(predicted, dtype=np.int64)
    assert rows.shape == columns.shape
    assert rows.ndim == 1
    if rows.size:
        assert min(rows.min(), columns.min()) >= 0
        assert max(rows.max(), columns.max()) < num_labels
    counts = np.bincount(rows * num_labels + columns, minlength=num_labels * num_labels)
    return counts.reshape(num_labels, num_labels).astype(np.int64)


def per_label(confusion: NDArray[np.int64], labels: Sequence[str]) -> tuple[PerLabel, ...]:
    """The scores of each label from an (L, L) confusion matrix, in the order of the labels."""
    assert confusion.shape == (len(labels), len(labels))
    right = np.diagonal(confusion)
    counts = zip(labels, right, confusion.sum(axis=0), confusion.sum(axis=1), strict=True)
    return tuple(_counted(label, [int(tp), int(found), int(gold)]) for label, tp, found, gold in counts)


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Unweighted mean of F1 over the labels that occur, be it in gold or predicted; 0 when none does."""
    right, found, gold = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    occurs = found + gold > 0
    return float((2 * right[occurs] / (found + gold)[occurs]).mean()) if occurs.any() else 0.0


def matthews(confusion: NDArray[np.int64]) -> float:
    """Matthews' correlation of any number of labels (Gorodkin 2004) from (L, L) counts; 0 where undefined."""
    counts = confusion.astype(np.float64)
    total, right = counts.sum(), np.trace(counts)
    gold, found = counts.sum(axis=1), counts.sum(axis=0)
    below = np.sqrt((total**2 - gold @ gold) * (total**2 - found @ found))
    return float((right * total - gold @ found) / below) if below > 0 else 0.0


def set_counts(gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]]) -> NDArray[np.int64]:
    """(N, 3) labels of each example: right, predicted, gold. For `bootstrap` with `f1_score`."""
    pairs = [(set(one), set(other)) for one, other in zip(gold, predicted, strict=True)]
    counts = [(len(one & other), len(other), len(one)) for one, other in pairs]
    return np.array(counts, dtype=np.int64).reshape(-1, 3)


def set_f1(gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]]) -> float:
    """Micro F1 of sets of labels."""
    return float(f1_score(set_counts(gold, predicted).sum(axis=0, dtype=np.float64)[None])[0])


def partial_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Micro F1 of entities where it is enough that one of the same type overlaps."""
    counts = np.zeros(4)
    for one, other in zip(gold, predicted, strict=True):
        wanted, found = entities(one), entities(other)
        met = sum(any(_overlap(a, b) for b in wanted) for a in found)
        seen = sum(any(_overlap(a, b) for b in found) for a in wanted)
        counts += (met, len(found), seen, len(wanted))
    precision, recall = (counts[0] / max(1.0, counts[1]), counts[2] / max(1.0, counts[3]))
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _overlap(one: Entity, other: Entity) -> bool:
    return one[2] == other[2] and one[0] < other[1] and other[0] < one[1]


def macro_tally(gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]]) -> Tally:
    """Macro F1 of sets of labels: the mean of F1 over the labels of the gold data."""
    place = {label: at for at, label in enumerate(sorted({label for one in gold for label in one}))}
    counts = np.zeros((len(gold), len(place), 3))
    for row, one, other in zip(counts, gold, predicted, strict=True):
        for column, group in enumerate((set(one) & set(other), set(other), set(one))):
            row[[place[label] for label in group if label in place], column] = 1
    return Tally(counts=counts.reshape(len(gold), -1), score=macro_score)


def macro_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 3L) right, predicted, gold of each label -> (R,) mean of F1 over the labels that then occur."""
    parts = sums.reshape(len(sums), -1, 3)
    f1 = f1_score(parts.reshape(-1, 3)).reshape(parts.shape[:2])
    occurs = parts[:, :, 2] > 0
    found: NDArray[np.float64] = (f1 * occurs).sum(axis=1) / np.maximum(1, occurs.sum(axis=1))
    return found


def entities(tags: Sequence[str]) -> set[Entity]:
    """The entities of one IOB2 tag sequence, strictly: B- starts one, I- of its type continues it.

    Any other tag ends it. An I- after nothing, or of another type, starts nothing.
    """
    found: set[Entity] = set()
    start, kind = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        prefix, name = tag[:2], tag[2:]
        if kind and not (prefix == "I-" and name == kind):
            found.add((start, at, kind))
            kind = ""
        if prefix == "B-":
            start, kind = at, name
    return found


def entity_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """(N, 3) entities of each example: right, predicted, gold. This is what `bootstrap_f1` resamples."""
    counts = np.zeros((len(gold), 3), dtype=np.int64)
    for row, one, other in zip(counts, gold, predicted, strict=True):
        assert len(one) == len(other)
        wanted, found = entities(one), entities(other)
        row[:] = len(wanted & found), len(found), len(wanted)
    return counts


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScore:
    """Score IOB2 tag sequences by whole entities: right only when both ends and the type are right."""
    counts: dict[str, list[int]] = {}
    for one, other in zip(gold, predicted, strict=True):
        assert len(one) == len(other)
        wanted, found = entities(one), entities(other)
        for column, group in enumerate((wanted & found, found, wanted)):
            for _start, _end, kind in group:
                counts.setdefault(kind, [0, 0, 0])[column] += 1
    labels = tuple(_counted(kind, counts[kind]) for kind in sorted(counts))
    total = _counted("", [sum(count[column] for count in counts.values()) for column in range(3)])
    return EntityScore(precision=total.precision, recall=total.recall, f1=total.f1, per_label=labels)


def mean_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 1) means -> (R,) the same: accuracy from 0/1, or the mean of anything. For `bootstrap`."""
    return sums[:, 0]


def f1_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 3) right, predicted, gold -> (R,) micro F1. For `bootstrap`."""
    below = sums[:, 1] + sums[:, 2]
    return np.divide(2 * sums[:, 0], below, out=np.zeros(len(sums)), where=below > 0)


def share_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 2) right, all -> (R,) share that is right. For `bootstrap`."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation of two (N,) arrays, ties at their mean rank; 0 when either is constant."""
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert one.shape == other.shape
    assert one.ndim == 1
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()
    if one.size < 2:
        return 0.0
    x, y = _ranks(one), _ranks(other)
    x, y = x - x.mean(), y - y.mean()
    below = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / below if below > 0 else 0.0


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation of two (N,) arrays; 0 when either is constant."""
    return float(correlation_score(products(a, b).mean(axis=0)[None])[0])


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks (N,) from 1, ties at their mean."""
    return _ranks(np.asarray(values, dtype=np.float64))


def products(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """(N, 5) what each pair of numbers adds to a correlation. For `bootstrap` with `correlation_score`."""
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert one.shape == other.shape
    one, other = one - one.mean(), other - other.mean()
    return np.stack([one, other, one * one, other * other, one * other], axis=1)


def correlation_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 5) means of `products` -> (R,) correlations, 0 where one side is constant. For `bootstrap`."""
    one, other, square, other_square, both = sums.T
    below = np.sqrt(np.maximum(square - one**2, 0) * np.maximum(other_square - other**2, 0))
    found: NDArray[np.float64] = (both - one * other) / np.where(below > 1e-12, below, np.inf)
    return found


def translation(gold: Sequence[str], predicted: Sequence[str], *, language: str) -> Tally:
    """BLEU (Papineni 2002), 0 to 100, of a corpus, its n-grams counted by sacrebleu (Post 2018).

    Chinese and Japanese are cut into characters, other languages as in WMT (13a).
    """
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize={"zh": "zh", "ja": "char"}.get(language, "13a"))
    # Counts of each sentence: lengths, right n-grams and all of them; those of a corpus are their sums.
    counts = np.array(
        [_counts_of(bleu.corpus_score([p], [[g]])) for p, g in zip(predicted, gold, strict=True)]
    )
    return Tally(counts=counts, score=bleu_score, most=100.0)


def chrf(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """chrF2 (Popovic 2015) of a corpus, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(predicted), [list(gold)]).score)


def distinct(texts: Sequence[str]) -> float:
    """Share of all pairs of neighbouring words, or of characters where blanks do not part words, that differ
    (distinct-2: Li 2016, arXiv:1510.03055).
    """
    words = [text.split() for text in texts]
    units = [
        some if len(some) > 1 and len(text) < LONG_WORD * len(some) else list(text)
        for text, some in zip(texts, words, strict=True)
    ]
    pairs = [pair for some in units for pair in itertools.pairwise(some)]
    return len(set(pairs)) / max(1, len(pairs))


def bleu_score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 10) means of length, reference length, 4 right and 4 n-grams -> (R,) BLEU. For `bootstrap`."""
    length, reference, right, every = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(right > 0, np.log(right / every), -np.inf).mean(axis=1)
        brevity = np.where(length < reference, 1 - reference / length, 0.0)
        found: NDArray[np.float64] = 100 * np.exp(logs + brevity)
    return np.nan_to_num(found)


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike, *, num_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence (Guo 2017, arXiv:1706.04599).

    confidence: (N,) from 0 to 1. right: (N,) 0/1. A confidence on a border counts to the bin below it.
    """
    sure, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    assert sure.shape == hits.shape
    assert sure.ndim == 1
    assert num_bins > 0
    if not sure.size:
        return 0.0
    assert sure.min() >= 0
    assert sure.max() <= 1 + 1e-6
    bins = np.clip(np.ceil(sure * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=hits - sure, minlength=num_bins)
    return float(np.abs(gaps).sum() / sure.size)


def of_label(label: str, *, right: int, found: int, gold: int) -> PerLabel:
    """A label's scores from how often it was right, predicted, and in the gold data."""
    return PerLabel(
        label=label,
        precision=right / found if found else 0.0,
        recall=right / gold if gold else 0.0,
        f1=2 * right / (found + gold) if found + gold else 0.0,
        support=gold,
    )


def reliability(confidence: ArrayLike, right: ArrayLike, *, num_bins: int = 10) -> list[list[float]]:
    """Of each bin of confidence that holds any: mean confidence, share that is right, and how many."""
    sure, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.clip(np.ceil(sure * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return [
        [float(sure[bins == one].mean()), float(hits[bins == one].mean()), float((bins == one).sum())]
        for one in np.unique(bins)
    ]


def _counted(label: str, counts: Sequence[int]) -> PerLabel:
    right, found, gold = counts
    return of_label(label, right=right, found=found, gold=gold)


def _counts_of(score: Any) -> list[float]:
    return [score.sys_len, score.ref_len, *score.counts, *score.totals]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of the ranks they fill."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = last - (counts - 1) / 2
    return mean[number]

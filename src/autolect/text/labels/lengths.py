"""What the mere length of texts tells of their labels, and how much each counts so that it tells nothing.

Examples that were gathered label by label often differ in length where they need not: a model then learns how
long the texts are instead of what they say, which valid, gathered alike, rewards.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_RANGES = 32
"""Lengths are told apart by so many ranges, each with as many examples, ..."""
LEAST = 20
"""... and at least so many."""
UNSEEN = 0.5
"""So often every label counts as seen in a range, beside the times it was."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Lengths:
    """How often each of L labels stands in each of R ranges of length."""

    edges: Numbers
    """(R-1,) where a range ends and the next begins."""
    counts: Numbers
    """(R,L)."""

    @staticmethod
    def of(lengths: Numbers, labels: Numbers, num_labels: int) -> Lengths:
        """Lengths and labels, both (N,)."""
        num = min(MOST_RANGES, max(1, len(lengths) // LEAST))
        edges = np.unique(np.quantile(lengths, np.arange(1, num) / num).astype(np.int64))
        counts = np.zeros((len(edges) + 1, num_labels), dtype=np.int64)
        np.add.at(counts, (np.searchsorted(edges, lengths), labels), 1)
        return Lengths(edges, counts)

    def guesses(self, lengths: Numbers) -> Numbers:
        """(N,) the label that is most frequent in the range of each length."""
        found: Numbers = self.counts.argmax(axis=1)[np.searchsorted(self.edges, lengths)]
        return found

    def counts_for(self, lengths: Numbers, labels: Numbers) -> NDArray[np.float64]:
        """(N,) how much examples of these lengths and labels count."""
        found: NDArray[np.float64] = self.weights[np.searchsorted(self.edges, lengths), labels]
        return found

    @property
    def overlap(self) -> float:
        """How much there is to learn from: 1 where length tells nothing, 0 where it tells all."""
        return float(self.counts.shape[1] * (self._raw * self.counts).sum() / max(1, self.counts.sum()))

    @functools.cached_property
    def weights(self) -> NDArray[np.float64]:
        """(R,L): how much an example counts, 1 on average, so that all labels are as frequent in each range.

        A range where one label stands alone teaches nothing and counts for little (overlap weights: Li,
        Morgan & Zaslavsky 2018; for several labels Li & Li 2019).
        """
        found: NDArray[np.float64] = self._raw * self.counts.sum() / (self._raw * self.counts).sum()
        return found

    @functools.cached_property
    def _raw(self) -> NDArray[np.float64]:
        shares = self.counts + UNSEEN
        shares = shares / shares.sum(axis=1, keepdims=True)
        found: NDArray[np.float64] = (1 / shares) / (1 / shares).sum(axis=1, keepdims=True)
        return found


def told(lengths: Numbers, labels: Numbers, num_labels: int) -> float:
    """Share of the labels (N,) that is guessed from the lengths (N,) alone, each half from the other one."""
    right, halves = 0, np.random.default_rng(0).permutation(len(lengths)) % 2
    for half in (0, 1):
        mine = halves == half
        known = Lengths.of(lengths[~mine], labels[~mine], num_labels)
        right += int((known.guesses(lengths[mine]) == labels[mine]).sum())
    return right / max(1, len(lengths))

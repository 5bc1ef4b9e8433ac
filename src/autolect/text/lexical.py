"""Which texts share rare words with a query: BM25 (Robertson 1994) over hashed terms.

A term is a word, a beginning of a longer word (so that forms of one word meet without a list of endings), or
two neighbouring Chinese characters. A query can be followed up: what stands in the texts that seem to fit it
best is asked for too (Rocchio 1971).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autolect.text import segment
from autolect.text.features import buckets

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BUCKETS = 1 << 20
STEMS = (4, 6)
"""So many first letters of a longer word are terms of their own."""
K1, B = 1.2, 0.75
"""How soon more of a term counts for little, and how much long texts are held back."""
FOLLOWED, FEWEST = 20, 50
"""A query is followed up in so many texts, but in no more than one of so many."""
ADDED, WEIGHT = 50, 0.4
"""So many of their terms are asked for too; the weightiest counts so much beside a term of the query.
Chosen, as the 20, on every other query of two sets (docs/LOG.md)."""


def terms(text: str, *, language: str) -> list[str]:
    """The terms of a text, as often as they stand there."""
    text = text.lower()
    words = [text[start:end] for start, end in segment.words(text, language=language)]
    words = [word for word in words if any(map(str.isalnum, word))]
    spelt = [word for word in words if not segment.is_cjk(word[0])]
    stems = [f"{word[:size]}*" for size in STEMS for word in spelt if len(word) > size]
    pairs = [a + b for a, b in itertools.pairwise(text) if segment.is_cjk(a) and segment.is_cjk(b)]
    return [*words, *stems, *pairs]


def count(texts: Sequence[str], *, language: str) -> csr_matrix:
    """(N, BUCKETS) how often each text has each term."""
    from scipy.sparse import csr_matrix

    found = [
        np.unique(buckets(terms(text, language=language), count=BUCKETS), return_counts=True)
        for text in texts
    ]
    ends = np.cumsum([0, *(len(places) for places, _ in found)])
    places = np.concatenate([np.zeros(0, np.int64), *(one for one, _ in found)])
    times = np.concatenate([np.zeros(0, np.int64), *(one for _, one in found)])
    return csr_matrix((times.astype(np.float32), places, ends), shape=(len(texts), BUCKETS))


def weighed(counts: csr_matrix) -> csr_matrix:
    """What each term of a text adds to the score of a query that has it."""
    from scipy.sparse import csr_matrix

    total = counts.shape[0]
    having = np.bincount(counts.indices, minlength=BUCKETS)
    rarity = np.log(1 + (total - having + 0.5) / (having + 0.5)).astype(np.float32)
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    usual = max(1e-9, float(lengths.mean())) if total else 1.0
    rows = np.repeat(np.arange(total), np.diff(counts.indptr))
    held = K1 * (1 - B + B * lengths[rows] / usual)
    data = counts.data * (K1 + 1) / (counts.data + held) * rarity[counts.indices]
    return csr_matrix((data.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def asked(queries: Sequence[str], *, language: str) -> csr_matrix:
    """(Q, BUCKETS): a term counts once, however often a query has it."""
    found = count(queries, language=language)
    found.data[:] = 1
    return found


def best(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Places of the ``count`` (1 or more) highest of (N) scores, best first and of equal ones the first."""
    if count >= len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    among = np.flatnonzero(scores >= least)
    chosen: NDArray[np.int64] = among[np.argsort(-scores[among], kind="stable")[:count]]
    return chosen


class Postings:
    """The weights of texts' terms, kept by text (N, BUCKETS) and by term (BUCKETS, N)."""

    def __init__(self, by_text: csr_matrix, by_term: csr_matrix) -> None:
        self.by_text, self.by_term = by_text, by_term

    @classmethod
    def of(cls, texts: Sequence[str], *, language: str) -> Postings:
        """The terms of texts."""
        weights = weighed(count(texts, language=language))
        return cls(weights, weights.T.tocsr())

    def scores(self, queries: csr_matrix) -> NDArray[np.float32]:
        """(Q, N) what the terms of each query weigh in each text."""
        found: NDArray[np.float32] = (queries @ self.by_term).toarray()
        return found

    def followed(self, queries: csr_matrix, fit: NDArray[np.float32]) -> csr_matrix:
        """Queries (Q, BUCKETS) with the weightiest terms of the texts that fit (Q, N) them best."""
        from scipy.sparse import csr_matrix

        most = min(FOLLOWED, fit.shape[1] // FEWEST)
        if not most or not fit.shape[0]:
            return queries
        chosen = (best(row, most) for row in fit)
        terms, shares = zip(*map(self._weightiest, chosen), strict=True)
        ends = np.cumsum([0, *map(len, terms)])
        added = csr_matrix((np.concatenate(shares), np.concatenate(terms), ends), shape=queries.shape)
        return queries + WEIGHT * added

    def _weightiest(self, texts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Terms of some texts, and what each weighs there beside the weightiest of them."""
        rows = self.by_text[texts]
        terms, places = np.unique(rows.indices, return_inverse=True)
        weights = np.bincount(places, weights=rows.data, minlength=len(terms)).astype(np.float32)
        order = np.argsort(-weights, kind="stable")[:ADDED]
        return terms[order], weights[order] / max(1e-9, float(weights.max(initial=0.0)))

"""Which texts share rare words with a query: BM25 (Robertson 1994) over hashed terms.

A term is a word, a beginning of a longer word (so that forms of one word meet without a list of endings), or
two neighbouring Chinese characters.
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


def scores(weights: csr_matrix, queries: csr_matrix) -> NDArray[np.float32]:
    """(Q, N): a term counts once, however often a query has it."""
    asked = queries.copy()
    asked.data[:] = 1
    found: NDArray[np.float32] = (asked @ weights.T).toarray()
    return found

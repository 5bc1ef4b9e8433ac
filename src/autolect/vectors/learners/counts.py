"""Vectors from counts: which words stand near which, more often than by chance, in few dimensions.

Positive pointwise mutual information and its truncated SVD (Levy & Goldberg 2014, "Neural word embedding as
implicit matrix factorization"; settings as in Levy, Goldberg & Dagan 2015, doi:10.1162/tacl_a_00134). Where a
network is started, pairs of frequent tokens are fitted more closely than rare ones, as in skip-gram: weights
that are a product of one factor a row and one a column leave the best fit an SVD (Srebro & Jaakkola 2003).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autolect.core.config import Section
from autolect.vectors.store import LEAST, Learned, Purpose, nothing_to_learn

DENSE = 12_288
"""So many frequent words decide the dimensions: their matrix is dense, which multiplies faster than a sparse
one, and a rare word says little about others (docs/LOG.md)."""
ROUNDS = 3
"""Power iterations of the randomised SVD (Halko 2011, arXiv:0909.4061)."""
SPARE = 32
"""Dimensions that are computed beyond those asked for, and left out."""
WEIGHT: dict[Purpose, float] = {"tokens": 0.5, "words": 0.0}
POWER: dict[Purpose, float] = {"tokens": 1.0, "words": 0.5}
"""What serves each purpose best (docs/LOG.md)."""


class CountsConfig(Section):
    """Settings of vectors from counts: one pass, in a small part of the time of skip-gram (docs/LOG.md)."""

    kind: Literal["counts"] = "counts"
    """Name of the learner."""
    window: int = Field(default=5, ge=1, le=100)
    """Largest distance of a context word; near ones count more, as with word2vec on average."""
    smoothing: float = Field(default=0.75, gt=0, le=1)
    """Power of the contexts' frequencies: rare contexts say less than their counts pretend."""
    weight: float | None = Field(default=None, ge=0, le=1)
    """Power of the frequencies by which a pair counts in the fit; empty: 0.5 for tokens, which start a
    network, and 0, all pairs alike, for words, which are compared."""
    power: float | None = Field(default=None, ge=0, le=1)
    """Power of the singular values; 0 gives every dimension the same weight. Empty: 1 for tokens, 0.5 for
    words."""


def learn(
    sequences: Sequence[Sequence[str]],
    *,
    config: CountsConfig,
    width: int,
    seed: int,
    purpose: Purpose,
) -> Learned:
    """Learn vectors of ``width`` numbers from sequences of tokens.

    Raises UserError when no token occurs often enough for the purpose.
    """
    counted = Counter(token for sequence in sequences for token in sequence if token and not token.isspace())
    keys = [key for key, count in counted.most_common() if count >= LEAST[purpose]]
    if not keys:
        raise nothing_to_learn(purpose)
    places = {key: place for place, key in enumerate(keys)}
    counts = np.array([counted[key] for key in keys], np.int64)
    near = _near(_flat(sequences, places, gap=config.window), len(keys), window=config.window)
    weights = _weights(counts, WEIGHT[purpose] if config.weight is None else config.weight)
    left, values = _decomposed(_weighted(_information(near, config.smoothing), weights), width, seed=seed)
    matrix = np.zeros((len(keys), width), np.float32)
    power = POWER[purpose] if config.power is None else config.power
    matrix[:, : left.shape[1]] = left / weights[:, None] * values**power
    return Learned(keys=keys, matrix=matrix, counts=counts)


def _flat(sequences: Sequence[Sequence[str]], places: dict[str, int], *, gap: int) -> NDArray[np.int32]:
    """All sequences in one row, far enough from each other that no window reaches across; -1 is no word."""
    length = sum(len(sequence) + gap for sequence in sequences)
    flat = np.full(length, -1, np.int32)
    first = 0
    for sequence in sequences:
        flat[first : first + len(sequence)] = [places.get(token, -1) for token in sequence]
        first += len(sequence) + gap
    return flat


def _near(flat: NDArray[np.int32], size: int, *, window: int) -> Any:
    """(V,V) sparse: how often each pair stands near, in both orders; weight 1 side by side, 1/window far."""
    from scipy import sparse

    near = sparse.csr_array((size, size), dtype=np.float32)
    for distance in range(1, window + 1):
        one, other = flat[:-distance], flat[distance:]
        both = (one >= 0) & (other >= 0)
        weights = np.full(int(both.sum()), (window + 1 - distance) / window, np.float32)
        near = near + sparse.coo_array((weights, (one[both], other[both])), shape=(size, size)).tocsr()
    return (near + near.T).tocsr()


def _information(near: Any, smoothing: float) -> Any:
    """Counts -> positive pointwise mutual information, in place of the counts."""
    of_word = np.asarray(near.sum(axis=1), np.float64).ravel()
    of_context = of_word**smoothing
    of_context /= max(of_context.sum(), 1e-12)
    near = near.tocoo()
    chance = np.maximum(of_word[near.row], 1e-12) * of_context[near.col]
    near.data = np.maximum(np.log(near.data / chance), 0.0).astype(np.float32)
    near = near.tocsr()
    near.eliminate_zeros()
    return near


def _weights(counts: NDArray[np.int64], power: float) -> NDArray[np.float32]:
    """(V,): the root of what each word weighs in the fit, 1 where it is as frequent as the mean."""
    roots: NDArray[np.float32] = ((counts / counts.mean()) ** (power / 2)).astype(np.float32)
    return roots


def _weighted(matrix: Any, weights: NDArray[np.float32]) -> Any:
    """Each entry (V,V) times the weights of its row and its column."""
    matrix = matrix.tocoo()
    matrix.data = matrix.data * weights[matrix.row] * weights[matrix.col]
    return matrix.tocsr()


def _decomposed(matrix: Any, width: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Left singular vectors (V,K) and values (K,), K at most the width; each vector's sign is settled.

    The words are sorted by frequency. The first `DENSE` of them decide the dimensions; all others are put
    among them by the frequent words they stand near.
    """
    size = min(matrix.shape[0], DENSE)
    among = matrix[:, :size]
    block = among[:size].toarray()
    draw = np.random.default_rng([seed, 5])
    basis = draw.standard_normal((size, min(size, width + SPARE))).astype(np.float32)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(block @ basis)
        basis, _ = np.linalg.qr(block.T @ basis)
    basis, _ = np.linalg.qr(block @ basis)
    _, values, right = np.linalg.svd((block.T @ basis).T, full_matrices=False)
    right, values = right[:width], values[:width]
    left = among @ (right.T / np.maximum(values, 1e-12))
    signs = np.where(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])] < 0, -1, 1)
    return (left * signs).astype(np.float32), values.astype(np.float32)


PLUGIN, CONFIG = learn, CountsConfig

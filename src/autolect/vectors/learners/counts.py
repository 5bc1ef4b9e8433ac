"""Vectors from counts: which words stand near which, more often than by chance, in few dimensions.

Positive pointwise mutual information and its truncated SVD (Levy & Goldberg 2014, "Neural word embedding as
implicit matrix factorization"; settings as in Levy, Goldberg & Dagan 2015, doi:10.1162/tacl_a_00134). Where a
network is started, pairs of frequent tokens are fitted more closely than rare ones, as in skip-gram: weights
that are a product of one factor a row and one a column leave the best fit an SVD (Srebro & Jaakkola 2003).
"""

from __future__ import annotations

import functools
import operator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autolect.core.config import Section
from autolect.vectors.store import LEAST, Learned, Purpose, nothing_to_learn
from autolect.vectors.texts import Texts

DENSE = 12_288
"""So many frequent words decide the dimensions; a rare word says little about others (docs/LOG.md)."""
FILLED = 1 / 33
"""Share of entries from which on a dense matrix multiplies faster than a sparse one."""
NOTHING = 1e-5
"""A singular value of this share of the largest is rounding."""
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


def learn(texts: Texts, *, config: CountsConfig, width: int, seed: int, purpose: Purpose) -> Learned:
    """Learn vectors of ``width`` numbers from texts of tokens.

    Raises UserError when no token occurs often enough for the purpose.
    """
    counts = texts.counts()
    counts[[not key or key.isspace() for key in texts.keys]] = 0
    kept = np.argsort(-counts, kind="stable")
    kept = kept[counts[kept] >= LEAST[purpose]]
    if not len(kept):
        raise nothing_to_learn(purpose)
    ranks = np.full(len(texts.keys), -1, np.int32)
    ranks[kept] = np.arange(len(kept))
    counts = counts[kept]
    near, around = _near(texts, ranks, size=len(kept), window=config.window)
    weights = _weights(counts, WEIGHT[purpose] if config.weight is None else config.weight)
    informed = _weighted(_information(near, around, config.smoothing), weights)
    left, values = _decomposed(informed, width, seed=seed)
    matrix = np.zeros((len(kept), width), np.float32)
    power = POWER[purpose] if config.power is None else config.power
    matrix[:, : left.shape[1]] = left / weights[:, None] * values**power
    return Learned(keys=[texts.keys[place] for place in kept], matrix=matrix, counts=counts)


def _near(
    texts: Texts, ranks: NDArray[np.int32], *, size: int, window: int
) -> tuple[Any, NDArray[np.float64]]:
    """How often pairs stand near, in both orders; weight 1 side by side, 1/window at its end.

    Gives a sparse (V,C) matrix, the columns being the C most frequent words, and what stands around each word
    in sum (V,), rare ones included.
    """
    from scipy import sparse

    columns = min(size, DENSE)
    around = np.zeros(size)
    sums: list[Any] = [sparse.csr_array((size, columns), dtype=np.float32)]
    for ids, lengths in texts.blocks():
        flat = _apart(ranks[ids], lengths, gap=window)
        rows, others, weights = [], [], []
        for distance in range(1, window + 1):
            one, other = flat[:-distance], flat[distance:]
            both = (one >= 0) & (other >= 0)
            one, other = one[both], other[both]
            weight = (window + 1 - distance) / window
            around += weight * (np.bincount(one, minlength=size) + np.bincount(other, minlength=size))
            for row, column in ((one, other), (other, one)):
                frequent = column < columns
                rows.append(row[frequent])
                others.append(column[frequent])
                weights.append(np.full(int(frequent.sum()), weight, np.float32))
        places = (np.concatenate(rows), np.concatenate(others))
        sums.append(sparse.coo_array((np.concatenate(weights), places), shape=(size, columns)).tocsr())
        # Like sizes are added first, so that a large sum is not copied for every block.
        while len(sums) > 1 and sums[-2].nnz <= 2 * sums[-1].nnz:
            sums[-2:] = [sums[-2] + sums[-1]]
    return functools.reduce(operator.add, reversed(sums)), around


def _apart(ranks: NDArray[np.int32], lengths: NDArray[np.int64], *, gap: int) -> NDArray[np.int32]:
    """Texts in one row, so far from each other that no window reaches across; -1 is no word."""
    flat = np.full(len(ranks) + gap * len(lengths), -1, np.int32)
    flat[np.arange(len(ranks)) + gap * np.repeat(np.arange(len(lengths)), lengths)] = ranks
    return flat


def _information(near: Any, around: NDArray[np.float64], smoothing: float) -> Any:
    """Counts -> positive pointwise mutual information, in place of the counts."""
    of_context = around**smoothing
    of_context /= max(of_context.sum(), 1e-12)
    near = near.tocoo()
    chance = np.maximum(around[near.row], 1e-12) * of_context[near.col]
    near.data = np.maximum(np.log(near.data / chance), 0.0).astype(np.float32)
    near = near.tocsr()
    near.eliminate_zeros()
    return near


def _weights(counts: NDArray[np.int64], power: float) -> NDArray[np.float32]:
    """(V,): the root of what each word weighs in the fit, 1 where it is as frequent as the mean."""
    roots: NDArray[np.float32] = ((counts / counts.mean()) ** (power / 2)).astype(np.float32)
    return roots


def _weighted(matrix: Any, weights: NDArray[np.float32]) -> Any:
    """Each entry (V,C) times the weights of its row and its column."""
    matrix = matrix.tocoo()
    matrix.data = matrix.data * weights[matrix.row] * weights[matrix.col]
    return matrix.tocsr()


def _decomposed(matrix: Any, width: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(V,C) -> left singular vectors (V,K) and values (K,), K at most the width; each sign is settled.

    The first C rows are those of the columns, the frequent words, which decide the dimensions; all others
    are put among them by the frequent words they stand near.
    """
    size = matrix.shape[1]
    block = matrix[:size]
    turned = block.T.tocsr()
    if block.nnz > FILLED * size**2:
        block = block.toarray()
        turned = block.T
    draw = np.random.default_rng([seed, 5])
    basis = draw.standard_normal((size, min(size, width + SPARE))).astype(np.float32)
    for _ in range(ROUNDS):
        basis = _orthonormal(block @ basis)
        basis = _orthonormal(turned @ basis)
    inner = turned @ _orthonormal(block @ basis)
    squares, axes = _squares(inner)
    values = np.sqrt(np.maximum(squares[:width], 0.0)).astype(np.float32)
    right = (inner @ axes[:, :width]).T / np.maximum(values[:, None], 1e-12)
    # A dimension that the frequent words do not fill has no meaning for the others.
    filled = values > NOTHING * values[0]
    left = matrix @ (right.T * np.where(filled, 1 / np.where(filled, values, 1.0), 0.0))
    signs = np.where(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])] < 0, -1, 1)
    return (left * signs).astype(np.float32), values.astype(np.float32)


def _orthonormal(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,K) -> as many orthonormal columns that span the same; zeros for those that say nothing new."""
    squares, axes = _squares(columns)
    long = squares > (NOTHING**2) * max(squares[0], 1e-300)
    spread = np.where(long, 1 / np.sqrt(np.where(long, squares, 1.0)), 0.0)
    found: NDArray[np.float32] = columns @ (axes * spread).astype(np.float32)
    return found


def _squares(columns: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,K) -> squares of its singular values, the largest first, and the right singular vectors (K,K).

    By the products of the columns in float64, for a tenth of what a QR or SVD of them takes.
    """
    wide = columns.astype(np.float64)
    squares, axes = np.linalg.eigh(wide.T @ wide)
    return squares[::-1], axes[:, ::-1]


PLUGIN, CONFIG = learn, CountsConfig

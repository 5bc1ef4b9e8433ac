"""How alike texts are, without labels: the mean of their tokens' vectors, rare tokens counting more.

Weights by frequency as SIF has them (Arora 2017, "A simple but tough-to-beat baseline for sentence
embeddings"); then the means are centred and spread alike in every direction (whitening: Su 2021,
arXiv:2103.15316). At the sizes that are trained here this agrees with people better than states do
(docs/LOG.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = "likeness.safetensors"
RARE = 1e-3
"""A token of this share of the text counts half as much as the rarest."""
SHRINK = 0.1
"""Share of the mean spread that every direction gets, so that empty ones are not blown up."""

Matrix = NDArray[np.float32]


class Likeness:
    """weights (V,) of the tokens, the usual mean (D,) and what spreads the differences from it (D,D)."""

    def __init__(self, *, weights: Matrix, usual: Matrix, spread: Matrix) -> None:
        self.weights, self.usual, self.spread = weights, usual, spread

    def vectors(self, rows: Matrix, texts: Sequence[NDArray[np.int32]]) -> Matrix:
        """Rows (V,D) of the tokens, texts as ids -> (N,D); zeros for a text without tokens."""
        found: Matrix = np.zeros((len(texts), rows.shape[1]), dtype=np.float32)
        told = [place for place, ids in enumerate(texts) if len(ids)]
        found[told] = (
            _means(rows, self.weights, [texts[place] for place in told]) - self.usual
        ) @ self.spread
        return found

    def save(self, folder: Path) -> None:
        """Write it into a folder that its owner makes durable."""
        from safetensors.numpy import save_file

        save_file({"weights": self.weights, "usual": self.usual, "spread": self.spread}, folder / FILE)


def learn(rows: Matrix, counts: NDArray[np.int64], texts: Sequence[NDArray[np.int32]]) -> Likeness:
    """Rows (V,D) of the tokens, how often each stands in the corpus (V,), and some of its texts as ids."""
    weights = (RARE / (RARE + counts / max(1, counts.sum()))).astype(np.float32)
    means = _means(rows, weights, [ids for ids in texts if len(ids)]).astype(np.float64)
    usual = means.mean(axis=0)
    spreads, directions = np.linalg.eigh(np.cov(means, rowvar=False, bias=True))
    floor = max(SHRINK * float(spreads.mean()), 1e-12)
    spread = directions / np.sqrt(np.maximum(spreads, 0) + floor)
    return Likeness(
        weights=weights, usual=usual.astype(np.float32), spread=np.ascontiguousarray(spread, dtype=np.float32)
    )


def load(folder: Path) -> Likeness | None:
    """What `Likeness.save` wrote; None where there is none."""
    from safetensors.numpy import load_file

    return Likeness(**load_file(folder / FILE)) if (folder / FILE).exists() else None


def _means(rows: Matrix, weights: Matrix, texts: Sequence[NDArray[np.int32]]) -> Matrix:
    """Texts, none of them empty -> (N,D): the weighted mean of their tokens' directions."""
    found: Matrix = np.zeros((len(texts), rows.shape[1]), dtype=np.float32)
    for row, ids in zip(found, texts, strict=True):
        picked = rows[ids]
        picked /= np.maximum(np.linalg.norm(picked, axis=1, keepdims=True), 1e-12)
        row[:] = weights[ids] @ picked / weights[ids].sum()
    return found

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

Ids = NDArray[np.int32]
Matrix = NDArray[np.float32]
Halves = NDArray[np.float16]


class Likeness:
    """Directions (V,D) and weights (V,) of the tokens, the usual mean (D,), and what spreads the differences
    from it (D,D). The directions are kept, since fine-tuning moves the network's own rows.
    """

    def __init__(self, *, directions: Halves, weights: Matrix, usual: Matrix, spread: Matrix) -> None:
        self.directions, self.weights, self.usual, self.spread = directions, weights, usual, spread

    def vectors(self, texts: Sequence[Ids]) -> Matrix:
        """Texts as ids -> (N,D); zeros for a text without tokens."""
        found: Matrix = np.zeros((len(texts), len(self.usual)), dtype=np.float32)
        told = [place for place, ids in enumerate(texts) if len(ids)]
        means = _means(self.directions, self.weights, [texts[place] for place in told])
        found[told] = (means - self.usual) @ self.spread
        return found

    def save(self, folder: Path) -> None:
        """Write it into a folder that its owner makes durable."""
        from safetensors.numpy import save_file

        save_file(vars(self), folder / FILE)


def learn(rows: Matrix, counts: NDArray[np.int64], texts: Sequence[Ids]) -> Likeness:
    """Rows (V,D) of the tokens, how often each stands in the corpus (V,), and some of its texts as ids."""
    directions = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float16)
    weights = (RARE / (RARE + counts / max(1, counts.sum()))).astype(np.float32)
    means = _means(directions, weights, [ids for ids in texts if len(ids)]).astype(np.float64)
    spreads, axes = np.linalg.eigh(np.cov(means, rowvar=False, bias=True))
    floor = max(SHRINK * float(spreads.mean()), 1e-12)
    return Likeness(
        directions=directions,
        weights=weights,
        usual=means.mean(axis=0).astype(np.float32),
        spread=(axes / np.sqrt(np.maximum(spreads, 0) + floor)).astype(np.float32, order="C"),
    )


def load(folder: Path) -> Likeness | None:
    """What `Likeness.save` wrote; None where there is none."""
    from safetensors.numpy import load_file

    return Likeness(**load_file(folder / FILE)) if (folder / FILE).exists() else None


def _means(directions: Halves, weights: Matrix, texts: Sequence[Ids]) -> Matrix:
    """Texts, none of them empty -> (N,D): the weighted mean of their tokens' directions."""
    found: Matrix = np.zeros((len(texts), directions.shape[1]), dtype=np.float32)
    for row, ids in zip(found, texts, strict=True):
        row[:] = weights[ids] @ directions[ids].astype(np.float32) / weights[ids].sum()
    return found

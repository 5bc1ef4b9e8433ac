"""Words -> classes of words that stand in like company: the nearest of some centres, coarse and fine ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolect.text.word_classes import WordClasses
from autolect.vectors.store import WordVectors

SIZES = (64, 256, 1024)
"""Numbers of classes, as far as there are enough words."""
MOST, LEAST = 30_000, 8
"""So many frequent words are told apart, and so many words a class are needed."""
ROUNDS = 12
"""Of k-means (Lloyd 1982) by the cosine (Dhillon & Modha 2001)."""
AT_ONCE = 4096


def grouped(vectors: WordVectors, *, seed: int) -> WordClasses:
    """Classes of the most frequent words; the same arguments give the same ones."""
    rows = vectors.matrix[:MOST]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    numbers = [_assigned(rows, size, seed) for size in SIZES if size * LEAST <= len(rows)]
    found = np.stack(numbers, axis=1) if numbers else np.zeros((0, 0), dtype=np.uint16)
    return WordClasses(vectors.keys[: len(found)], found)


def _assigned(rows: NDArray[np.float32], size: int, seed: int) -> NDArray[np.uint16]:
    """Rows (N,D) of length one -> the number of the centre that is nearest to each (N,)."""
    centres = rows[np.random.default_rng(seed).choice(len(rows), size, replace=False)]
    for _ in range(ROUNDS):
        nearest = _nearest(rows, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return _nearest(rows, centres).astype(np.uint16)


def _nearest(rows: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    parts = [(rows[at : at + AT_ONCE] @ centres.T).argmax(axis=1) for at in range(0, len(rows), AT_ONCE)]
    return np.concatenate(parts)

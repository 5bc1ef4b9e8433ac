"""Which documents are kept from training: exact shares, and the same mix of sources and lengths in each.

Documents are put in an order where neighbours are alike (same source, similar length, chance within
that), and every k-th one is taken: systematic sampling over a stratified order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import UserError

TRAIN, VALID, TEST = 0, 1, 2
NAMES = ("train", "valid", "test")
"""Name of each split, at its number."""

_NUM_STRATA = 10
"""Length quantiles; within one, the order is left to chance."""


def assign(
    lengths: NDArray[np.integer], sources: NDArray[np.integer], *, valid: float, test: float, seed: int
) -> NDArray[np.int8]:
    """The split of every document: (N,) lengths and (N,) source numbers -> (N,) of TRAIN, VALID, TEST.

    Counts are exact (largest remainder) and every share above zero gets at least one document. The same
    arguments give the same answer. Raises UserError when there are too few documents for that.
    """
    assert lengths.shape == sources.shape == (len(lengths),)
    assert min(valid, test) >= 0
    assert valid + test < 1
    num_train, num_valid, num_test = _counts(len(lengths), valid=valid, test=test)
    splits = np.full(len(lengths), TRAIN, dtype=np.int8)
    if num_valid + num_test == 0:
        return splits
    chance = np.random.default_rng(seed)
    order = _alike(lengths, sources, chance)
    held = order[_every(len(order), num_valid + num_test, chance)]
    for_test = _every(len(held), num_test, chance)
    splits[held] = VALID
    splits[held[for_test]] = TEST
    assert (splits == TRAIN).sum() == num_train
    return splits


def _counts(num_documents: int, *, valid: float, test: float) -> list[int]:
    shares = [1 - valid - test, valid, test]
    needed = sum(share > 0 for share in shares)
    if num_documents < needed:
        raise UserError(
            f"{num_documents} documents cannot be split into {needed} parts",
            where="corpus.split",
            fix="add text, set corpus.split shares to 0, or let corpus.document be 'line' or 'block'",
        )
    exact = [share * num_documents for share in shares]
    # A share such as 0.07 * 100 is 7.000000000000001 in floating point and still means 7.
    counts = [int(part + 1e-9) for part in exact]
    by_remainder = sorted(range(3), key=lambda at: counts[at] - exact[at])
    for at in by_remainder[: num_documents - sum(counts)]:
        counts[at] += 1
    for at in range(3):
        if shares[at] > 0 and counts[at] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[at] = 1
    return counts


def _alike(
    lengths: NDArray[np.integer], sources: NDArray[np.integer], chance: np.random.Generator
) -> NDArray[np.intp]:
    """An order of the documents in which neighbours are alike, otherwise drawn by chance."""
    lot = chance.permutation(len(lengths))
    rank = np.empty(len(lengths), dtype=np.int64)
    rank[np.lexsort((lot, lengths))] = np.arange(len(lengths))
    stratum = rank * _NUM_STRATA // len(lengths)
    _, source = np.unique(sources, return_inverse=True)
    # Every other source runs from long to short, so that small sources do not all begin with the short.
    stratum = np.where(source % 2, _NUM_STRATA - 1 - stratum, stratum)
    return np.lexsort((lot, stratum, source))


def _every(num_items: int, num_picked: int, chance: np.random.Generator) -> NDArray[np.bool_]:
    """(num_items,) bool with exactly num_picked True, evenly spread from a start drawn by chance."""
    start = int(chance.integers(max(num_items, 1)))
    steps = (np.arange(num_items + 1, dtype=np.int64) * num_picked + start) // max(num_items, 1)
    return np.diff(steps) > 0

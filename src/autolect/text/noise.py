"""Rows of token ids for a network, and which of their tokens are hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD

Ids = NDArray[np.int64]


def padded(sequences: Sequence[NDArray[np.int32]], length: int) -> Ids:
    """[BOS] ids [EOS] [PAD] ... of each sequence: (B, length)."""
    ids = np.full((len(sequences), length), PAD, dtype=np.int64)
    for place, sequence in enumerate(sequences):
        assert len(sequence) + 2 <= length, "the bucket holds its rows"
        ids[place, 0] = BOS
        ids[place, 1 : 1 + len(sequence)] = sequence
        ids[place, 1 + len(sequence)] = EOS
    return ids


def choose(ids: Ids, share: float, draw: np.random.Generator) -> NDArray[np.bool_]:
    """A share of each row's ordinary tokens, at least one where there is any; never a special one."""
    ordinary = ids >= NUM_SPECIAL
    rank = np.where(ordinary, draw.random(ids.shape), 2.0).argsort(axis=1).argsort(axis=1)
    wanted = np.maximum(np.rint(share * ordinary.sum(axis=1)), 1 if share > 0 else 0)
    chosen: NDArray[np.bool_] = (rank < wanted[:, None]) & ordinary
    return chosen


def hide(ids: Ids, chosen: NDArray[np.bool_], draw: np.random.Generator, *, vocab_size: int) -> Ids:
    """80 % of the chosen tokens become [MASK], 10 % a random token, 10 % stay (Devlin 2019)."""
    hidden, kind = ids.copy(), draw.random(ids.shape)
    hidden[chosen & (kind < 0.8)] = MASK
    swapped = chosen & (kind >= 0.8) & (kind < 0.9)
    hidden[swapped] = draw.integers(NUM_SPECIAL, vocab_size, size=int(swapped.sum()))
    return hidden

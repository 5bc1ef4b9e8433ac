"""Batches of like length: which rows stand in which batch is a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the data, all padded to ``length``."""

    rows: Rows
    length: int


class Batches:
    """Fills batches by token budget from length buckets; every row once an epoch, nothing cropped.

    lengths (N,) in tokens, specials counted. A step's batch is found without walking to it: the order
    of an epoch is drawn anew from (seed, epoch).
    """

    def __init__(self, lengths: Sequence[int] | Rows, *, batch_tokens: int, seed: int) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_tokens, self.seed = batch_tokens, seed
        self._bucket = bucket_lengths(self.lengths)
        self._drawn: tuple[int, list[Batch]] | None = None
        self.num_batches = len(self.epoch(0))

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.num_batches)
        return self.epoch(epoch)[place]

    def epoch(self, epoch: int) -> list[Batch]:
        """All batches of one epoch, in order."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = epoch, self._draw(epoch)
        return self._drawn[1]

    def in_order(self) -> list[Batch]:
        """Every row once, by length, for measuring."""
        batches: list[Batch] = []
        for length in np.unique(self._bucket):
            batches += self._chop(np.flatnonzero(self._bucket == length), int(length))
        return batches

    def padding(self) -> float:
        """Share of the places that hold no token."""
        return 1.0 - float(self.lengths.sum()) / max(1.0, float(self._bucket.sum()))

    def _draw(self, epoch: int) -> list[Batch]:
        draw = np.random.default_rng([self.seed, 1, epoch])
        batches: list[Batch] = []
        for length in np.unique(self._bucket):
            rows = draw.permutation(np.flatnonzero(self._bucket == length))
            batches += self._chop(rows, int(length))
        return [batches[place] for place in draw.permutation(len(batches))]

    def _chop(self, rows: Rows, length: int) -> list[Batch]:
        size = max(1, self.batch_tokens // length)
        count = -(-len(rows) // size)
        return [Batch(rows=part, length=length) for part in np.array_split(rows, count)]


def bucket_lengths(lengths: Rows) -> Rows:
    """Round up to a few sizes: multiples of 8 to 64, then eighths of the power of two below."""
    lengths = np.maximum(lengths, 1)
    unit = 2 ** np.maximum(3, np.floor(np.log2(lengths)).astype(np.int64) - 3)
    rounded: Rows = -(-lengths // unit) * unit
    return rounded

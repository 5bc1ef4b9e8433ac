"""Batches of like length: which rows stand in which batch is a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
MOST_LONGER = 1.25
"""Rows that fill no batch of their length go along with longer ones, at most so many times as long."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the data, all padded to ``length``."""

    rows: Rows
    length: int


class Batches:
    """Fills batches by token budget from length buckets; every row once an epoch, nothing cropped.

    lengths (N,) in tokens, specials counted. A step's batch is found without walking to it: the order
    of an epoch is drawn anew from (seed, epoch). All batches of one length but one have as many rows: a
    processor prepares its matrix products anew for every shape, which can take longer than to multiply.
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
        return self._fill(lambda rows: rows)

    def padding(self) -> float:
        """Share of the places that hold no token."""
        places = sum(len(batch.rows) * batch.length for batch in self.in_order())
        return 1.0 - float(self.lengths.sum()) / max(1.0, float(places))

    def _draw(self, epoch: int) -> list[Batch]:
        draw = np.random.default_rng([self.seed, 1, epoch])
        batches = self._fill(draw.permutation)
        return [batches[place] for place in draw.permutation(len(batches))]

    def _fill(self, order: Callable[[Rows], Rows]) -> list[Batch]:
        """Batches from short to long; rows that fill none go along with the next longer ones, if near."""
        batches: list[Batch] = []
        left, before = np.empty(0, dtype=np.int64), 0
        for length in map(int, np.unique(self._bucket)):
            if len(left) and length > MOST_LONGER * self._bucket[left].min():
                batches.append(Batch(rows=left, length=before))
                left = left[:0]
            size = max(1, self.batch_tokens // length)
            rows = np.concatenate([left, order(np.flatnonzero(self._bucket == length))])
            full = len(rows) - len(rows) % size
            batches += [Batch(rows=part, length=length) for part in rows[:full].reshape(-1, size)]
            left, before = rows[full:], length
        return [*batches, Batch(rows=left, length=before)] if len(left) else batches


def bucket_lengths(lengths: Rows) -> Rows:
    """Round up to a few sizes: multiples of 8 to 64, then eighths of the power of two below."""
    lengths = np.maximum(lengths, 1)
    unit = 2 ** np.maximum(3, np.floor(np.log2(lengths)).astype(np.int64) - 3)
    rounded: Rows = -(-lengths // unit) * unit
    return rounded

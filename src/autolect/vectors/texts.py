"""Texts as the learners of vectors read them: one row of key numbers, on the disk where they are many."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
BATCH = 1000
BLOCK = 1 << 20
"""Tokens that are looked at together."""


class Texts:
    """Texts of words or of tokens, which can be read more than once.

    keys: K different strings.  ids: (N,) int32, the texts one after the other, each token the number of its
    key; a memory map costs no memory.  lengths: (M,) int64, the tokens of each text.
    """

    def __init__(self, keys: Sequence[str], ids: Ids, lengths: NDArray[np.int64]) -> None:
        assert len(ids) == lengths.sum(), "the texts fill the row"
        self.keys, self.ids, self.lengths = list(keys), ids, lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[list[str]]:
        """Each text as its strings."""
        keys = self.keys
        for ids, lengths in self.blocks():
            numbers, start = ids.tolist(), 0
            for length in lengths.tolist():
                yield [keys[number] for number in numbers[start : start + length]]
                start += length

    def blocks(self) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
        """The ids of some whole texts, about `BLOCK` tokens, and the lengths of these."""
        ends = np.cumsum(self.lengths)
        first = start = 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(ends, start + BLOCK, side="right")))
            yield np.array(self.ids[start : int(ends[last - 1])]), self.lengths[first:last]
            first, start = last, int(ends[last - 1])

    def counts(self) -> NDArray[np.int64]:
        """(K,): how often each key stands in the texts."""
        counts = np.zeros(len(self.keys), np.int64)
        for ids, _ in self.blocks():
            counts += np.bincount(ids, minlength=len(self.keys))
        return counts


def spelt(texts: Iterable[Sequence[str]], path: Path | None = None) -> Texts:
    """Texts of strings, read once; with a path, their ids are written there and not kept in memory."""
    places: dict[str, int] = {}
    lengths = array("q")
    parts: list[Ids] = []
    source = iter(texts)
    stream = None if path is None else path.open("wb")
    try:
        while some := list(islice(source, BATCH)):
            lengths.extend(map(len, some))
            ids = [places.setdefault(key, len(places)) for text in some for key in text]
            parts.append(np.array(ids, np.int32))
            if stream is not None:
                stream.write(parts.pop().tobytes())
    finally:
        if stream is not None:
            stream.close()
    if path is None or not sum(lengths):
        row = np.concatenate([np.zeros(0, np.int32), *parts])
    else:
        row = np.memmap(path, np.int32, mode="r")
    return Texts(list(places), row, np.array(lengths, np.int64))

"""Many texts to token ids: each different word is cut once, wherever a text has blanks between its words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autolect.text.tokenizer import Encoding, Tokenizer

SPACED = 20
"""Characters of a text to a blank at most: with fewer blanks, words come back too seldom to be kept."""
MOST_CHARACTERS = 4_000_000
"""Of the words that are kept; beyond that they are forgotten, and learned anew."""
TOGETHER = 500
"""New words that are cut as one text."""
Key = str | tuple[str]
"""A word with the blank before it, or in a tuple one that has none."""


class _Numbers(dict[Key, int]):
    """Numbers words in the order in which they are asked for; new: those that are not cut yet."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[Key] = []

    def __missing__(self, key: Key) -> int:
        number = self[key] = len(self)
        self.new.append(key)
        return number


class Cutter:
    """Cuts texts as `Tokenizer.encode_batch` does, and remembers how it cut each word. For one thread.

    No piece of any kind of tokenizer reaches over the beginning of a blank, so a text is cut as its words
    are, each with the blank before it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._forget()

    def cut(self, texts: Sequence[str]) -> list[Encoding]:
        """The tokens of each text."""
        spaced = sum(text.count(" ") for text in texts) * SPACED > sum(map(len, texts))
        if self.tokenizer.kind == "word" or not spaced:
            return self.tokenizer.encode_batch(texts)
        if self._characters > MOST_CHARACTERS:
            self._forget()
        return self._cut(texts)

    def _forget(self) -> None:
        self._numbers = _Numbers()
        self._characters = 0
        # Of each word: its length, its number of tokens, and where these begin in the two arrays below.
        self._lengths = self._counts = self._begins = np.zeros(0, np.int64)
        self._ids: NDArray[np.int32] = np.zeros(0, np.int32)
        self._offsets: NDArray[np.int32] = np.zeros((0, 2), np.int32)

    def _cut(self, texts: Sequence[str]) -> list[Encoding]:
        keys: list[Key] = []
        sizes = []
        for text in texts:
            first, *others = text.split(" ")
            keys.append((first,))
            keys += others
            sizes.append(1 + len(others))
        words = np.fromiter(map(self._numbers.__getitem__, keys), np.int64, len(keys))
        self._learn()
        counts, lengths = self._counts[words], self._lengths[words]
        ends = counts.cumsum()
        taken = np.repeat(self._begins[words] - ends + counts, counts) + np.arange(ends[-1])
        last = np.cumsum(sizes)
        starts = lengths.cumsum() - lengths
        starts -= np.repeat(starts[last - sizes], sizes)
        ids = self._ids[taken]
        offsets = self._offsets[taken] + np.repeat(starts, counts).astype(np.int32)[:, None]
        borders = ends[last - 1][:-1]
        return list(map(Encoding, np.split(ids, borders), np.split(offsets, borders)))

    def _learn(self) -> None:
        """Cut the words that are new, many of them in one text."""
        new = self._numbers.new
        if not new:
            return
        alone = [key for key in new if isinstance(key, tuple)]
        spaced = [key for key in new if isinstance(key, str)]
        texts = [word for (word,) in alone]
        texts += [
            f" {' '.join(spaced[begin : begin + TOGETHER])}" for begin in range(0, len(spaced), TOGETHER)
        ]
        found = self.tokenizer.encode_batch(texts)
        sizes = np.array([len(text) for text in texts], np.int64)
        counts = [len(one.ids) for one in found]
        offsets = np.concatenate([one.offsets for one in found])
        offsets += np.repeat(sizes.cumsum() - sizes, counts).astype(np.int32)[:, None]
        lengths = np.array([*(len(word) for (word,) in alone), *(1 + len(word) for word in spaced)], np.int64)
        ends = lengths.cumsum()
        of_word = np.searchsorted(ends, offsets[:, 1])
        offsets -= (ends - lengths)[of_word].astype(np.int32)[:, None]
        count = np.bincount(of_word, minlength=len(new))
        begins = len(self._ids) + count.cumsum() - count
        # They were cut in another order than that of their numbers.
        with_blank = np.array([isinstance(key, str) for key in new])
        places = np.where(with_blank, len(alone) + with_blank.cumsum(), (~with_blank).cumsum()) - 1
        self._begins = np.concatenate([self._begins, begins[places]])
        self._lengths = np.concatenate([self._lengths, lengths[places]])
        self._counts = np.concatenate([self._counts, count[places]])
        self._ids = np.concatenate([self._ids, *(one.ids for one in found)])
        self._offsets = np.concatenate([self._offsets, offsets])
        self._characters += int(ends[-1])
        self._numbers.new = []

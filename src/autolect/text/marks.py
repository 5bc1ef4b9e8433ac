"""Which tokens begin a word or a sentence, whatever the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from autolect.text import segment
from autolect.text.shards import SENTENCE, WORD, Marks


def token_marks(texts: Sequence[str], offsets: Sequence[NDArray[np.int32]], *, language: str) -> list[Marks]:
    """Offsets (n,2) of the tokens of each text, in code points -> a byte of marks for each token (n,).

    A token belongs to the word, and the sentence, of the character it ends with, since a piece may have the
    blank before its word. A token over several words begins at the last of them.
    """
    counts = np.array([len(one) for one in offsets], np.int64)
    if not counts.sum():
        return [np.zeros(0, np.uint8) for _ in offsets]
    # All texts at once, each shifted behind the one before it.
    shifts = np.cumsum([0, *map(len, texts)])[:-1]
    last = np.maximum(np.concatenate(offsets)[:, 1] - 1, 0) + np.repeat(shifts, counts)
    marks = np.zeros(len(last), np.uint8)
    begins = {
        WORD: [list(map(itemgetter(0), segment.words(text, language=language))) for text in texts],
        SENTENCE: [segment.sentences(text) for text in texts],
    }
    for bit, of_texts in begins.items():
        places = np.concatenate(
            [np.array(one, np.int64) + s for one, s in zip(of_texts, shifts, strict=True)]
        )
        number = np.searchsorted(places, last, side="right")
        marks[np.diff(number, prepend=-1) != 0] |= bit
    ends = np.cumsum(counts)
    marks[(ends - counts)[counts > 0]] |= WORD | SENTENCE
    return np.split(marks, ends[:-1])

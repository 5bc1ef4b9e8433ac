"""Which tokens begin a word or a sentence, whatever the tokenizer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolect.text import segment
from autolect.text.shards import SENTENCE, WORD, Marks


def token_marks(text: str, offsets: NDArray[np.int32], *, language: str) -> Marks:
    """Offsets (n,2) of a text's tokens in code points -> a byte of marks for each (n,).

    A token belongs to the word, and the sentence, of the character it ends with, since a piece may have the
    blank before its word. A token over several words begins at the last of them.
    """
    last = np.maximum(offsets[:, 1] - 1, 0)
    starts = np.array([start for start, _ in segment.words(text, language=language)], dtype=np.int64)
    marks = np.zeros(len(offsets), dtype=np.uint8)
    for bit, begins in ((WORD, starts), (SENTENCE, np.array(segment.sentences(text), dtype=np.int64))):
        number = np.searchsorted(begins, last, side="right")
        marks[np.diff(number, prepend=-1) != 0] |= bit
    return marks

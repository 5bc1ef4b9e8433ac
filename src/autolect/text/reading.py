"""From a text to token ids as a bundle reads it: cleaned, tokenized, offsets kept."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.text.clean import Cleaner
from autolect.text.tokenizer import Tokenizer
from autolect.text.word_classes import WordClasses


@dataclass(frozen=True, slots=True)
class Reading:
    """Token ids (n,) of a text, and (n,2) spans in code points of the text as it was given."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]


@dataclass(frozen=True)
class Reader:
    """The same cleaning and tokenizer at every stage, in training and in use."""

    cleaner: Cleaner
    tokenizer: Tokenizer
    folder: Path | None = None
    """Of the bundle, where more is known of its words."""

    @functools.cached_property
    def classes(self) -> WordClasses | None:
        """Classes of the words of the corpus, if there are any."""
        return WordClasses.load(self.folder) if self.folder is not None else None

    def read(self, texts: Sequence[str], *, masks: bool = False) -> list[Reading]:
        """Read texts; with ``masks`` a literal [MASK] is the mask token."""
        cleaned = [self.cleaner.clean(text) for text in texts]
        plain = [one.text for one in cleaned]
        if masks:
            encoded = [self.tokenizer.encode(text, masks=True) for text in plain]
        else:
            encoded = self.tokenizer.encode_batch(plain)
        return [
            Reading(one.ids, _original(one.offsets, clean.offsets))
            for one, clean in zip(encoded, cleaned, strict=True)
        ]


def _original(spans: NDArray[np.int32], offsets: NDArray[np.integer]) -> NDArray[np.int32]:
    """Spans in the cleaned text -> spans in the original: first to last character that was kept."""
    if not len(spans) or not len(offsets):
        return np.zeros((len(spans), 2), dtype=np.int32)
    last = len(offsets) - 1
    starts = offsets[np.minimum(spans[:, 0], last)]
    ends = np.where(spans[:, 1] > spans[:, 0], offsets[np.clip(spans[:, 1] - 1, 0, last)] + 1, starts)
    original: NDArray[np.int32] = np.stack([starts, ends], axis=1).astype(np.int32)
    return original

"""bundle -> contextual vectors: the mean state of each word over many sentences, and its state in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.results import Neighbour
from autolect.nn.model import Model
from autolect.text import segment
from autolect.text.noise import padded
from autolect.text.tokenizer import PAD, Tokenizer
from autolect.vectors.store import WordVectors

NAME = "contexts"
MOST, FEWEST = 100_000, 25_000
"""Tokens of training text that the means are taken over, about."""
SEEN = 4
"""One for so many that were trained on, within these bounds."""
LEAST = 3
"""A word that stands less often in them has no mean."""
_ROWS, _AT_ONCE = 64, 512
"""Texts of a batch, and texts that are sorted by length before they become batches."""

Spans = Sequence[tuple[int, int]]


class Placed(NamedTuple):
    """A text's token ids (n,) and where each stands in it (n,2), in code points."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]


class Contexts:
    """Words by their mean states, as differences from the usual one: without that all are alike.

    UserError where there are none.
    """

    def __init__(self, vectors: WordVectors) -> None:
        if not len(vectors):
            raise UserError("no word stood often enough in its text to have a contextual vector")
        usual = np.average(vectors.matrix, axis=0, weights=vectors.counts).astype(np.float32)
        self._usual: NDArray[np.float32] = usual
        self._around = WordVectors(keys=vectors.keys, matrix=vectors.matrix - usual, counts=vectors.counts)

    def nearest(self, state: NDArray[np.float32], *, count: int) -> list[Neighbour]:
        """The words nearest to the state (D,) of a word in a sentence, best first."""
        return self._around.nearest(state - self._usual, count=count)


def wanted(seen: float) -> int:
    """Tokens that the means are taken over after so many were trained on."""
    return max(FEWEST, min(MOST, int(seen / SEEN)))


def learn(
    model: Model,
    tokenizer: Tokenizer,
    texts: Iterable[str],
    *,
    tokens: int,
    language: str,
    length: int,
    device: Device,
) -> WordVectors:
    """The mean state (D,) of every word that stands `LEAST` times or more in about so many ``tokens``.

    texts: cleaned. length: tokens that the network reads of each.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}
    seen, source = 0, iter(texts)
    while seen < tokens and (some := list(islice(source, _AT_ONCE))):
        placed = [Placed(one.ids[:length], one.offsets[:length]) for one in tokenizer.encode_batch(some)]
        seen += sum(len(one.ids) for one in placed)
        spans = [segment.words(text, language=language) for text in some]
        for text, cut, rows in zip(some, spans, states_of(model, placed, spans, device), strict=True):
            for (start, end), row in zip(cut, rows, strict=True):
                word = text[start:end].lower()
                if row is not None and word.isalpha():
                    counts[word] = counts.get(word, 0) + 1
                    sums[word] = sums[word] + row if word in sums else row.astype(np.float64)
    words = sorted((word for word, count in counts.items() if count >= LEAST), key=lambda w: (-counts[w], w))
    width = model.architecture.width
    matrix = np.array([sums[word] / counts[word] for word in words], dtype=np.float32).reshape(-1, width)
    return WordVectors(keys=words, matrix=matrix, counts=np.array([counts[w] for w in words], dtype=np.int64))


def states_of(
    model: Model, texts: Sequence[Placed], spans: Sequence[Spans], device: Device
) -> Iterator[list[NDArray[np.float32] | None]]:
    """For each text, the mean state (D,) of the tokens of each span; None where none of it was read."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at].ids))
    found: list[NDArray[np.float32]] = [np.zeros((0, 0), dtype=np.float32)] * len(texts)
    was_training = model.training
    model.eval()
    with torch.inference_mode(), device.computing():
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            ids = torch.from_numpy(padded([texts[row].ids for row in rows], 2 + len(texts[rows[-1]].ids)))
            ids = ids.to(device.place)
            states = model.encode(ids, ids != PAD).float().cpu().numpy()
            for row, one in zip(rows, states, strict=True):
                found[row] = one[1 : 1 + len(texts[row].ids)]
    model.train(was_training)
    for text, cut, one in zip(texts, spans, found, strict=True):
        yield [_mean(one, text.offsets, start, end) for start, end in cut]


def _mean(
    states: NDArray[np.float32], offsets: NDArray[np.int32], start: int, end: int
) -> NDArray[np.float32] | None:
    """The mean over the tokens that end inside of a span; a piece may begin with the blank before it."""
    first, last = np.searchsorted(offsets[:, 1], [start + 1, end + 1]) if len(offsets) else (0, 0)
    if first == last:
        return None
    mean: NDArray[np.float32] = states[first:last].mean(axis=0)
    return mean

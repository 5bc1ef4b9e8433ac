"""Rows of token ids for a network, and the noise that objectives put on them.

Noise falls on tokens, on words of the language, or on runs of words; never on a special token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autolect.core.config import Section
from autolect.text.shards import SENTENCE, WORD, Marks
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD

Ids = NDArray[np.int64]
Chosen = NDArray[np.bool_]
Unit = Literal["token", "word", "span"]
"""What is hidden whole: a token, a word, a run of words."""
SPAN = 3.0
"""Words of a span, about."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A batch of texts: ids (B,T) as [BOS] ... [EOS] [PAD] ..., and the marks of their tokens (B,T).

    In place of [BOS] a control token may stand, whose id is beyond the vocabulary. There are no marks where
    the objective's settings are not ``marked``.
    """

    ids: Ids
    marks: Marks | None

    @property
    def ordinary(self) -> Chosen:
        """Where there is a token of a text (B,T)."""
        ordinary: Chosen = self.ids >= NUM_SPECIAL
        ordinary[:, 0] = False
        return ordinary

    def words(self) -> Ids:
        """The number of each token's word within its row, from 0 (B,T)."""
        return _numbers((self._marked() & WORD) > 0, self.ordinary)

    def sentences(self) -> Ids:
        """The number of each token's sentence within its row, from 0 (B,T)."""
        return _numbers((self._marked() & SENTENCE) > 0, self.ordinary)

    def taken(self, order: Ids) -> Texts:
        """With the tokens of each row in another order (B,T)."""
        marks = None if self.marks is None else np.take_along_axis(self.marks, order, axis=1)
        return Texts(np.take_along_axis(self.ids, order, axis=1), marks)

    def _marked(self) -> Marks:
        assert self.marks is not None, "an objective that asks for words or sentences is `marked`"
        return self.marks


def rows_of(
    sequences: Sequence[NDArray[np.int32]],
    marks: Sequence[Marks] | None,
    length: int,
    *,
    begins: NDArray[np.int64] | None = None,
) -> Texts:
    """Sequences of ids and of their marks -> texts of ``length``; begins (B,): ids instead of [BOS]."""
    ids = padded(sequences, length)
    placed = None
    if marks is not None:
        placed = np.zeros(ids.shape, dtype=np.uint8)
        for row, one in enumerate(marks):
            placed[row, 1 : 1 + len(one)] = one
    if begins is not None:
        ids[:, 0] = begins
    return Texts(ids, placed)


def padded(sequences: Sequence[NDArray[np.int32]], length: int) -> Ids:
    """[BOS] ids [EOS] [PAD] ... of each sequence: (B, length)."""
    ids = np.full((len(sequences), length), PAD, dtype=np.int64)
    for place, sequence in enumerate(sequences):
        assert len(sequence) + 2 <= length, "the bucket holds its rows"
        ids[place, 0] = BOS
        ids[place, 1 : 1 + len(sequence)] = sequence
        ids[place, 1 + len(sequence)] = EOS
    return ids


def choose(texts: Texts, share: float, draw: np.random.Generator, *, units: Ids | None = None) -> Chosen:
    """A share of each row's ordinary tokens, at least one where there is any; never a special one.

    With ``units`` (B,T), see `groups`, whole units are chosen, and the share is met on average: the last unit
    that reaches beyond it is in or out by chance, so that a short row may have none.
    """
    ordinary = texts.ordinary
    count = ordinary.sum(axis=1)
    if units is None:
        rank = np.where(ordinary, draw.random(ordinary.shape), 2.0).argsort(axis=1).argsort(axis=1)
        wanted = np.maximum(np.rint(share * count), 1 if share > 0 else 0)
        chosen: Chosen = (rank < wanted[:, None]) & ordinary
        return chosen
    rows = np.broadcast_to(np.arange(len(units))[:, None], units.shape)[ordinary]
    size = np.zeros((len(units), int(units.max(initial=0)) + 1))
    np.add.at(size, (rows, units[ordinary]), 1.0)
    order = draw.random(size.shape).argsort(axis=1)
    ahead = np.take_along_axis(size, order, axis=1).cumsum(axis=1)
    end = np.empty_like(ahead)
    np.put_along_axis(end, order, ahead, axis=1)
    reached = end - draw.random((len(units), 1)) * size <= share * count[:, None]
    return np.take_along_axis(reached, units, axis=1) & ordinary


def groups(texts: Texts, draw: np.random.Generator, *, unit: Unit) -> Ids | None:
    """The number of each token's word or span within its row (B,T); None where each token stands alone."""
    if unit == "token":
        return None
    return texts.words() if unit == "word" else spans(texts, draw, mean=SPAN)


def spans(texts: Texts, draw: np.random.Generator, *, mean: float) -> Ids:
    """The number of each token's span within its row (B,T): a run of max(1, Poisson(mean)) words."""
    words = texts.words()
    count = int(words.max(initial=0)) + 1
    ends = np.maximum(1, draw.poisson(mean, (len(words), count))).cumsum(axis=1)
    begins = np.zeros((len(words), count), dtype=np.int64)
    row, end = np.nonzero(ends < count)
    begins[row, ends[row, end]] = 1
    return np.take_along_axis(begins.cumsum(axis=1), words, axis=1)


def hide(ids: Ids, chosen: Chosen, draw: np.random.Generator, *, vocab_size: int, swap: bool = True) -> Ids:
    """80 % of the chosen become [MASK], 10 % a random token, 10 % stay (Devlin 2019); or all [MASK]."""
    hidden = ids.copy()
    if not swap:
        hidden[chosen] = MASK
        return hidden
    kind = draw.random(ids.shape)
    hidden[chosen & (kind < 0.8)] = MASK
    swapped = chosen & (kind >= 0.8) & (kind < 0.9)
    hidden[swapped] = draw.integers(NUM_SPECIAL, vocab_size, size=int(swapped.sum()))
    return hidden


def infill(ids: Ids, chosen: Chosen, units: Ids, gone: Chosen) -> Ids:
    """Each run of chosen tokens of one unit becomes a single [MASK], what is gone leaves no trace.

    Rows close up and end in [PAD].
    """
    gone = gone.copy()
    gone[:, 1:] |= chosen[:, 1:] & chosen[:, :-1] & (units[:, 1:] == units[:, :-1])
    order = gone.argsort(axis=1, kind="stable")
    return np.take_along_axis(np.where(gone, PAD, np.where(chosen, MASK, ids)), order, axis=1)


def permute(texts: Texts, draw: np.random.Generator) -> Texts:
    """The sentences of each row in another order."""
    ordinary, sentences = texts.ordinary, texts.sentences()
    ranks = draw.random((len(sentences), int(sentences.max(initial=0)) + 1))
    place = np.arange(sentences.shape[1])[None, :]
    # [BOS] stays first; [EOS] and [PAD] stay last, as they are.
    rank = np.where(ordinary, np.take_along_axis(ranks, sentences, axis=1), np.where(place == 0, -1.0, 2.0))
    return _reordered(texts, rank.argsort(axis=1, kind="stable"))


def rotate(texts: Texts, draw: np.random.Generator) -> Texts:
    """Each row begins at another of its tokens, and its beginning follows its end."""
    ordinary = texts.ordinary
    size = np.maximum(ordinary.sum(axis=1, keepdims=True), 1)
    shift = draw.integers(0, size)
    place = np.broadcast_to(np.arange(ordinary.shape[1]), ordinary.shape)
    order = np.where(ordinary, 1 + (place - 1 + shift) % size, place)
    return _reordered(texts, order)


def _reordered(texts: Texts, order: Ids) -> Texts:
    return texts.taken(order)


def _numbers(begins: Chosen, ordinary: Chosen) -> Ids:
    """A row's first token begins something, whether it is marked or not."""
    counted = (begins & ordinary).cumsum(axis=1)
    first = np.take_along_axis(counted, ordinary.argmax(axis=1)[:, None], axis=1)
    numbers: Ids = np.maximum(counted - first, 0)
    return numbers


class Hiding(Section):
    """What is hidden of a text, and behind what."""

    share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that are hidden; more than 15 % teaches sooner (Wettig 2023)."""
    share_end: float | None = Field(default=None, gt=0, lt=1)
    """Share at the end of the training, reached in a straight line (GPT-BERT goes from 0.3 to 0.15); empty:
    it stays. The valid split is always measured with this one."""
    unit: Unit = "token"
    """What is hidden whole: a token, a word of the language, or a span of about three words."""
    swap: bool = True
    """Of what is hidden 10 % becomes a random token and 10 % stays (Devlin 2019); else all is [MASK]."""

    @property
    def marked(self) -> bool:
        """Whether it must be known where words and sentences begin."""
        return self.unit != "token"

    def hide(
        self, texts: Texts, draw: np.random.Generator, *, done: float, vocab_size: int
    ) -> tuple[Ids, Chosen]:
        """Texts -> ids (B,T) with some of them hidden, and which (B,T). done: share of the training."""
        end = self.share if self.share_end is None else self.share_end
        share = self.share + (end - self.share) * done
        chosen = choose(texts, share, draw, units=groups(texts, draw, unit=self.unit))
        return hide(texts.ids, chosen, draw, vocab_size=vocab_size, swap=self.swap), chosen

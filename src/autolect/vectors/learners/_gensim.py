"""What the gensim learners share: settings, the way text goes in, and the way vectors come out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pydantic import Field

from autolect.core.config import Section
from autolect.vectors.store import LEAST, Learned, Purpose, nothing_to_learn
from autolect.vectors.texts import Texts

SEEN: dict[Purpose, tuple[int, int]] = {"words": (20_000_000, 5), "tokens": (10_000_000, 1)}
"""How many are seen in all passes together, and the fewest passes: a minute or two of skip-gram on one
thread. Tokens only start a network; fewer words gave worse vectors (docs/LOG.md)."""
MOST_PASSES = 30
_LONGEST = 10_000


class GensimConfig(Section):
    """Settings that word2vec and fastText have in common."""

    window: int = Field(default=5, ge=1, le=100)
    """Largest distance of a context word; each word draws its own between 1 and this."""
    epochs: int | None = Field(default=None, ge=1, le=1000)
    """Passes over the text; empty: as many as see 20 million words, 5 to 30, and 10 million tokens, 1 to 30,
    since tokens only start a network. Little text needs more: on 241 k English words WordSim-353 gave 0.12
    after 5 passes, 0.19 after 15, 0.31 after 30."""
    negative: int = Field(default=5, ge=1, le=100)
    """Noise words drawn for each pair (Mikolov 2013, arXiv:1310.4546)."""
    subsample: float = Field(default=1e-3, ge=0, le=1)
    """Words with a larger share of the text are skipped at random; 0 skips none."""
    alpha: float = Field(default=0.025, gt=0, le=1)
    """Learning rate at the start; it falls to a thousandth in a straight line."""
    threads: int = Field(default=1, ge=1, le=64)
    """More are faster on large text, and give other vectors each time: their updates race."""


class Sentences:
    """Texts as gensim wants them: blank tokens left out, none longer than it reads.

    gensim drops what lies behind the ten thousandth token of a text, and a blank token would make
    its text format unreadable (issue 2795).
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[list[str]]:
        for text in self._texts:
            kept = [token for token in text if token and not token.isspace()]
            for start in range(0, len(kept), _LONGEST):
                yield kept[start : start + _LONGEST]


def learn(
    make: Callable[[dict[str, Any]], Any],
    texts: Texts,
    *,
    config: GensimConfig,
    width: int,
    seed: int,
    purpose: Purpose,
) -> Learned:
    """Train the model that ``make`` builds from gensim's settings.

    With one thread, the same texts and seed give the same vectors. Raises UserError when no token
    occurs often enough for the purpose.
    """
    sentences = Sentences(texts)
    settings = {
        "vector_size": width,
        "window": config.window,
        "negative": config.negative,
        "sample": config.subsample,
        "alpha": config.alpha,
        "min_alpha": config.alpha / 1000,
        "min_count": LEAST[purpose],
        "seed": seed,
        "workers": config.threads,
        "hashfxn": _stable_hash,
    }
    model = make(settings)
    model.build_vocab(sentences)
    if not len(model.wv):
        raise nothing_to_learn(purpose)
    model.train(
        sentences,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=config.epochs or passes(len(texts.ids), purpose),
    )
    keys = list(model.wv.index_to_key)
    counts = np.array([model.wv.get_vecattr(key, "count") for key in keys], np.int64)
    matrix = np.array(model.wv.vectors, np.float32)
    assert np.isfinite(matrix).all(), "the vectors diverged"
    return Learned(keys=keys, matrix=matrix, counts=counts)


def passes(size: int, purpose: Purpose) -> int:
    """Passes over a text of so many tokens: more over little text."""
    seen, fewest = SEEN[purpose]
    return min(max(seen // max(size, 1), fewest), MOST_PASSES)


def _stable_hash(text: str) -> int:
    """Python's own hash of a string differs from one process to the next."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))

"""fastText (Bojanowski 2017, arXiv:1607.04606): skip-gram whose words are sums of their character n-grams."""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import Field, model_validator

from autolect.vectors.learners import _gensim
from autolect.vectors.store import Learned, Purpose
from autolect.vectors.texts import Texts


class FasttextConfig(_gensim.GensimConfig):
    """Settings of fastText, which shares what it learns between words that are spelt alike."""

    kind: Literal["fasttext"] = "fasttext"
    """Name of the learner."""
    shortest: int = Field(default=2, ge=1, le=10)
    """Characters of the shortest n-gram, the marks at both ends of a word included."""
    longest: int = Field(default=5, ge=1, le=20)
    """Characters of the longest n-gram."""
    buckets: int = Field(default=200_000, ge=1, le=10_000_000)
    """Rows that all n-grams share by hashing; each takes 4 bytes a number."""

    @model_validator(mode="after")
    def _in_order(self) -> FasttextConfig:
        if self.shortest > self.longest:
            raise ValueError(f"shortest {self.shortest} is above longest {self.longest}; swap them")
        return self


def learn(
    texts: Texts,
    *,
    config: FasttextConfig,
    width: int,
    seed: int,
    purpose: Purpose,
) -> Learned:
    """Learn vectors of ``width`` numbers from texts of tokens; see `_gensim.learn`."""
    return _gensim.learn(
        functools.partial(_model, config),
        texts,
        config=config,
        width=width,
        seed=seed,
        purpose=purpose,
    )


def _model(config: FasttextConfig, settings: dict[str, Any]) -> Any:
    from gensim.models import FastText

    return FastText(sg=1, min_n=config.shortest, max_n=config.longest, bucket=config.buckets, **settings)


PLUGIN, CONFIG = learn, FasttextConfig

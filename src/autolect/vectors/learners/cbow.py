"""Continuous bag of words (Mikolov 2013, arXiv:1301.3781): the neighbours together predict a word."""

from __future__ import annotations

from typing import Any, Literal

from autolect.vectors.learners import _gensim
from autolect.vectors.store import Learned, Purpose
from autolect.vectors.texts import Texts


class CbowConfig(_gensim.GensimConfig):
    """Settings of the continuous bag of words, which is several times faster than skip-gram."""

    kind: Literal["cbow"] = "cbow"
    """Name of the learner."""


def learn(
    texts: Texts,
    *,
    config: CbowConfig,
    width: int,
    seed: int,
    purpose: Purpose,
) -> Learned:
    """Learn vectors of ``width`` numbers from texts of tokens; see `_gensim.learn`."""
    return _gensim.learn(
        _model,
        texts,
        config=config,
        width=width,
        seed=seed,
        purpose=purpose,
    )


def _model(settings: dict[str, Any]) -> Any:
    from gensim.models import Word2Vec

    return Word2Vec(sg=0, **settings)


PLUGIN, CONFIG = learn, CbowConfig

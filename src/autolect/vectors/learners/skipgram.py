"""Skip-gram with negative sampling (Mikolov 2013, arXiv:1310.4546): a word predicts its neighbours."""

from __future__ import annotations

from typing import Any, Literal

from autolect.vectors.learners import _gensim
from autolect.vectors.store import Learned, Purpose
from autolect.vectors.texts import Texts


class SkipgramConfig(_gensim.GensimConfig):
    """Settings of skip-gram: many passes over the text, where counts take one."""

    kind: Literal["skipgram"] = "skipgram"
    """Name of the learner."""


def learn(
    texts: Texts,
    *,
    config: SkipgramConfig,
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

    return Word2Vec(sg=1, **settings)


PLUGIN, CONFIG = learn, SkipgramConfig

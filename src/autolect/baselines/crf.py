"""A linear-chain conditional random field over hand-made features of each token and its neighbours.

The classic tagger before neural networks (Lafferty 2001; features in the manner of Ratnaparkhi 1996),
trained by crfsuite's L-BFGS with the elastic net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autolect.core.config import Section
from autolect.text.features import character_features, in_characters, word_features
from autolect.text.labels.labelled import TokenExample
from autolect.train.field import fitted


class CrfConfig(Section):
    """It has no settings."""

    kind: Literal["crf"] = "crf"


@dataclass(frozen=True, slots=True)
class Crf:
    """Fitted on train and valid together, because nothing is chosen on valid."""

    title: str = "feature CRF"
    serves: Literal["tag"] = "tag"

    def predict(
        self,
        train: Sequence[TokenExample],
        valid: Sequence[TokenExample],
        examples: Sequence[TokenExample],
        *,
        language: str,  # noqa: ARG002 (all baselines of a task share one signature)
        seed: int,  # noqa: ARG002 (L-BFGS draws nothing)
    ) -> list[tuple[str, ...]]:
        """One tag for each token; the same arguments give the same answer."""
        assert train
        known = [*train, *valid]
        words = [example.words() for example in known]
        features = character_features if in_characters(words) else word_features
        with fitted(list(map(features, words)), [example.tags for example in known]) as tagger:
            return [tuple(tagger.tag(features(example.words()))) for example in examples]


PLUGIN, CONFIG = Crf(), CrfConfig

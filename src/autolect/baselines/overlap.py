"""How much two texts share, by one number: the TF-IDF cosine of their words or runs of characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autolect.core import metrics
from autolect.core.config import Section
from autolect.text import pair_features
from autolect.text.labels.pairs import PairExample


class OverlapConfig(Section):
    """It has no settings; the kind of cosine is chosen on train and valid."""

    kind: Literal["overlap"] = "overlap"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Scores are the cosine itself; labels are told from it by a logistic regression."""

    title: str = "TF-IDF cosine"
    serves: Literal["pair"] = "pair"

    def predict(
        self,
        train: Sequence[PairExample],
        valid: Sequence[PairExample],
        given: Sequence[PairExample],
        *,
        language: str,
        seed: int,
    ) -> list[Any]:
        """One score or label for each pair."""
        known = [*train, *valid]
        pairs = pair_features.of_examples(known, language=language)
        rarity = pair_features.rarity_of(pairs)
        cosines = pair_features.overlaps(pairs, rarity=rarity)[:, :: pair_features.OF_KIND]
        asked = pair_features.overlaps(pair_features.of_examples(given, language=language), rarity=rarity)
        asked = asked[:, :: pair_features.OF_KIND]
        best = max(range(pair_features.KINDS), key=lambda kind: _agreement(cosines[:, kind], known))
        if known[0].score is not None:
            return [float(value) for value in asked[:, best]]
        from sklearn.linear_model import LogisticRegression

        machine = LogisticRegression(C=100.0, max_iter=1000, random_state=seed)
        machine.fit(cosines[:, [best]], np.array([one.labels[0] for one in known], dtype=object))
        return [str(label) for label in machine.predict(asked[:, [best]])]


def _agreement(cosine: NDArray[np.float32], known: Sequence[PairExample]) -> float:
    """How well a cosine orders the pairs: by rank where there are scores, else by how far labels differ."""
    if known[0].score is not None:
        return metrics.spearman(cosine, [one.score for one in known if one.score is not None])
    labels = np.array([one.labels[0] for one in known])
    means = [cosine[labels == label].mean() for label in np.unique(labels)]
    return float(np.std(means) / max(1e-9, cosine.std()))


PLUGIN, CONFIG = Overlap(), OverlapConfig

"""The second text of the training pair whose first is most alike: a translation memory, a ready answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from autolect.core.config import Section
from autolect.text.labels.pairs import PairExample

AT_ONCE = 500


class NearestPairConfig(Section):
    """It has no settings."""

    kind: Literal["nearest_pair"] = "nearest_pair"


@dataclass(frozen=True, slots=True)
class NearestPair:
    """Nearest by the TF-IDF cosine of runs of 1 to 4 characters."""

    title: str = "nearest training pair"
    serves: Literal["translate"] = "translate"

    def predict(
        self,
        train: Sequence[PairExample],
        valid: Sequence[PairExample],
        given: Sequence[PairExample],
        *,
        language: str,  # noqa: ARG002 (all baselines of a task share one signature)
        seed: int,  # noqa: ARG002
    ) -> list[str]:
        """One text for each pair's first."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        known = [*train, *valid]
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
        table = vectorizer.fit_transform([one.first for one in known])
        found: list[str] = []
        for begin in range(0, len(given), AT_ONCE):
            asked = vectorizer.transform([one.first for one in given[begin : begin + AT_ONCE]])
            nearest = (asked @ table.T).argmax(axis=1)
            found += [known[int(place)].second for place in np.asarray(nearest).ravel()]
        return found


PLUGIN, CONFIG = NearestPair(), NearestPairConfig

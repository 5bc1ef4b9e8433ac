"""The label that is most frequent in training, for every text: the score that knows nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autolect.core.config import Section
from autolect.text.labels.labelled import TextExample


class MajorityConfig(Section):
    """It has no settings."""

    kind: Literal["majority"] = "majority"


@dataclass(frozen=True, slots=True)
class Majority:
    """Answers every text alike."""

    title: str = "most frequent label"
    serves: Literal["classify"] = "classify"

    def predict(
        self,
        train: Sequence[TextExample],
        valid: Sequence[TextExample],
        texts: Sequence[str],
        *,
        language: str,  # noqa: ARG002 (all baselines of a task share one signature)
        seed: int,  # noqa: ARG002
    ) -> list[str]:
        """One label for each text; of equally frequent labels the first in alphabetical order."""
        assert train
        counts = Counter(example.label for example in (*train, *valid))
        label = min(counts, key=lambda name: (-counts[name], name))
        return [label] * len(texts)

    def predict_several(
        self,
        train: Sequence[TextExample],
        valid: Sequence[TextExample],
        texts: Sequence[str],
        *,
        language: str,  # noqa: ARG002
        seed: int,  # noqa: ARG002
    ) -> list[tuple[str, ...]]:
        """The most frequent set of labels, or the most frequent label where that set is empty."""
        sets = Counter(tuple(sorted(example.labels)) for example in (*train, *valid) if example.labels)
        labels = min(sets, key=lambda names: (-sets[names], names), default=())
        return [labels] * len(texts)


PLUGIN, CONFIG = Majority(), MajorityConfig

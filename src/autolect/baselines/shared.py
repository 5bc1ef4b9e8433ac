"""All that two texts share, in some thirty numbers, under boosted trees or a line, chosen on valid."""

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

Numbers = NDArray[np.float32]


class SharedConfig(Section):
    """It has no settings; the model is chosen on valid."""

    kind: Literal["shared"] = "shared"


@dataclass(frozen=True, slots=True)
class Shared:
    """Chosen on valid, then fitted again on train and valid together."""

    title: str = "shared words and characters"
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
        learned, chosen, asked = (
            pair_features.of_examples(examples, language=language) for examples in (train, valid, given)
        )
        rarity = pair_features.rarity_of([*learned, *chosen])
        parts = [pair_features.overlaps(pairs, rarity=rarity) for pairs in (learned, chosen, asked)]
        machines = _machines(scored=train[0].score is not None, seed=seed)
        gold = np.array([_gold(one) for one in train], dtype=object)
        name = next(iter(machines))
        if valid:
            wanted = [_gold(one) for one in valid]
            name = max(
                machines,
                key=lambda one: _agreement(wanted, machines[one].fit(parts[0], gold).predict(parts[1])),
            )
        every = np.array([_gold(one) for one in (*train, *valid)], dtype=object)
        found = machines[name].fit(np.concatenate(parts[:2]), every).predict(parts[2])
        return [one if isinstance(one, str) else float(one) for one in found.tolist()]


def _machines(*, scored: bool, seed: int) -> dict[str, Any]:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    trees = {
        "n_estimators": 200,
        "max_depth": 3,
        "learning_rate": 0.05,
        "subsample": 0.5,
        "random_state": seed,
    }
    if scored:
        return {
            "trees": GradientBoostingRegressor(**trees),
            "linear": make_pipeline(StandardScaler(), Ridge()),
        }
    return {
        "trees": GradientBoostingClassifier(**trees),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed)),
    }


def _gold(one: PairExample) -> str | float:
    return one.labels[0] if one.score is None else one.score


def _agreement(gold: Sequence[str | float], found: Any) -> float:
    if isinstance(gold[0], str):
        return metrics.accuracy(np.array(gold, dtype=object), found)
    return metrics.spearman(np.array(gold, dtype=float), np.asarray(found, dtype=float))


PLUGIN, CONFIG = Shared(), SharedConfig

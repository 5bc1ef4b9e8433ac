"""How a number is learned and told, as `_choice.One` does of labels. Targets (N,1), in spreads of train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autolect.core import metrics
from autolect.core.goal import Score
from autolect.core.intervals import Tally
from autolect.core.results import Rating
from autolect.text.labels.pairs import PairExample

Scores = NDArray[np.float64]


class Number:
    """The mean of what is likely: squared error."""

    measured = "Spearman"

    def targets(self, examples: Sequence[PairExample], labels: tuple[str, ...]) -> Scores:
        """(N,1) as they stand; 0 where there is none."""
        del labels
        return np.array([[one.score if one.score is not None else 0.0] for one in examples]).reshape(-1, 1)

    def losses(self, scores: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """Half the squared error of each row (B,)."""
        del smoothing
        return (scores - targets).square().sum(dim=1) / 2

    def costs(self, scores: Scores, targets: Scores, weights: Scores) -> Scores:
        """Squared error of each row (N,)."""
        found: Scores = (np.square(scores - targets) * weights).sum(axis=1)
        return found

    def answer(self, scores: Sequence[float], labels: tuple[str, ...]) -> Rating:
        """The number itself."""
        del labels
        (value,) = scores
        return Rating(value=value)

    def gold(self, example: PairExample) -> float:
        """The number."""
        assert example.score is not None
        return example.score

    def raw(self, answer: Rating) -> float:
        """The number."""
        return answer.value

    def score(
        self, examples: Sequence[PairExample], answers: Sequence[Rating], counts: Scores | None = None
    ) -> Score:
        """Spearman's correlation, where all count alike; the error breaks ties."""
        assert counts is None
        gold, found = np.array([self.gold(e) for e in examples]), np.array([a.value for a in answers])
        rank, error = metrics.spearman(gold, found), float(np.square(gold - found).mean())
        return Score(value=rank - error / 1e6, figures={"spearman": rank, "squared_error": error})

    def tally(self, gold: Sequence[float], predicted: Sequence[float]) -> Tally:
        """What each pair adds; ranks are those among all."""
        products = metrics.products(metrics.ranks(gold), metrics.ranks(predicted))
        return Tally(counts=products, score=metrics.correlation_score, least=-1.0)

    def measure(
        self, gold: Sequence[float], predicted: Sequence[float], labels: tuple[str, ...], *, seed: int
    ) -> dict[str, Any]:
        """Spearman's correlation with its interval, Pearson's, and the points."""
        del labels
        return self.tally(gold, predicted).facts(seed=seed) | {
            "pearson": metrics.pearson(gold, predicted),
            "points": [[float(g), float(p)] for g, p in zip(gold, predicted, strict=True)],
        }

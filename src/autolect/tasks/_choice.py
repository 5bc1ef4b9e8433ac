"""How labels are chosen by their scores (N,L): one a text, or each for itself. Targets (N,L) are 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from autolect.core import metrics
from autolect.core.goal import Score
from autolect.core.metrics import Tally
from autolect.core.results import Label, Labels
from autolect.text.labelled import TextExample
from autolect.text.pairs import PairExample

Scores = NDArray[np.float64]


class Choice(Protocol):
    """One way to choose."""

    def loss(self, scores: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """Sum over the rows."""

    def costs(self, scores: Scores, targets: Scores) -> Scores:
        """Negative log-likelihood of each row (N,)."""

    def answer(self, scores: Sequence[float], labels: Sequence[str]) -> Label | Labels:
        """What the scores (L,) of one row say."""

    def gold(self, example: TextExample) -> Any:
        """What is right."""

    def raw(self, answer: Any) -> Any:
        """What an answer says, in the shape of `gold`."""

    def score(self, examples: Sequence[TextExample], answers: Sequence[Any]) -> Score:
        """What decides on valid, and the loss, which breaks ties."""

    def tally(self, gold: Sequence[Any], predicted: Sequence[Any]) -> Tally:
        """What each text adds to the score."""

    def measure(
        self, gold: Sequence[Any], predicted: Sequence[Any], labels: tuple[str, ...], *, seed: int
    ) -> dict[str, Any]:
        """The score with its interval, and one row a label."""


class One:
    """One label a text: softmax."""

    def loss(self, scores: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(scores, targets.argmax(dim=1), reduction="sum", label_smoothing=smoothing)

    def costs(self, scores: Scores, targets: Scores) -> Scores:
        """Cross-entropy."""
        from scipy.special import log_softmax

        found: Scores = -(log_softmax(scores, axis=1) * targets).sum(axis=1)
        return found

    def answer(self, scores: Sequence[float], labels: Sequence[str]) -> Label:
        """The likeliest label."""
        from scipy.special import softmax

        shares = softmax(scores).tolist()
        best = int(np.argmax(shares))
        return Label(
            label=labels[best],
            probability=shares[best],
            probabilities=dict(zip(labels, shares, strict=True)),
        )

    def gold(self, example: TextExample | PairExample) -> str:
        """The label."""
        (label,) = example.labels
        return label

    def raw(self, answer: Label) -> str:
        """The label."""
        return answer.label

    def score(self, examples: Sequence[TextExample | PairExample], answers: Sequence[Label]) -> Score:
        """Accuracy."""
        gold = [self.gold(example) for example in examples]
        right = [a.label == label for a, label in zip(answers, gold, strict=True)]
        chances = [a.probabilities.get(label, 0.0) for a, label in zip(answers, gold, strict=True)]
        loss = float(-np.log(np.maximum(chances, 1e-9)).mean())
        accuracy = float(np.mean(right))
        return Score(value=accuracy - loss / 1000, figures={"accuracy": accuracy, "loss": loss})

    def tally(self, gold: Sequence[str], predicted: Sequence[str]) -> Tally:
        """Right or not."""
        right = np.array([g == p for g, p in zip(gold, predicted, strict=True)], dtype=float)
        return Tally(counts=right[:, None], score=metrics.mean_score)

    def measure(
        self, gold: Sequence[str], predicted: Sequence[str], labels: tuple[str, ...], *, seed: int
    ) -> dict[str, Any]:
        """Accuracy, macro F1, Matthews' correlation, and the confusion matrix."""
        labels = tuple(sorted({*labels, *gold, *predicted}))
        number = {label: place for place, label in enumerate(labels)}
        matrix = metrics.confusion([number[g] for g in gold], [number[p] for p in predicted], len(labels))
        return self.tally(gold, predicted).facts(seed=seed) | {
            "macro_f1": metrics.macro_f1(matrix),
            "mcc": metrics.matthews(matrix),
            "per_label": [
                [row.label, row.precision, row.recall, row.f1, row.support]
                for row in metrics.per_label(matrix, labels)
            ],
            "labels": list(labels),
            "confusion": matrix.tolist(),
        }


class Several:
    """Any number of labels a text: a sigmoid each."""

    def loss(self, scores: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """Binary cross-entropy, summed over the labels."""
        smooth = targets * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(scores, smooth, reduction="sum")

    def costs(self, scores: Scores, targets: Scores) -> Scores:
        """Binary cross-entropy, summed over the labels."""
        found: Scores = (np.logaddexp(0, scores) - targets * scores).sum(axis=1)
        return found

    def answer(self, scores: Sequence[float], labels: Sequence[str]) -> Labels:
        """The labels that are likelier than not, likeliest first."""
        from scipy.special import expit

        shares = expit(scores).tolist()
        order = np.argsort(shares)[::-1].tolist()
        return Labels(
            labels=tuple(labels[at] for at in order if shares[at] >= 0.5),
            probabilities=dict(zip(labels, shares, strict=True)),
        )

    def gold(self, example: TextExample) -> tuple[str, ...]:
        """The labels, in alphabetical order."""
        return tuple(sorted(example.labels))

    def raw(self, answer: Labels) -> tuple[str, ...]:
        """The labels, in alphabetical order."""
        return tuple(sorted(answer.labels))

    def score(self, examples: Sequence[TextExample], answers: Sequence[Labels]) -> Score:
        """Micro F1."""
        f1 = metrics.set_f1([e.labels for e in examples], [a.labels for a in answers])
        losses = [
            -np.log(max(1e-9, share if label in example.labels else 1 - share))
            for example, answer in zip(examples, answers, strict=True)
            for label, share in answer.probabilities.items()
        ]
        loss = float(np.mean(losses))
        return Score(value=f1 - loss / 1000, figures={"f1": f1, "loss": loss})

    def tally(self, gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]]) -> Tally:
        """Labels that are right, predicted, and in the gold data."""
        return Tally(counts=metrics.set_counts(gold, predicted).astype(float), score=metrics.f1_score)

    def measure(
        self,
        gold: Sequence[tuple[str, ...]],
        predicted: Sequence[tuple[str, ...]],
        labels: tuple[str, ...],
        *,
        seed: int,
    ) -> dict[str, Any]:
        """Micro F1, macro F1, and the share of texts with exactly the right labels."""
        labels = tuple(sorted({*labels, *(name for names in gold for name in names)}))
        pairs = list(zip(gold, predicted, strict=True))
        rows = [
            metrics.of_label(
                label,
                right=sum(label in g and label in p for g, p in pairs),
                found=sum(label in p for _, p in pairs),
                gold=sum(label in g for g, _ in pairs),
            )
            for label in labels
        ]
        occurring = [row.f1 for row in rows if row.support]
        return self.tally(gold, predicted).facts(seed=seed) | {
            "macro_f1": float(np.mean(occurring)) if occurring else 0.0,
            "exact": float(np.mean([set(g) == set(p) for g, p in pairs])),
            "per_label": [[row.label, row.precision, row.recall, row.f1, row.support] for row in rows],
        }

"""How labels are chosen by their scores (N,L): one a text, or each for itself. Targets (N,L) are 0 or 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from autolect.core import metrics
from autolect.core.goal import Score
from autolect.core.intervals import Tally
from autolect.core.results import Label, Labels
from autolect.text.labels.labelled import TextExample
from autolect.text.labels.pairs import PairExample

Scores = NDArray[np.float64]


class Choice(Protocol):
    """One way to choose."""

    measured: str
    """What the score is called."""

    def weights(self, targets: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much each label (L,) counts in the loss, from the targets to learn."""

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor, *, smoothing: float) -> Tensor:
        """Sum over the rows."""

    def costs(self, scores: Scores, targets: Scores, weights: Scores) -> Scores:
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
    """One label a text: softmax. balanced: each label counts as much as any other, however rare it is."""

    def __init__(self, *, balanced: bool = False) -> None:
        self.balanced = balanced
        self.measured = "macro F1" if balanced else "accuracy"

    def weights(self, targets: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The inverse of a label's share where they are balanced, 1 on average; else 1."""
        return _weights(targets) if self.balanced else np.ones(targets.shape[1])

    def targets(self, examples: Sequence[PairExample], labels: tuple[str, ...]) -> Scores:
        """(N,L) 1 where an example has a label; a label that is not known is none."""
        return one_hot(examples, labels).astype(float)

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor, *, smoothing: float) -> Tensor:
        """Cross-entropy."""
        # No product of matrices: those are in the training's format.
        return (self.losses(scores, targets, smoothing=smoothing) * weights[targets.argmax(dim=1)]).sum()

    def losses(self, scores: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
        """Cross-entropy of each row (B,)."""
        return F.cross_entropy(scores, targets.argmax(dim=1), reduction="none", label_smoothing=smoothing)

    def costs(self, scores: Scores, targets: Scores, weights: Scores) -> Scores:
        """Cross-entropy."""
        from scipy.special import log_softmax

        found: Scores = -(log_softmax(scores, axis=1) * targets * weights).sum(axis=1)
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

    def score(
        self,
        examples: Sequence[TextExample | PairExample],
        answers: Sequence[Label],
        counts: NDArray[np.float64] | None = None,
    ) -> Score:
        """Accuracy, or macro F1. counts (N,): how much each row counts in accuracy and loss; None: alike."""
        gold = [self.gold(example) for example in examples]
        right = [a.label == label for a, label in zip(answers, gold, strict=True)]
        chances = [a.probabilities.get(label, 0.0) for a, label in zip(answers, gold, strict=True)]
        loss = float(np.average(-np.log(np.maximum(chances, 1e-9)), weights=counts))
        figures = {"accuracy": float(np.average(right, weights=counts)), "loss": loss}
        if self.balanced:
            figures["macro_f1"] = self.tally(gold, [answer.label for answer in answers]).value
        decides = figures["macro_f1" if self.balanced else "accuracy"]
        return Score(value=decides - loss / 1000, figures=figures)

    def tally(self, gold: Sequence[str], predicted: Sequence[str]) -> Tally:
        """Right or not; of each label, whether it is right, predicted and in the gold data."""
        if self.balanced:
            return metrics.macro_tally([(one,) for one in gold], [(one,) for one in predicted])
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
            "accuracy": metrics.accuracy(list(gold), list(predicted)),
            "macro_f1": metrics.macro_f1(matrix),
            "mcc": metrics.matthews(matrix),
            "per_label": [
                [row.label, row.precision, row.recall, row.f1, row.support]
                for row in metrics.per_label(matrix, labels)
            ],
            "labels": list(labels),
            "confusion": matrix.tolist(),
        }


def one_hot(examples: Sequence[TextExample | PairExample], labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """(N,L) whether an example has a label; of labels that are not known nothing is kept."""
    number = {label: place for place, label in enumerate(labels)}
    found = np.zeros((len(examples), len(labels)), dtype=bool)
    for row, example in enumerate(examples):
        found[row, [number[name] for name in example.labels if name in number]] = True
    return found


class Several:
    """Any number of labels a text: a sigmoid each. balanced: the rarer a label, the more it counts that a
    text has it.
    """

    def __init__(self, *, balanced: bool = False) -> None:
        self.balanced = balanced
        self.measured = "macro F1" if balanced else "micro F1"

    def weights(self, targets: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The inverse of a label's share where they are balanced, 1 on average; else 1."""
        return _weights(targets) if self.balanced else np.ones(targets.shape[1])

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor, *, smoothing: float) -> Tensor:
        """Binary cross-entropy, summed over the labels."""
        smooth = targets * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(scores, smooth, pos_weight=weights, reduction="sum")

    def costs(self, scores: Scores, targets: Scores, weights: Scores) -> Scores:
        """Binary cross-entropy, summed over the labels."""
        has, lacks = np.logaddexp(0, -scores), np.logaddexp(0, scores)
        found: Scores = (weights * targets * has + (1 - targets) * lacks).sum(axis=1)
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
        """Micro F1, or macro F1."""
        f1 = self.tally([e.labels for e in examples], [a.labels for a in answers]).value
        losses = [
            -np.log(max(1e-9, share if label in example.labels else 1 - share))
            for example, answer in zip(examples, answers, strict=True)
            for label, share in answer.probabilities.items()
        ]
        loss = float(np.mean(losses))
        return Score(value=f1 - loss / 1000, figures={"f1": f1, "loss": loss})

    def tally(self, gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]]) -> Tally:
        """Labels that are right, predicted, and in the gold data; in all, or of each label."""
        if self.balanced:
            return metrics.macro_tally(gold, predicted)
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


def likeliest(
    scores: Scores, cost: Callable[[Scores], float], *, start: Sequence[float], trust: float
) -> Tensor:
    """The balance (P,) of P parts with which their scores (N,P,L), mixed into (N,L), cost least.

    start: what it is before anything is known, believed as firmly as a squared logarithm costs ``trust``.
    """
    from scipy.optimize import minimize

    before = np.array(start)

    def whole(change: NDArray[np.float64]) -> float:
        mixed = np.einsum("p,npl->nl", before * np.exp(change), scores)
        return float(trust * np.square(change).sum()) + cost(mixed)

    best = minimize(whole, np.zeros_like(before)).x
    return torch.from_numpy(before * np.exp(best))


def _weights(targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Targets (N,L) -> the inverse of each label's share (L,), so that the mean over all targets is 1."""
    counts = targets.sum(axis=0)
    occurring = max(1, int((counts > 0).sum()))
    found: NDArray[np.float64] = counts.sum() / (occurring * np.maximum(counts, 1))
    return found

"""One label a text: topic, sentiment, intent.

in   [BOS] a fine film [EOS]      out  positive 0.93, negative 0.07
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from autolect.core import metrics
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.results import Label
from autolect.nn.heads import TextHead, Wide, wide_buckets
from autolect.nn.losses import tensors
from autolect.nn.model import Model
from autolect.tasks import _linear
from autolect.tasks._common import (
    NO_BAG,
    Bag,
    DataConfig,
    bag,
    hidden,
    over_rows,
    wide_arguments,
    wide_scores,
    wide_tensors,
)
from autolect.text.features import text_features
from autolect.text.labelled import TextExample, read_texts
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import PAD

BALANCE = (0.25, 2.3)
"""How much the scores of the network and of the sparse features count before anything is known."""
SHARES = (2.0, 1.0, 2.0, 2.0, 1.0, 1.0)
"""How much words, pairs of words, and runs of 1, 2, 3 and 4 characters weigh in an item. Better than words
and runs as two equal kinds on folds of the training examples of five data sets (docs/LOG.md)."""
TRUST = 16.0
"""How firmly that is believed: as much as so many squared logarithms of the change cost in likelihood."""


class ClassifyConfig(DataConfig):
    """One label a text."""

    kind: Literal["classify"] = "classify"
    text_column: str | None = None
    """Column of the text, by name or by number from 1; empty: found and shown."""
    label_column: str | None = None
    """Column of the label; empty: found and shown."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each target that is spread over all labels, so that no part of the head is too sure
    (Szegedy 2016, arXiv:1512.00567)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts as token ids and buckets of sparse features, and their labels' numbers (-1: none)."""

    ids: list[NDArray[np.int32]]
    features: list[Bag]
    labels: NDArray[np.int64]
    places: list[str]
    num_cut: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, specials counted."""
        return np.array([len(ids) + 2 for ids in self.ids], dtype=np.int64)

    def where(self, row: int) -> str:
        """File and line of a row."""
        return self.places[row]


class ClassifyHead(nn.Module):
    """Scores from the token states, and from sparse features beside them."""

    def __init__(self, width: int, *, num_labels: int, config: ClassifyConfig) -> None:
        super().__init__()
        self.text = TextHead(width, num_labels=num_labels, dropout=config.dropout)
        self.wide = Wide(num_labels, shares=SHARES) if config.features == "hashed" else None
        self.balance: Tensor
        self.register_buffer("balance", torch.tensor(BALANCE[: 1 if self.wide is None else 2]))


class Classify:
    """Softmax over labels from pooled states of the encoder, and sparse features beside them."""

    BASELINES: ClassVar[tuple[str, ...]] = ("majority", "tfidf")
    MEASURE: ClassVar[str] = "accuracy"
    SETTLED: ClassVar[tuple[str, ...]] = ("head.balance",)
    """Weights that `settle` sets."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [3e-4, 3e-3, "log"],
        "task.dropout": [0.1, 0.6],
        "task.hide": [0.0, 0.4],
    }

    def __init__(self, config: ClassifyConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels
        self._number = {label: number for number, label in enumerate(labels)}

    @staticmethod
    def read(path: Path, config: ClassifyConfig) -> tuple[TextExample, ...]:
        """The examples of a file."""
        return read_texts(path, text_column=config.text_column, label_column=config.label_column).examples

    @staticmethod
    def find_labels(examples: Sequence[TextExample]) -> tuple[str, ...]:
        """The labels to choose from."""
        labels = tuple(sorted({example.label for example in examples}))
        if len(labels) < 2:
            raise UserError(
                f"every example has the label {labels[0]!r}",
                where="task.train",
                fix="give examples of at least two labels, or name task.label_column",
            )
        return labels

    @staticmethod
    def unlabelled(texts: Sequence[str]) -> list[TextExample]:
        """Texts as examples to answer."""
        return [TextExample(text=text, label="", where="") for text in texts]

    def head(self, width: int) -> nn.Module:
        """What is put on the encoder."""
        return ClassifyHead(width, num_labels=len(self.labels), config=self.config)

    def begin(self, head: nn.Module, rows: Rows) -> None:
        """Fit the sparse part of a new head to the train rows; training then leaves it alone."""
        from scipy.sparse import csr_matrix

        assert isinstance(head, ClassifyHead)
        wide = head.wide
        if wide is None:
            return
        wide.learn_rarity([one.ids for one in rows.features])
        ids, values, groups, starts = wide_arguments(wide_tensors(rows.features))
        weights = wide.weigh(ids, values, groups, starts).numpy()
        ends = np.append(starts.numpy(), len(ids))
        shape = (len(rows.labels), wide.table.num_embeddings)
        features = csr_matrix((weights, ids.numpy(), ends), shape=shape)
        with torch.no_grad():
            wide.fill(_linear.fit(features, rows.labels, num_labels=len(self.labels)))

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Choose how much each part of the head counts, by the likelihood of these rows (Platt 1999).

        The network learned its rows by heart, so only others can tell how sure it may be.
        """
        from scipy.optimize import minimize
        from scipy.special import log_softmax

        assert isinstance(head, ClassifyHead)
        known = rows.labels >= 0
        found = self._over(rows, network, device, lambda batch: list(self._scores(model, head, batch)))
        scores = torch.stack(found).cpu().numpy().astype(float)[known]
        labels, start = rows.labels[known], np.array(BALANCE[: scores.shape[1]])

        def cost(change: NDArray[np.float64]) -> float:
            mixed = np.einsum("p,npl->nl", start * np.exp(change), scores)
            chances = log_softmax(mixed, axis=1)[np.arange(len(labels)), labels]
            return float(TRUST * np.square(change).sum() - chances.sum())

        best = minimize(cost, np.zeros_like(start)).x
        head.balance.copy_(torch.from_numpy(start * np.exp(best)))

    def rows(self, examples: Sequence[TextExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; of a text longer than ``length`` tokens the beginning is used."""
        found = [one.ids for one in reader.read([example.text for example in examples])]
        return Rows(
            ids=[ids[: length - 2] for ids in found],
            features=[self._features(example.text, reader) for example in examples],
            labels=np.array([self._number.get(e.label, -1) for e in examples], dtype=np.int64),
            places=[example.where for example in examples],
            num_cut=sum(len(ids) > length - 2 for ids in found),
        )

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """tokens, keep (B,T), labels (B,); with ``draw`` some tokens are hidden."""
        ids = padded([rows.ids[row] for row in chosen], length)
        tokens = ids if draw is None else hidden(ids, self.config.hide, draw)
        wide = wide_tensors([rows.features[row] for row in chosen])
        return wide | tensors(tokens=tokens, keep=ids != PAD, labels=rows.labels[chosen])

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Cross-entropy of the labels by the network alone; the sparse part is fitted already."""
        total = F.cross_entropy(
            self._network(model, head, batch),
            batch["labels"],
            reduction="sum",
            label_smoothing=self.config.smoothing,
        )
        return Loss(total, len(batch["labels"]))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Label]:
        """One label a row."""
        assert isinstance(head, ClassifyHead)
        balance = head.balance[:, None]

        def answer(batch: Tensors) -> list[Label]:
            mixed = (balance * self._scores(model, head, batch)).sum(dim=1)
            return [self._label(shares) for shares in mixed.softmax(dim=-1).tolist()]

        return self._over(rows, network, device, answer)

    @staticmethod
    def raw(answer: Label) -> str:
        """What a baseline would have answered."""
        return answer.label

    @staticmethod
    def gold(example: TextExample) -> str:
        """What is right."""
        return example.label

    def score(self, examples: Sequence[TextExample], answers: Sequence[Label]) -> Score:
        """Accuracy decides; the loss breaks ties."""
        right = [a.label == e.label for a, e in zip(answers, examples, strict=True)]
        chances = [
            max(a.probabilities.get(e.label, 0.0), 1e-9) for a, e in zip(answers, examples, strict=True)
        ]
        loss = float(-np.log(chances).mean())
        accuracy = float(np.mean(right))
        return Score(value=accuracy - loss / 1000, figures={"accuracy": accuracy, "loss": loss})

    def measure(self, gold: Sequence[str], predicted: Sequence[str], *, seed: int) -> dict[str, Any]:
        """Accuracy with its interval, macro F1, one row a label and the confusion matrix."""
        labels = tuple(sorted({*self.labels, *gold, *predicted}))
        number = {label: place for place, label in enumerate(labels)}
        right = np.array([g == p for g, p in zip(gold, predicted, strict=True)], dtype=float)
        matrix = metrics.confusion([number[g] for g in gold], [number[p] for p in predicted], len(labels))
        interval = metrics.bootstrap(metrics.mean_score, right, seed=seed)
        return {
            "score": float(right.mean()),
            "low": interval.low,
            "high": interval.high,
            "macro_f1": metrics.macro_f1(matrix),
            "per_label": [
                [row.label, row.precision, row.recall, row.f1, row.support]
                for row in metrics.per_label(matrix, labels)
            ],
            "labels": list(labels),
            "confusion": matrix.tolist(),
        }

    def _over(
        self, rows: Rows, network: nn.Module, device: Device, answer: Callable[[Tensors], Sequence[Any]]
    ) -> list[Any]:
        """One answer a row, in order."""
        return over_rows(
            rows.lengths,
            collate=lambda chosen, length: self.collate(rows, chosen, length, None),
            answer=answer,
            network=network,
            device=device,
        )

    def _network(self, model: Model, head: nn.Module, batch: Tensors) -> Tensor:
        """Scores (B,L) of the network."""
        assert isinstance(head, ClassifyHead)
        tokens, keep = batch["tokens"], batch["keep"]
        scores: Tensor = head.text(model.encode(tokens, keep), model.embedding(tokens), keep)
        return scores.float()

    def _scores(self, model: Model, head: nn.Module, batch: Tensors) -> Tensor:
        """(B,P,L): scores of each of the P parts, the network and, if the head has them, sparse features."""
        assert isinstance(head, ClassifyHead)
        parts = [self._network(model, head, batch)]
        if head.wide is not None:
            parts.append(wide_scores(head.wide, batch))
        return torch.stack(parts, dim=1)

    def _features(self, text: str, reader: Reader) -> Bag:
        if self.config.features == "none":
            return NO_BAG
        found = text_features(text, language=reader.tokenizer.language)
        return bag(found, count=wide_buckets(len(self.labels)))

    def _label(self, shares: list[float]) -> Label:
        best = int(np.argmax(shares))
        return Label(
            label=self.labels[best],
            probability=shares[best],
            probabilities=dict(zip(self.labels, shares, strict=True)),
        )


PLUGIN, CONFIG = Classify, ClassifyConfig

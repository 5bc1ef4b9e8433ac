"""One label a text, or several: topic, sentiment, intent.

in   [BOS] a fine film [EOS]      out  positive 0.93, negative 0.07
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.intervals import Tally
from autolect.core.results import Label, Labels
from autolect.nn.heads import TextHead, Wide, prototypes
from autolect.nn.losses import tensors
from autolect.nn.model import Architecture, Model
from autolect.tasks import _linear
from autolect.tasks._choice import Choice, One, Several, likeliest, one_hot
from autolect.tasks._common import (
    NO_BAG,
    Bag,
    Column,
    LabelsConfig,
    bag,
    hidden,
    over,
    over_rows,
    wide_arguments,
    wide_scores,
    wide_tensors,
)
from autolect.text.features import text_features
from autolect.text.labels.labelled import LabelledTexts, TextExample, read_texts
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import PAD

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BALANCE = (0.25, 2.3)
"""How much the scores of the network and of the sparse features count before anything is known."""
SHARES = (2.0, 1.0, 2.0, 2.0, 1.0, 1.0)
"""How much words, pairs of words, and runs of 1, 2, 3 and 4 characters weigh in an item. Better than words
and runs as two equal kinds on folds of the training examples of five data sets (docs/LOG.md)."""
FEW, FOLDS = 1000, 5
"""With so few texts folds of them tell how much each part of the head may count."""
EVEN, EVEN_TRUST = (1.0, 1.0), 1.0
"""Where folds begin to look, and how firmly they believe it."""
MOST_SEEN = 2000
"""Texts that the start of the network's part is made from."""
TRUST = 16.0
"""How firmly that is believed: as much as so many squared logarithms of the change cost in likelihood."""


class ClassifyConfig(LabelsConfig):
    """One label a text, or several."""

    kind: Literal["classify"] = "classify"
    text_column: Column = None
    """Column of the text, by name or by number from 1; empty: found and shown."""
    label_column: Column = None
    """Column of the label; empty: found and shown."""
    slice_column: Column = None
    """Column of what the evaluation tells scores apart by, such as where a text comes from."""
    several: bool = False
    """A text may have several labels, or none; in a table they stand in one cell."""
    separator: str = Field(default=",", min_length=1)
    """What parts the labels of a cell, where there may be several."""
    weights: Literal["even", "balanced"] = "even"
    """balanced: rare labels count as much as frequent ones, in training and in the score, which is macro F1
    then. even: every text counts alike."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each target that is spread over all labels, so that no part of the head is too sure
    (Szegedy 2016, arXiv:1512.00567)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts as token ids and buckets of sparse features, and which labels they have (N,L)."""

    ids: list[NDArray[np.int32]]
    features: list[Bag]
    targets: NDArray[np.bool_]
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
        self.weights: Tensor
        # They follow from the texts to learn and serve training alone, so a bundle does not hold them.
        self.register_buffer("weights", torch.ones(num_labels), persistent=False)
        self.register_buffer("balance", torch.tensor(BALANCE[: 1 if self.wide is None else 2]))


class Classify:
    """Labels from pooled states of the encoder, and sparse features beside them."""

    BASELINES: ClassVar[tuple[str, ...]] = ("majority", "tfidf")
    SETTLED: ClassVar[tuple[str, ...]] = ("head.balance",)
    """Weights that `settle` sets."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [3e-4, 3e-3, "log"],
        "task.dropout": [0.1, 0.6],
        "task.hide": [0.0, 0.4],
    }

    def __init__(self, config: ClassifyConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels
        choice = Several if config.several else One
        self.choice: Choice = choice(balanced=config.weights == "balanced")

    @staticmethod
    def read(path: Path, config: ClassifyConfig) -> LabelledTexts:
        """The examples of a file."""
        return read_texts(
            path,
            text_column=config.text_column,
            label_column=config.label_column,
            slice_column=config.slice_column,
            encoding=config.encoding,
            separator=config.separator if config.several else None,
        )

    @staticmethod
    def find_labels(examples: Sequence[TextExample]) -> tuple[str, ...]:
        """The labels to choose from."""
        labels = tuple(sorted({label for example in examples for label in example.labels}))
        if len(labels) < 2:
            raise UserError(
                f"every example has the label {labels[0]!r}" if labels else "no example has a label",
                where="task.train",
                fix="give examples of at least two labels, or name task.label_column",
            )
        return labels

    @staticmethod
    def unlabelled(texts: Sequence[str]) -> list[TextExample]:
        """Texts as examples to answer."""
        return [TextExample(text=text, labels=(), where="") for text in texts]

    @staticmethod
    def taught(example: TextExample, answer: Label | Labels) -> TextExample:
        """An example with an answer as its labels."""
        return replace(example, labels=answer.labels if isinstance(answer, Labels) else (answer.label,))

    @property
    def measured(self) -> str:
        """What the score is called."""
        return self.choice.measured

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return ClassifyHead(architecture.width, num_labels=len(self.labels), config=self.config)

    def begin(self, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Start the network's part of a new head from the train rows, and fit the sparse part to them.

        Training then leaves the sparse part alone. Where there are few rows, folds of them tell how much
        each part may count, since valid has too few to settle it.
        """
        assert isinstance(head, ClassifyHead)
        head.weights.copy_(torch.from_numpy(self.choice.weights(rows.targets)))
        seen = np.unique(np.linspace(0, len(rows.ids) - 1, min(MOST_SEEN, len(rows.ids))).astype(int))
        pooled, targets = self._pooled(model, head, rows, seen, device), torch.from_numpy(rows.targets)
        with torch.no_grad():
            head.text.start(*prototypes(pooled, targets[seen]))
        wide = head.wide
        if wide is None:
            return
        wide.learn([one.ids for one in rows.features])
        features, balanced = _sparse(wide, rows), self.config.weights == "balanced"
        with torch.no_grad():
            line = _linear.fit(features, rows.targets, balanced=balanced)
            wide.fill(line.weights)
            wide.bias.copy_(torch.from_numpy(line.bias))
        if len(rows.ids) > FEW:
            return
        scores = np.zeros((len(rows.ids), 2, len(self.labels)))
        parts = _linear.folds(len(rows.ids), FOLDS)
        for fold in range(FOLDS):
            mine = parts == fold
            weight, bias = prototypes(pooled[~mine], targets[~mine])
            scores[mine, 0] = (pooled[mine] @ weight.T + bias).numpy()
            line = _linear.fit(features[~mine], rows.targets[~mine], balanced=balanced)
            scores[mine, 1] = line.scores(features[mine])
        head.balance.copy_(self._likeliest(head, scores, rows.targets, start=EVEN, trust=EVEN_TRUST))

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Choose how much each part of the head counts, by the likelihood of these rows (Platt 1999).

        The network learned its rows by heart, so only others can tell how sure it may be.
        """
        assert isinstance(head, ClassifyHead)
        known = rows.targets.any(axis=1) if not self.config.several else np.ones(len(rows.targets), bool)
        found = over(self, rows, lambda batch: list(self._scores(model, head, batch)), network, device)
        scores = torch.stack(found).cpu().numpy().astype(float)[known]
        start = tuple(head.balance.tolist())
        head.balance.copy_(self._likeliest(head, scores, rows.targets[known], start=start, trust=TRUST))

    def _likeliest(
        self,
        head: ClassifyHead,
        scores: NDArray[np.float64],
        targets: NDArray[np.bool_],
        *,
        start: tuple[float, ...],
        trust: float,
    ) -> Tensor:
        """The balance (P,) with which scores (N,P,L) make the targets (N,L) likeliest."""
        weights, right = head.weights.cpu().numpy().astype(float), targets.astype(float)

        def cost(mixed: NDArray[np.float64]) -> float:
            return float(self.choice.costs(mixed, right, weights).sum())

        return likeliest(scores, cost, start=start, trust=trust)

    def _pooled(
        self, model: Model, head: ClassifyHead, rows: Rows, seen: NDArray[np.int64], device: Device
    ) -> Tensor:
        """What the network's part of the head decides by (N,3D), of some rows."""

        def answer(batch: Tensors) -> list[Tensor]:
            tokens, keep = batch["tokens"], batch["keep"]
            return list(head.text.pooled(model.encode(tokens, keep), model.embedding(tokens), keep))

        found = over_rows(
            rows.lengths[seen],
            collate=lambda chosen, length: self.collate(rows, seen[chosen], length, None),
            answer=answer,
            network=model,
            device=device,
        )
        return torch.stack(found).float().cpu()

    def rows(self, examples: Sequence[TextExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; of a text longer than ``length`` tokens the beginning is used."""
        found = [one.ids for one in reader.read([example.text for example in examples])]
        return Rows(
            ids=[ids[: length - 2] for ids in found],
            features=[self._features(example.text, reader) for example in examples],
            targets=one_hot(examples, self.labels),
            places=[example.where for example in examples],
            num_cut=sum(len(ids) > length - 2 for ids in found),
        )

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """tokens, keep (B,T), targets (B,L); with ``draw`` some tokens are hidden."""
        ids = padded([rows.ids[row] for row in chosen], length)
        tokens = ids if draw is None else hidden(ids, self.config.hide, draw)
        wide = wide_tensors([rows.features[row] for row in chosen])
        targets = rows.targets[chosen].astype(np.float32)
        return wide | tensors(tokens=tokens, keep=ids != PAD, targets=targets)

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Cross-entropy of the labels by the network alone; the sparse part is fitted already."""
        scores = self._network(model, head, batch)
        weights = head.get_buffer("weights")
        total = self.choice.loss(scores, batch["targets"], weights, smoothing=self.config.smoothing)
        return Loss(total, len(scores))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Any]:
        """A Label a row, or Labels where a text may have several."""
        assert isinstance(head, ClassifyHead)
        balance = head.balance[:, None]

        def answer(batch: Tensors) -> list[Any]:
            mixed = (balance * self._scores(model, head, batch)).sum(dim=1)
            return [self.choice.answer(scores, self.labels) for scores in mixed.tolist()]

        return over(self, rows, answer, network, device)

    def judge(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        examples: Sequence[TextExample],
        device: Device,
    ) -> Score:
        """The score of its answers on these rows."""
        return self.score(examples, self.answers(network, model, head, rows, device))

    def raw(self, answer: Label | Labels) -> Any:
        """What a baseline would have answered."""
        return self.choice.raw(answer)

    def gold(self, example: TextExample) -> Any:
        """What is right."""
        return self.choice.gold(example)

    def score(self, examples: Sequence[TextExample], answers: Sequence[Any]) -> Score:
        """Accuracy, or micro F1 where texts may have several labels; the loss breaks ties."""
        return self.choice.score(examples, answers)

    def measure(self, gold: Sequence[Any], predicted: Sequence[Any], *, seed: int) -> dict[str, Any]:
        """The score with its interval, and one row a label."""
        return self.choice.measure(gold, predicted, self.labels, seed=seed)

    def tally(self, gold: Sequence[Any], predicted: Sequence[Any]) -> Tally:
        """What each text adds to the score."""
        return self.choice.tally(gold, predicted)

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
        return bag(found)


def _sparse(wide: Wide, rows: Rows) -> csr_matrix:
    """The weighed sparse features of rows that are known, (N,K)."""
    from scipy.sparse import csr_matrix

    ids, values, groups, starts = wide_arguments(wide_tensors(rows.features))
    places = wide.rows(ids)
    weights = wide.weigh(places, values, groups, starts).numpy()
    ends = np.append(starts.numpy(), len(ids))
    known = csr_matrix((weights, places.numpy(), ends), shape=(len(rows.ids), len(wide.keys)))
    return known[:, :-1]


PLUGIN, CONFIG = Classify, ClassifyConfig

"""Two texts and how they stand to each other: likeness as a score, paraphrase or entailment as a label.

in   a man plays a guitar | a man is playing guitar      out  4.6      or      same 0.93, different 0.07
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.intervals import Tally
from autolect.nn.heads import PairHead, TextHead
from autolect.nn.losses import tensors
from autolect.nn.model import Architecture, Model
from autolect.tasks._choice import One, likeliest
from autolect.tasks._common import Column, DataConfig, hidden, over
from autolect.tasks._number import Number
from autolect.tasks._shared import Shared
from autolect.text import pair_features
from autolect.text.labels.lengths import Lengths
from autolect.text.labels.pairs import PairExample, ReadPairs, number_of, parted, read_pairs
from autolect.text.noise import padded
from autolect.text.pair_features import Matched
from autolect.text.reading import Reader
from autolect.text.tokenizer import EOS, PAD

COMMA = re.compile("-?[0-9]+,[0-9]+")
"""A number with a decimal comma."""
ODD = 0.1
"""If no more of the answers than this share are no numbers, they are slips among scores."""
MANY_SCORES = 10
"""Answers that are numbers are scores if more different ones than this occur, or if one is not whole."""
OVERLAP = 0.1
"""If lengths leave a smaller share of the pairs to learn from, nothing is learned that holds elsewhere."""
BALANCE = {"score": (0.4, 0.6), "label": (0.6, 3.0)}
"""How much the network and what is shared count before anything is known."""
TRUST = 16.0
"""How firmly that is believed: as much as so many squared logarithms of the change cost in likelihood."""


class PairConfig(DataConfig):
    """A score or a label for two texts."""

    kind: Literal["pair"] = "pair"
    first_column: Column = None
    """Column of the first text, by name or by number from 1; empty: found and shown."""
    second_column: Column = None
    """Column of the second text; empty: found and shown."""
    label_column: Column = None
    """Column of the score or label; empty: found and shown."""
    slice_column: Column = None
    """Column of what the evaluation tells scores apart by, such as where a pair comes from."""
    answer: Literal["auto", "score", "label"] = "auto"
    """auto: a score where the answers are numbers, and more than ten different ones or not all whole."""
    encoder: Literal["bi", "cross"] = "bi"
    """bi: each text is read alone and their tokens are compared after. cross: both are read as one text."""
    ordered: bool = False
    """Which text comes first means something, as in entailment. Otherwise they change places in training."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each target that is spread over all labels."""
    features: Literal["none", "shared"] = "shared"
    """shared: what the texts have in common goes to boosted trees and a linear model beside the network."""
    even_lengths: bool = False
    """Pairs count so that how long their texts are tells nothing of the label, in training and on valid. For
    labels that length tells by accident; `autolect labels check` says how many."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Pairs as token ids, what they share, and what is right (N,L): one number, or which label."""

    first: list[NDArray[np.int32]]
    second: list[NDArray[np.int32]]
    shared: list[Matched]
    targets: NDArray[np.float64]
    characters: NDArray[np.int64]
    """(N,) of both texts."""
    places: list[str]
    num_cut: int
    joined: bool

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer text of each pair, or of both together, specials counted."""
        sizes = np.array([[len(one), len(other)] for one, other in zip(self.first, self.second, strict=True)])
        sizes = sizes.reshape(-1, 2)
        found: NDArray[np.int64] = sizes.sum(axis=1) + 3 if self.joined else sizes.max(axis=1, initial=0) + 2
        return found

    def where(self, row: int) -> str:
        """File and line of a row."""
        return self.places[row]


class Head(nn.Module):
    """Scores from the tokens of both texts, and from what the texts share."""

    balance: Tensor
    scale: Tensor
    """(4,) mean, spread, least and greatest of the train targets that are numbers."""

    def __init__(self, architecture: Architecture, *, num_outputs: int, config: PairConfig) -> None:
        super().__init__()
        width = architecture.width
        kind = PairHead if config.encoder == "bi" else TextHead
        sizes = {"num_outputs" if config.encoder == "bi" else "num_labels": num_outputs}
        self.text = kind(width, dropout=config.dropout, **sizes)
        self.shared: Shared | None = None
        self.start: tuple[float, ...] = (1.0,)
        """The balance before anything is known."""
        if config.features == "shared":
            self.shared = Shared(num_outputs, vocab_size=architecture.vocab_size, width=width)
            self.start = BALANCE["score" if num_outputs == 1 else "label"]
        self.register_buffer("balance", torch.tensor(self.start))
        self.register_buffer("scale", torch.tensor([0.0, 1.0, -torch.inf, torch.inf]))
        self.lengths: Lengths | None = None
        """What the lengths of the train rows tell, in training where it is to tell nothing."""

    def counts(self, characters: NDArray[np.int64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much each pair (N,) counts."""
        if self.lengths is None:
            return np.ones(len(targets))
        counts = self.lengths.counts_for(characters, targets.argmax(axis=1))
        # A label that train lacks has no share at any length.
        return np.where(targets.any(axis=1), counts, 1.0)

    def scaled(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets (N,L) as the parts of the head learn them."""
        mean, spread, *_ = self.scale.tolist()
        found: NDArray[np.float64] = (targets - mean) / spread
        return found

    def unscaled(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (N,L) as the train targets stand, and not beyond them."""
        mean, spread, low, high = self.scale.tolist()
        found: NDArray[np.float64] = np.clip(mean + spread * scores, low, high)
        return found


class Pair:
    """A network over both texts, and boosted trees over what they share."""

    BASELINES: ClassVar[tuple[str, ...]] = ("overlap", "shared")
    SETTLED: ClassVar[tuple[str, ...]] = ("head.balance",)
    """Weights that `settle` sets."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [3e-4, 3e-3, "log"],
        "task.dropout": [0.1, 0.6],
        "task.hide": [0.0, 0.3],
    }

    def __init__(self, config: PairConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels
        self.choice: One | Number = One() if labels else Number()

    @staticmethod
    def read(path: Path, config: PairConfig) -> ReadPairs:
        """The pairs of a file; where answers are scores, as numbers."""
        read = _read(path, config)
        train = Path(config.train)
        told_by = read if path == train else _read(train, config)
        if not _scored(told_by.examples, config):
            return replace(read, notes=(*read.notes, "answers are labels"))
        if config.even_lengths:
            raise UserError(
                "pairs with scores have no labels that lengths could tell",
                where="task.even_lengths",
                fix="leave it out",
            )
        notes = (*read.notes, "answers are scores")
        return replace(read, examples=tuple(_with_score(one) for one in read.examples), notes=notes)

    @staticmethod
    def find_labels(examples: Sequence[PairExample]) -> tuple[str, ...]:
        """The labels to choose from; none where pairs have scores."""
        if examples[0].score is not None:
            if len({one.score for one in examples}) < 2:
                raise UserError("every pair has the same score", where="task.train", fix="check the columns")
            return ()
        labels = tuple(sorted({label for one in examples for label in one.labels}))
        if len(labels) < 2:
            raise UserError(
                f"every pair has the label {labels[0]!r}", where="task.train", fix="check task.label_column"
            )
        return labels

    @staticmethod
    def unlabelled(texts: Sequence[str | Sequence[str]]) -> list[PairExample]:
        """Pairs, or lines of two texts parted by a tab, as examples to answer."""
        pairs = [parted(one) if isinstance(one, str) else (one[0], one[1]) for one in texts]
        return [PairExample(first=first, second=second, where="") for first, second in pairs]

    @property
    def measured(self) -> str:
        """What the score is called."""
        return self.choice.measured

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return Head(architecture, num_outputs=len(self.labels) or 1, config=self.config)

    def begin(self, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:  # noqa: ARG002
        """Fit a new head to what the train pairs share; training then leaves that alone."""
        assert isinstance(head, Head)
        if not self.labels:
            values = rows.targets
            known = [values.mean(), values.std() or 1.0, values.min(), values.max()]
            head.scale.copy_(torch.tensor(known))
        if self.config.even_lengths:
            lengths = Lengths.of(rows.characters, rows.targets.argmax(axis=1), len(self.labels))
            if lengths.overlap < OVERLAP:
                raise UserError(
                    f"lengths tell the labels apart so well that {lengths.overlap:.0%} of the pairs are left",
                    where="task.even_lengths",
                    fix="add pairs of each label at every length, or leave it out",
                )
            head.lengths = lengths
        if head.shared is not None:
            head.shared.know(model.rows().detach().float(), [*rows.first, *rows.second], rows.shared)
            counts = head.counts(rows.characters, rows.targets)
            head.shared.fit(rows.shared, head.scaled(rows.targets), counts)

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Choose how much each part of the head counts, by the likelihood of these rows."""
        assert isinstance(head, Head)
        known = rows.targets.any(axis=1) if self.labels else np.ones(len(rows.targets), bool)
        scores = self._scores(network, model, head, rows, device)[known]
        targets, alike = head.scaled(rows.targets)[known], np.ones(rows.targets.shape[1])
        counts = head.counts(rows.characters, rows.targets)[known]

        def cost(mixed: NDArray[np.float64]) -> float:
            return float(counts @ self.choice.costs(mixed, targets, alike))

        head.balance.copy_(likeliest(scores, cost, start=head.start, trust=TRUST))

    def rows(self, examples: Sequence[PairExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; of texts longer than ``length`` tokens, or half of it, the beginning is used."""
        joined = self.config.encoder == "cross"
        room = (length - 3) // 2 if joined else length - 2
        read = [one.ids for one in reader.read([t for one in examples for t in (one.first, one.second)])]
        first, second = read[::2], read[1::2]
        shared = [
            pair_features.matched(
                one.first, one.second, (a[:room], b[:room]), language=reader.tokenizer.language
            )
            for one, a, b in zip(examples, first, second, strict=True)
            if self.config.features == "shared"
        ]
        return Rows(
            first=[ids[:room] for ids in first],
            second=[ids[:room] for ids in second],
            shared=shared,
            targets=self.choice.targets(examples, self.labels),
            characters=np.array([len(one.first) + len(one.second) for one in examples], dtype=np.int64),
            places=[example.where for example in examples],
            num_cut=sum(max(map(len, ids)) > room for ids in zip(first, second, strict=True)),
            joined=joined,
        )

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """tokens, keep (2B,T), first texts before second, or (B,T) of both; targets (B,L), characters (B,).

        With ``draw`` some tokens are hidden, and where order says nothing half of the pairs change places.
        """
        first = [rows.first[row] for row in chosen]
        second = [rows.second[row] for row in chosen]
        if draw is not None and not self.config.ordered:
            for place in np.flatnonzero(draw.random(len(first)) < 0.5).tolist():
                first[place], second[place] = second[place], first[place]
        if rows.joined:
            ids = padded([np.concatenate([a, [EOS], b]) for a, b in zip(first, second, strict=True)], length)
        else:
            ids = padded([*first, *second], length)
        tokens = ids if draw is None else hidden(ids, self.config.hide, draw)
        targets = rows.targets[chosen].astype(np.float32)
        return tensors(tokens=tokens, keep=ids != PAD, targets=targets, characters=rows.characters[chosen])

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Cross-entropy, or squared error in spreads of the scores, of the network alone."""
        assert isinstance(head, Head)
        scores, targets = self._network(model, head, batch), batch["targets"]
        scaled = (targets - head.scale[0]) / head.scale[1]
        losses = self.choice.losses(scores, scaled, smoothing=self.config.smoothing)
        if head.lengths is not None:
            counts = head.counts(batch["characters"].cpu().numpy(), targets.cpu().numpy())
            losses = losses * torch.from_numpy(counts).to(losses)
        return Loss(losses.sum(), len(scores))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Any]:
        """A Label or a Rating a pair."""
        assert isinstance(head, Head)
        scores = self._scores(network, model, head, rows, device)
        mixed = np.einsum("p,npl->nl", head.balance.cpu().double().numpy(), scores)
        return [self.choice.answer(row, self.labels) for row in head.unscaled(mixed).tolist()]

    def judge(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        examples: Sequence[PairExample],
        device: Device,
    ) -> Score:
        """The score of its answers on these rows."""
        assert isinstance(head, Head)
        counts = head.counts(rows.characters, rows.targets) if self.config.even_lengths else None
        return self.score(examples, self.answers(network, model, head, rows, device), counts)

    def raw(self, answer: Any) -> Any:
        """What a baseline would have answered."""
        return self.choice.raw(answer)

    def gold(self, example: PairExample) -> Any:
        """What is right."""
        return self.choice.gold(example)

    def score(
        self,
        examples: Sequence[PairExample],
        answers: Sequence[Any],
        counts: NDArray[np.float64] | None = None,
    ) -> Score:
        """Accuracy, where each pair counts so much (N,), or Spearman's; the loss or the error breaks ties."""
        return self.choice.score(examples, answers, counts)

    def measure(self, gold: Sequence[Any], predicted: Sequence[Any], *, seed: int) -> dict[str, Any]:
        """The score with its interval; one row a label, or Pearson's correlation too."""
        return self.choice.measure(gold, predicted, self.labels, seed=seed)

    def tally(self, gold: Sequence[Any], predicted: Sequence[Any]) -> Tally:
        """What each pair adds to the score."""
        return self.choice.tally(gold, predicted)

    def _scores(
        self, network: nn.Module, model: Model, head: Head, rows: Rows, device: Device
    ) -> NDArray[np.float64]:
        """(N,P,L): what each of the P parts says, the network and, if the head has it, what is shared."""

        def answer(batch: Tensors) -> list[Tensor]:
            return list(self._network(model, head, batch).cpu())

        found = over(self, rows, answer, network, device)
        if not found:
            return np.zeros((0, len(head.balance), len(self.labels) or 1))
        parts = [torch.stack(found).double()]
        if head.shared is not None:
            parts.append(head.shared(rows.shared).cpu().double())
        scores: NDArray[np.float64] = torch.stack(parts, dim=1).numpy()
        return scores

    def _network(self, model: Model, head: Head, batch: Tensors) -> Tensor:
        """Scores (B,L) of the network."""
        tokens, keep = batch["tokens"], batch["keep"]
        scores: Tensor = head.text(model.encode(tokens, keep), model.embedding(tokens), keep)
        return scores.float()


def _read(path: Path, config: PairConfig) -> ReadPairs:
    return read_pairs(
        path,
        first=config.first_column,
        second=config.second_column,
        gold=config.label_column,
        slices=config.slice_column,
        encoding=config.encoding,
    )


def _scored(examples: Sequence[PairExample], config: PairConfig) -> bool:
    """Whether the answers are scores, by those of train."""
    if config.answer != "auto":
        return config.answer == "score"
    numbers = [number_of(one.labels[0]) for one in examples]
    known = {number for number in numbers if number is not None}
    scores = len(known) > MANY_SCORES or any(number != int(number) for number in known)
    odd = [one for one, number in zip(examples, numbers, strict=True) if number is None]
    if scores and 0 < len(odd) <= ODD * len(examples):
        _refuse_number(odd[0])
    if odd and all(COMMA.fullmatch(one.labels[0]) for one in odd):
        _refuse_number(odd[0])
    return scores and not odd


def _with_score(one: PairExample) -> PairExample:
    number = number_of(one.labels[0])
    if number is None:
        _refuse_number(one)
    return replace(one, labels=(), score=number)


def _refuse_number(one: PairExample) -> NoReturn:
    what = f"{one.labels[0]!r} is no number, unlike other answers or but for its comma"
    raise UserError(what, where=one.where, fix='correct it (4.5, not 4,5), or set task.answer = "label"')


PLUGIN, CONFIG = Pair, PairConfig

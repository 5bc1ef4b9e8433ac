"""A vector for each text, learned from pairs that belong together: question and answer, title and text.

in   how do I get a refund | Returns and repayments      out  two vectors, near each other
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
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
from autolect.core.intervals import Tally
from autolect.core.results import Place
from autolect.nn.bottleneck import mean_of
from autolect.nn.kernels import drop
from autolect.nn.losses import tensors
from autolect.nn.model import Architecture, Model
from autolect.tasks._common import Column, DataConfig, hidden, over_rows
from autolect.text.labels.pairs import PairExample, ReadPairs, read_pairs
from autolect.text.lookup import Lookup, lookup
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD
from autolect.vectors import likeness
from autolect.vectors.likeness import Likeness

SPREAD = 0.005
"""Spread of the learned rows at the start: a tenth of that of an embedding, so that at one rate they learn
faster than it (docs/LOG.md)."""
BALANCE = 0.8
"""How much the learned part counts before anything is known."""
BALANCES = tuple(number / 10 for number in range(1, 11))
"""Among these it is chosen."""
LUCK = 2.0
"""So many standard errors must the learned part gain on valid to count at all."""
ROUND = 8
"""The length of a side is rounded up to so many tokens, so that few shapes of matrix products occur."""
SHORT = 1e-4
"""A vector that is shorter keeps its length, so that a text of nothing has no gradient without bounds."""
BUFFERS = ("directions", "weights", "usual", "spread")
"""What a likeness is made of."""

Vectors = NDArray[np.float32]


class EmbedConfig(DataConfig):
    """A vector for each text, near those of the texts that belong to it."""

    kind: Literal["embed"] = "embed"
    first_column: Column = None
    """Column of the texts that ask, by name or by number from 1; empty: found and shown."""
    second_column: Column = None
    """Column of the texts to be found; empty: found and shown."""
    temperature: float = Field(default=0.05, gt=0)
    """What cosines are divided by in training: lower looks at the nearest wrong texts alone."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """On what the head sees."""


@dataclass(frozen=True)
class Rows:
    """Pairs as token ids, and as numbers of texts below ``many`` (N,); equal texts have one number."""

    first: list[NDArray[np.int32]]
    second: list[NDArray[np.int32]]
    numbers: tuple[NDArray[np.int64], NDArray[np.int64]]
    many: int
    lookup: Lookup
    places: list[str]
    num_cut: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer text of each pair, specials counted."""
        sizes = [max(len(a), len(b)) + 2 for a, b in zip(self.first, self.second, strict=True)]
        return np.array(sizes, dtype=np.int64)

    @functools.cached_property
    def known(self) -> NDArray[np.int64]:
        """Every pair as one number, sorted."""
        return np.unique(self.numbers[0] * self.many + self.numbers[1])

    def where(self, row: int) -> str:
        """File and line of a row."""
        return self.places[row]


class Head(nn.Module):
    """tokens, keep (B,T), states (B,T,D) -> the learned part (B,D), of length 1; beside it the likeness.

    A row for each token, weighed as the likeness weighs it, and the mean state. The rows start as the
    likeness and the mean state at nothing, so that both parts say the same before any training.
    """

    def __init__(self, architecture: Architecture, config: EmbedConfig) -> None:
        super().__init__()
        width, vocabulary = architecture.width, architecture.vocab_size
        self.dropout = config.dropout
        self.rows = nn.Embedding(vocabulary, width)
        self.project = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.project.weight)
        self.balance: Tensor
        self.register_buffer("balance", torch.tensor(BALANCE))
        self.register_buffer("directions", torch.zeros(vocabulary, width, dtype=torch.float16))
        self.register_buffer("weights", torch.ones(vocabulary))
        self.usual: Tensor
        self.register_buffer("usual", torch.zeros(width))
        self.register_buffer("spread", torch.zeros(width, width))

    def begin(self, known: Likeness) -> None:
        """Keep a likeness, and start the learned rows from it."""
        for name in BUFFERS:
            self.get_buffer(name).copy_(torch.from_numpy(getattr(known, name)))
        rows = (known.directions.astype(np.float32) - known.usual) @ known.spread
        with torch.no_grad():
            self.rows.weight.copy_(torch.from_numpy(rows * (SPREAD / max(float(rows.std()), 1e-12))))

    def likeness(self) -> Likeness:
        """The part that is not trained."""
        return Likeness(**{name: self.get_buffer(name).cpu().numpy() for name in BUFFERS})

    def forward(self, tokens: Tensor, keep: Tensor, states: Tensor) -> Tensor:
        """tokens, keep, states -> learned."""
        told = keep & (tokens != BOS) & (tokens != EOS) & (tokens != MASK)
        weights = self.get_buffer("weights")[tokens] * told
        rows = (weights[..., None] * self.rows(tokens)).sum(dim=1)
        words = rows / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
        pooled = F.rms_norm(mean_of(states, keep), states.shape[-1:])
        pooled = self.project(drop(pooled, self.dropout, self.training)).float()
        # A step moves what a matrix gives by all its columns at once, and a row by one number.
        whole = drop(words, self.dropout, self.training) + SPREAD / len(self.usual) ** 0.5 * pooled
        return F.normalize(whole, dim=-1, eps=SHORT)


class Embed:
    """Learned from pairs alone: what belongs together against all else of the batch (InfoNCE: van den Oord
    2018, arXiv:1807.03748; for sentences: Gao 2021, arXiv:2104.08821).
    """

    BASELINES: ClassVar[tuple[str, ...]] = ("words",)
    SETTLED: ClassVar[tuple[str, ...]] = ("head.balance",)
    """Weights that `settle` sets."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [3e-4, 3e-3, "log"],
        "task.temperature": [0.02, 0.2, "log"],
        "task.hide": [0.0, 0.3],
    }

    def __init__(self, config: EmbedConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels

    @staticmethod
    def read(path: Path, config: EmbedConfig) -> ReadPairs:
        """The pairs of a file."""
        return read_pairs(
            path,
            first=config.first_column,
            second=config.second_column,
            answered=False,
            encoding=config.encoding,
        )

    @staticmethod
    def find_labels(examples: Sequence[PairExample]) -> tuple[str, ...]:
        """There are none. UserError where no text is wrong for another."""
        if len({one.second for one in examples}) < 2:
            raise UserError(
                "every pair has the same second text", where="task.train", fix="check task.second_column"
            )
        return ()

    @staticmethod
    def unlabelled(texts: Sequence[Any]) -> list[PairExample]:
        """It answers nothing: UserError."""
        del texts
        raise UserError(
            "it was fine-tuned to give vectors, and answers nothing",
            where="predict",
            fix="use embed, or `autolect index`, `search`, `recommend`, `cluster`",
        )

    @property
    def measured(self) -> str:
        """What the score is called."""
        return "mean reciprocal rank"

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return Head(architecture, self.config)

    def begin(self, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:  # noqa: ARG002
        """Learn how texts are compared from the token vectors and the train texts; training starts there."""
        assert isinstance(head, Head)
        table = model.rows().detach().float().cpu().numpy()
        texts = _different(rows)
        counts = np.bincount(np.concatenate([*texts, np.zeros(0, np.int32)]), minlength=len(table))
        head.begin(likeness.learn(table, counts, texts))

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Choose how much the learned part counts, by the mean reciprocal rank on these rows.

        Nothing, where its gain over the untrained vectors may be luck.
        """
        assert isinstance(head, Head)
        parts = self._sides(network, model, head, rows, device)
        without = _reciprocal(_places(rows, parts, 0.0))
        best, gain = 0.0, np.zeros(1)
        for share in BALANCES:
            more = _reciprocal(_places(rows, parts, share)) - without
            if more.mean() > gain.mean():
                best, gain = share, more
        sure = gain.mean() > LUCK * gain.std() / max(1, len(gain)) ** 0.5
        head.balance.fill_(best if sure else 0.0)

    def rows(self, examples: Sequence[PairExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; of a text longer than ``length`` tokens the beginning is used."""
        texts = [text for one in examples for text in (one.first, one.second)]
        read = [one.ids for one in reader.read(texts)]
        known = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        numbers = np.array([known[text] for text in texts], dtype=np.int64)
        return Rows(
            first=[ids[: length - 2] for ids in read[::2]],
            second=[ids[: length - 2] for ids in read[1::2]],
            numbers=(numbers[::2], numbers[1::2]),
            many=len(known),
            lookup=lookup(examples),
            places=[example.where for example in examples],
            num_cut=sum(max(map(len, ids)) > length - 2 for ids in zip(read[::2], read[1::2], strict=True)),
        )

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """first, first_keep (B,S), second, second_keep (B,T), wrong (B,B): which second texts are wrong for
        which first ones. With ``draw`` some tokens are hidden.
        """
        found: dict[str, NDArray[Any]] = {}
        for name, sides in (("first", rows.first), ("second", rows.second)):
            ids = _padded([sides[row] for row in chosen], length)
            found[name] = ids if draw is None else _hidden(ids, self.config.hide, draw)
            found[f"{name}_keep"] = ids != PAD
        return tensors(**found, wrong=_wrong(rows, chosen))

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Cross-entropy of finding the other text of the pair among those of the batch, both ways."""
        one, other = (
            self._learned(model, head, batch[name], batch[f"{name}_keep"]) for name in ("first", "second")
        )
        own = torch.eye(len(one), dtype=torch.bool, device=one.device)
        cosines = (one @ other.T / self.config.temperature).masked_fill(~(batch["wrong"] | own), -torch.inf)
        right = torch.arange(len(one), device=one.device)
        total = F.cross_entropy(cosines, right, reduction="sum")
        total = total + F.cross_entropy(cosines.T, right, reduction="sum")
        return Loss(total, 2 * len(one))

    def vectors(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        texts: Sequence[NDArray[np.int32]],
        device: Device,
    ) -> Vectors:
        """Texts as ids -> (N,2D): the untrained part and the learned one, each by what it counts."""
        assert isinstance(head, Head)
        return _joined(self._parts(network, model, head, texts, device), float(head.balance))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Place]:
        """Where the second text of each pair comes."""
        assert isinstance(head, Head)
        return _places(rows, self._sides(network, model, head, rows, device), float(head.balance))

    def judge(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        examples: Sequence[PairExample],
        device: Device,
    ) -> Score:
        """The mean reciprocal rank on these rows, and that of the untrained vectors."""
        del examples
        assert isinstance(head, Head)
        parts = self._sides(network, model, head, rows, device)
        found, without = (
            float(_reciprocal(_places(rows, parts, share)).mean()) for share in (float(head.balance), 0.0)
        )
        return Score(value=found, figures={"reciprocal_rank": found, "untrained": without})

    def raw(self, answer: Place) -> int:
        """What a baseline would have answered."""
        return answer.rank

    def gold(self, example: PairExample) -> int:
        """What is right: to come first."""
        del example
        return 1

    def measure(self, gold: Sequence[int], predicted: Sequence[int], *, seed: int) -> dict[str, Any]:
        """The score with its interval, and how many right texts are the first, or among the first ten."""
        ranks = np.array(predicted)
        recall = {f"recall_at_{most}": float((ranks <= most).mean()) for most in (1, 10)}
        return self.tally(gold, predicted).facts(seed=seed) | recall

    def tally(self, gold: Sequence[int], predicted: Sequence[int]) -> Tally:
        """What each pair adds to the score."""
        del gold
        return Tally(counts=1.0 / np.array(predicted, dtype=np.float64)[:, None], score=metrics.mean_score)

    def _learned(self, model: Model, head: nn.Module, tokens: Tensor, keep: Tensor) -> Tensor:
        learned: Tensor = head(tokens, keep, model.encode(tokens, keep))
        return learned

    def _parts(
        self,
        network: nn.Module,
        model: Model,
        head: Head,
        texts: Sequence[NDArray[np.int32]],
        device: Device,
    ) -> tuple[Vectors, Vectors]:
        """The untrained and the learned part (N,D) of texts, rows of length 1 or of zeros."""

        def collate(chosen: NDArray[np.int64], length: int) -> Tensors:
            ids = padded([texts[row] for row in chosen], length)
            return tensors(tokens=ids, keep=ids != PAD)

        found = over_rows(
            [len(ids) + 2 for ids in texts],
            collate=collate,
            answer=lambda batch: list(self._learned(model, head, batch["tokens"], batch["keep"]).cpu()),
            network=network,
            device=device,
        )
        learned = torch.stack(found).float().numpy() if found else np.zeros((0, len(head.usual)), np.float32)
        untrained = head.likeness().vectors(texts)
        return untrained / np.maximum(np.linalg.norm(untrained, axis=1, keepdims=True), 1e-12), learned

    def _sides(
        self, network: nn.Module, model: Model, head: Head, rows: Rows, device: Device
    ) -> tuple[tuple[Vectors, Vectors], tuple[Vectors, Vectors]]:
        """Both parts of the texts that ask, and of the different ones to be found."""
        seconds = [rows.second[row] for row in _first_rows([right[0] for right in rows.lookup.right])]
        return (
            self._parts(network, model, head, rows.first, device),
            self._parts(network, model, head, seconds, device),
        )


def _joined(parts: tuple[Vectors, Vectors], share: float) -> Vectors:
    """Two parts (N,D) -> (N,2D), whose cosine is the mean of theirs, the second counting ``share``."""
    untrained, learned = parts
    found: Vectors = np.concatenate([(1 - share) ** 0.5 * untrained, share**0.5 * learned], axis=1)
    return found


def _places(
    rows: Rows, parts: tuple[tuple[Vectors, Vectors], tuple[Vectors, Vectors]], share: float
) -> list[Place]:
    asking, texts = (_joined(side, share) for side in parts)
    return rows.lookup.places(lambda part: asking[part] @ texts.T)


def _reciprocal(places: Sequence[Place]) -> NDArray[np.float64]:
    return 1.0 / np.array([one.rank for one in places], dtype=np.float64)


def _padded(texts: Sequence[NDArray[np.int32]], length: int) -> NDArray[np.int64]:
    """As long as its own longest text needs, ``length`` at most: one side may be much shorter."""
    longest = max(map(len, texts)) + 2
    return padded(texts, min(length, -(-longest // ROUND) * ROUND))


def _hidden(ids: NDArray[np.int64], share: float, draw: np.random.Generator) -> NDArray[np.int64]:
    """Some tokens become [MASK], in no text all of them: of such a text nothing could be told."""
    found = hidden(ids, share, draw)
    return np.where((found >= NUM_SPECIAL).any(axis=1, keepdims=True), found, ids)


def _wrong(rows: Rows, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B,B): the second text of a column belongs to the first one of a row in no pair, nor is it the same."""
    first, second = (side[chosen] for side in rows.numbers)
    asked = first[:, None] * rows.many + second[None, :]
    found = rows.known[np.minimum(np.searchsorted(rows.known, asked), len(rows.known) - 1)]
    wrong: NDArray[np.bool_] = (found != asked) & (first[:, None] != second[None, :])
    return wrong


def _different(rows: Rows) -> list[NDArray[np.int32]]:
    """Every text once."""
    texts = [*rows.first, *rows.second]
    return [texts[place] for place in _first_rows(np.concatenate(rows.numbers))]


def _first_rows(numbers: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Where each number stands first, in the order of the numbers."""
    found: list[int] = np.unique(np.asarray(numbers), return_index=True)[1].tolist()
    return found


PLUGIN, CONFIG = Embed, EmbedConfig

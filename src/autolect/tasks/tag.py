"""One tag a token: named entities, slots, parts of speech.

in   fly to New York tomorrow      out  O O B-city I-city B-date -> (7, 15, city), (16, 24, date)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from autolect.core import metrics
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.metrics import Tally
from autolect.core.results import Span
from autolect.nn.crf import Crf, iob2_rules
from autolect.nn.heads import UnitHead, Wide, wide_buckets
from autolect.nn.losses import tensors
from autolect.nn.model import Architecture, Model
from autolect.tasks._common import NO_BAG, Bag, WideConfig, bag, hidden, over_rows, wide_scores, wide_tensors
from autolect.text import segment
from autolect.text.features import character_features, word_features
from autolect.text.labelled import LabelledTokens, TokenExample, read_tokens
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import PAD

SPARSE_GAIN = 24.0
"""Norm of a unit's sparse features: an optimizer that moves every weight alike then lets them keep pace
with the network."""


class TagConfig(WideConfig):
    """One tag a token."""

    kind: Literal["tag"] = "tag"
    tag_column: int | None = None
    """Column of the tag from 1 in CoNLL files; empty: the last, or the usual one of CoNLL-U."""
    mend: bool = False
    """Spans that cut a word grow to all of it, and of spans that share a word the longest stays; counted and
    told. Otherwise such spans are refused."""
    feature_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the sparse features that are left out in training."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of units of one example: ids (n,), owner (n,) unit of each token from 0, tags (u,).

    features: the sparse features of each unit.
    """

    example: int
    ids: NDArray[np.int32]
    owner: NDArray[np.int64]
    tags: NDArray[np.int64]
    features: Sequence[Bag]


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples cut into pieces that fit the network; nothing is lost."""

    pieces: list[Piece]
    examples: Sequence[TokenExample]
    num_cut: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each piece, specials counted."""
        return np.array([len(piece.ids) + 2 for piece in self.pieces], dtype=np.int64)

    def where(self, row: int) -> str:
        """File and line of the example that a piece is cut from."""
        return self.examples[self.pieces[row].example].where


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one example's tokens and how likely each is."""

    tags: tuple[str, ...]
    probabilities: tuple[float, ...]
    spans: tuple[Span, ...]


class TagHead(nn.Module):
    """Unit scores and the random field over them."""

    def __init__(self, width: int, *, labels: tuple[str, ...], config: TagConfig) -> None:
        super().__init__()
        self.units = UnitHead(width, num_labels=len(labels), dropout=config.dropout)
        self.wide = Wide(len(labels), gain=SPARSE_GAIN) if config.features == "hashed" else None
        self.crf = Crf(*iob2_rules(labels))


class Tag:
    """A linear-chain random field over units (Lample 2016, arXiv:1603.01360)."""

    BASELINES: ClassVar[tuple[str, ...]] = ("token_majority", "crf")
    SETTLED: ClassVar[tuple[str, ...]] = ()
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [5e-4, 5e-3, "log"],
        "task.dropout": [0.1, 0.6],
        "task.hide": [0.0, 0.3],
    }

    def __init__(self, config: TagConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels
        self._number = {label: number for number, label in enumerate(labels)}
        self.entities = any(label.startswith("B-") for label in labels)

    @staticmethod
    def read(path: Path, config: TagConfig) -> LabelledTokens:
        """The examples of a file."""
        return read_tokens(path, column=config.tag_column, encoding=config.encoding, mend=config.mend)

    @staticmethod
    def find_labels(examples: Sequence[TokenExample]) -> tuple[str, ...]:
        """The tags to choose from, O first; an entity type has both its tags."""
        seen = {tag for example in examples for tag in example.tags}
        kinds = {tag[2:] for tag in seen if tag.startswith(("B-", "I-"))}
        if not kinds and len(seen) < 2:
            raise UserError(
                "no token has a tag other than O" if seen == {"O"} else "there is one tag only",
                where="task.train",
                fix="check task.tag_column",
            )
        if not kinds:
            return tuple(sorted(seen))
        return ("O", *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in "BI"))

    @staticmethod
    def unlabelled(texts: Sequence[str]) -> list[TokenExample]:
        """Texts as examples to answer, cut into words, and single characters of Chinese."""
        return [
            TokenExample(text=text, tokens=tuple(spans), tags=("O",) * len(spans), where="")
            for text, spans in ((text, segment.units(text)) for text in texts)
        ]

    @property
    def measured(self) -> str:
        """What the score is called."""
        return "entity F1" if self.entities else "accuracy"

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return TagHead(architecture.width, labels=self.labels, config=self.config)

    def begin(self, model: Model, head: nn.Module, rows: Rows) -> None:
        """A new head is fitted to nothing: its sparse features are weighed while the network learns."""

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Nothing is chosen after training: the parts of the head are added as they are."""

    def rows(self, examples: Sequence[TokenExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; long ones are cut between units."""
        pieces: list[Piece] = []
        readings = reader.read([example.text for example in examples])
        for number, (example, reading) in enumerate(zip(examples, readings, strict=True)):
            owner = owners(reading.offsets, example.tokens)
            tags = np.array([self._number.get(tag, 0) for tag in example.tags], dtype=np.int64)
            features = self._features(example.words())
            pieces += _cut(number, reading.ids, owner, tags, features, room=length - 2)
        return Rows(pieces=pieces, examples=examples, num_cut=len(pieces) - len(examples))

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """tokens, keep, owner (B,T); tags, units (B,U)."""
        pieces = [rows.pieces[row] for row in chosen]
        ids = padded([piece.ids for piece in pieces], length)
        owner = np.full(ids.shape, -1, dtype=np.int64)
        most = max(1, *(len(piece.tags) for piece in pieces))
        tags = np.zeros((len(pieces), most), dtype=np.int64)
        units = np.zeros((len(pieces), most), dtype=bool)
        for place, piece in enumerate(pieces):
            owner[place, 1 : 1 + len(piece.owner)] = piece.owner
            tags[place, : len(piece.tags)] = piece.tags
            units[place, : len(piece.tags)] = True
        tokens = ids if draw is None else hidden(ids, self.config.hide, draw)
        bags = [
            piece.features[unit] if unit < len(piece.features) else NO_BAG
            for piece in pieces
            for unit in range(most)
        ]
        wide = wide_tensors(bags)
        if draw is not None:
            kept = draw.random(len(wide["wide_values"])) >= self.config.feature_dropout
            wide["wide_values"] *= torch.from_numpy(kept)
        return wide | tensors(tokens=tokens, keep=ids != PAD, owner=owner, tags=tags, units=units)

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Negative log-likelihood of the tags, of each part of the head alone; targets are units."""
        assert isinstance(head, TagHead)
        losses = [
            head.crf.loss(part, batch["units"], batch["tags"]) for part in self._parts(model, head, batch)
        ]
        return Loss(torch.stack(losses).sum(), int(batch["units"].sum()))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Tags]:
        """The tags of each example."""
        assert isinstance(head, TagHead)

        def answer(batch: Tensors) -> list[tuple[list[int], list[float]]]:
            scores = torch.stack(self._parts(model, head, batch)).sum(dim=0)
            best = head.crf.best(scores, batch["units"])
            share = scores.softmax(dim=-1).gather(2, best[..., None]).squeeze(2)
            counts = batch["units"].sum(dim=1).tolist()
            return [
                (tags[:count], shares[:count])
                for tags, shares, count in zip(best.tolist(), share.tolist(), counts, strict=True)
            ]

        found = over_rows(
            rows.lengths,
            collate=lambda chosen, length: self.collate(rows, chosen, length, None),
            answer=answer,
            network=network,
            device=device,
        )
        tags: list[list[int]] = [[] for _ in rows.examples]
        shares: list[list[float]] = [[] for _ in rows.examples]
        for piece, (some_tags, some_shares) in zip(rows.pieces, found, strict=True):
            tags[piece.example] += some_tags
            shares[piece.example] += some_shares
        return [
            self._tags(example, numbers, share)
            for example, numbers, share in zip(rows.examples, tags, shares, strict=True)
        ]

    def judge(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        examples: Sequence[TokenExample],
        device: Device,
    ) -> Score:
        """The score of its answers on these rows."""
        return self.score(examples, self.answers(network, model, head, rows, device))

    @staticmethod
    def raw(answer: Tags) -> tuple[str, ...]:
        """What a baseline would have answered."""
        return answer.tags

    @staticmethod
    def gold(example: TokenExample) -> tuple[str, ...]:
        """What is right."""
        return example.tags

    def score(self, examples: Sequence[TokenExample], answers: Sequence[Tags]) -> Score:
        """Entity F1, or accuracy where tags are no entities; token accuracy breaks ties."""
        gold, found = [e.tags for e in examples], [a.tags for a in answers]
        accuracy = _token_accuracy(gold, found)
        if not self.entities:
            return Score(value=accuracy, figures={"accuracy": accuracy})
        f1 = metrics.entity_f1(gold, found).f1
        return Score(value=f1 + accuracy / 1000, figures={"f1": f1, "accuracy": accuracy})

    def measure(
        self, gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]], *, seed: int
    ) -> dict[str, Any]:
        """Entity F1 with its interval and one row a type; accuracy where tags are no entities."""
        accuracy = _token_accuracy(gold, predicted)
        if self.entities:
            rows = metrics.entity_f1(gold, predicted).per_label
        else:
            labels = tuple(sorted({*self.labels, *(t for tags in gold for t in tags)}))
            number = {label: place for place, label in enumerate(labels)}
            flat = [[number.get(t, 0) for tags in side for t in tags] for side in (gold, predicted)]
            rows = metrics.per_label(metrics.confusion(flat[0], flat[1], len(labels)), labels)
        return self.tally(gold, predicted).facts(seed=seed) | {
            "token_accuracy": accuracy,
            "per_label": [[r.label, r.precision, r.recall, r.f1, r.support] for r in rows],
        }

    def tally(self, gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]]) -> Tally:
        """Entities of each example that are right, predicted and in the gold data, or its right tokens."""
        if self.entities:
            counts = metrics.entity_counts(gold, predicted).astype(float)
            return Tally(counts=counts, score=metrics.f1_score)
        pairs = zip(gold, predicted, strict=True)
        right = [[sum(a == b for a, b in zip(g, p, strict=True)), len(g)] for g, p in pairs]
        return Tally(counts=np.array(right, dtype=float), score=metrics.share_score)

    def _parts(self, model: Model, head: TagHead, batch: Tensors) -> list[Tensor]:
        """Scores (B,U,L) of the network, and of the sparse features if the head has them."""
        states = model.encode(batch["tokens"], batch["keep"])
        parts: list[Tensor] = [head.units(states, batch["owner"], batch["units"].shape[1]).float()]
        if head.wide is not None:
            parts.append(wide_scores(head.wide, batch).view(parts[0].shape).float())
        return parts

    def _features(self, words: list[str]) -> list[Bag]:
        """One bag a unit; the two sets of features share a table without harm."""
        if self.config.features == "none" or not words:
            return [NO_BAG] * len(words)
        count = wide_buckets(len(self.labels))
        pairs = zip(word_features(words), character_features(words), strict=True)
        return [bag([[*one, *other]], count=count) for one, other in pairs]

    def _tags(self, example: TokenExample, numbers: list[int], shares: list[float]) -> Tags:
        tags = tuple(self.labels[number] for number in numbers)
        if self.entities:
            found = sorted(metrics.entities(tags))
        else:
            found = [(place, place + 1, tag) for place, tag in enumerate(tags)]
        spans = []
        for first, end, label in found:
            start, stop = example.tokens[first][0], example.tokens[end - 1][1]
            spans.append(
                Span(
                    start=start,
                    end=stop,
                    label=label,
                    text=example.text[start:stop],
                    probability=min(shares[first:end]),
                )
            )
        return Tags(tags=tags, probabilities=tuple(shares), spans=tuple(spans))


def owners(offsets: NDArray[np.int32], units: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The unit in which each token begins its visible part, or -1: (n,2) spans -> (n,)."""
    if not units:
        return np.full(len(offsets), -1, dtype=np.int64)
    ends = np.array([end for _, end in units])
    starts = np.array([start for start, _ in units])
    # The last character decides: a token may carry the blank before its word.
    last = np.maximum(offsets[:, 1] - 1, offsets[:, 0])
    place = np.searchsorted(ends, last, side="right")
    inside = (place < len(units)) & (starts[np.minimum(place, len(units) - 1)] <= last)
    found: NDArray[np.int64] = np.where(inside & (offsets[:, 1] > offsets[:, 0]), place, -1)
    return found


def _cut(
    example: int,
    ids: NDArray[np.int32],
    owner: NDArray[np.int64],
    tags: NDArray[np.int64],
    features: Sequence[Bag],
    *,
    room: int,
) -> list[Piece]:
    """Cut between units where there are more than ``room`` tokens."""
    pieces: list[Piece] = []
    token, unit = 0, 0
    while True:
        end = min(token + room, len(ids))
        last_unit = len(tags)
        if end < len(ids):
            inside = owner[token:end]
            last_unit = max(unit + 1, int(inside.max(initial=-1)))
            beyond = np.flatnonzero(owner[token:] >= last_unit)
            if len(beyond) and 0 < beyond[0] < room:
                end = token + int(beyond[0])
        local = owner[token:end]
        pieces.append(
            Piece(
                example=example,
                ids=ids[token:end],
                owner=np.where((local >= unit) & (local < last_unit), local - unit, -1),
                tags=tags[unit:last_unit],
                features=features[unit:last_unit],
            )
        )
        if end >= len(ids):
            return pieces
        token, unit = end, last_unit


def _token_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    pairs = [(a, b) for g, p in zip(gold, predicted, strict=True) for a, b in zip(g, p, strict=True)]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))


PLUGIN, CONFIG = Tag, TagConfig

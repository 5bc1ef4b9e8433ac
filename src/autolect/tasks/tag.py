"""One tag a token: named entities, slots, parts of speech.

in   fly to New York tomorrow      out  O O B-city I-city B-date -> (7, 15, city), (16, 24, date)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from autolect.core import metrics
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.intervals import Tally
from autolect.core.results import Span
from autolect.nn.keyed import NO_KEY
from autolect.nn.losses import tensors
from autolect.nn.model import Architecture, Model
from autolect.tasks import _field
from autolect.tasks._common import LabelsConfig, hidden, over
from autolect.tasks._pieces import NO_FEATURES, Piece, Rows, cut, owners, sparse
from autolect.tasks._two_fields import Scored, TagHead, likeliest
from autolect.text import segment
from autolect.text.features import buckets, company_features, token_features
from autolect.text.labels.labelled import LabelledTokens, TokenExample, read_tokens
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import PAD

SETTLED_ROWS = 256
"""So many pieces at once when that is chosen."""
LEANS = np.arange(0.0, 3.01, 0.25)
"""What may be taken from the score of O, so that entities that are nearly as likely as none are found."""


class TagConfig(LabelsConfig):
    """One tag a token."""

    kind: Literal["tag"] = "tag"
    tag_column: int | None = None
    """Column of the tag from 1 in CoNLL files; empty: the last, or the usual one of CoNLL-U."""
    mend: bool = False
    """Spans that cut a word grow to all of it, and of spans that share a word the longest stays; counted and
    told. Otherwise such spans are refused."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one example's tokens and how likely each is."""

    tags: tuple[str, ...]
    probabilities: tuple[float, ...]
    spans: tuple[Span, ...]


class Tag:
    """A linear-chain random field over units (Lample 2016, arXiv:1603.01360), and a fitted one beside it."""

    BASELINES: ClassVar[tuple[str, ...]] = ("token_majority", "crf")
    SETTLED: ClassVar[tuple[str, ...]] = ("head.balance", "head.lean")
    """Weights that `settle` sets."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [5e-4, 5e-3, "log"],
        "task.dropout": [0.1, 0.6],
        "task.hide": [0.0, 0.3],
    }

    def __init__(self, config: TagConfig, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels
        self._number = {label: number for number, label in enumerate(labels)}
        opened = [f"B-{label[2:]}" if label.startswith("I-") else label for label in labels]
        self._opening = np.array([self._number[label] for label in opened], dtype=np.int64)
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

    @staticmethod
    def taught(example: TokenExample, answer: Tags) -> TokenExample:
        """An example with an answer as its tags."""
        return replace(example, tags=answer.tags)

    @property
    def measured(self) -> str:
        """What the score is called."""
        return "entity F1" if self.entities else "accuracy"

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return TagHead(
            architecture.width,
            labels=self.labels,
            dropout=self.config.dropout,
            sparse=self.config.features == "hashed",
        )

    def begin(self, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:  # noqa: ARG002
        """Fit the sparse part of a new head to the train rows; training then leaves it alone."""
        assert isinstance(head, TagHead)
        if head.field is None:
            return
        pieces = [piece for piece in rows.pieces if len(piece.tags)]
        found = _field.fit(
            [piece.features for piece in pieces],
            [piece.tags for piece in pieces],
            num_tags=len(self.labels),
        )
        head.field.name(found.keys)
        head.field.fill(found.table)
        head.field.moves.copy_(torch.from_numpy(found.moves))

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Choose how much each part of the head counts, by the likelihood of these rows (Platt 1999); then
        how far to lean away from O, by their entity F1.

        Both parts learned their rows by heart, so only others can tell how sure each may be.
        """
        assert isinstance(head, TagHead)
        known = self._scored(network, model, head, rows, device)
        head.balance.copy_(likeliest(head, known))
        if self.entities:
            with torch.no_grad():
                head.lean.copy_(torch.tensor(self._best_lean(head, known)))

    def _scored(
        self, network: nn.Module, model: Model, head: TagHead, rows: Rows, device: Device
    ) -> list[Scored]:
        """What each part of the head says of these rows, in batches of like length."""

        def answer(batch: Tensors) -> list[Tensor]:
            scores = self._parts(model, head, batch).permute(1, 2, 0, 3)
            counts = batch["units"].sum(dim=1).tolist()
            return [one[:count] for one, count in zip(scores, counts, strict=True)]

        found = over(self, rows, answer, network, device)
        order = sorted((row for row in range(len(found)) if len(found[row])), key=lambda row: len(found[row]))
        batches = []
        for start in range(0, len(order), SETTLED_ROWS):
            chosen = order[start : start + SETTLED_ROWS]
            # Outside of inference they are needed as ordinary tensors.
            scores = pad_sequence([found[row].clone() for row in chosen], batch_first=True)
            tags = pad_sequence([torch.from_numpy(rows.pieces[row].tags) for row in chosen], batch_first=True)
            counts = torch.tensor([len(found[row]) for row in chosen])
            units = torch.arange(tags.shape[1]) < counts[:, None]
            place = scores.device
            batches.append(Scored(scores.permute(2, 0, 1, 3), units.to(place), tags.to(place)))
        return batches

    def _best_lean(self, head: TagHead, known: Sequence[Scored]) -> float:
        """The lean of the best entity F1, each seen together with its neighbours, since one alone is luck."""
        scores = []
        for lean in LEANS.tolist():
            gold: list[list[str]] = []
            found: list[list[str]] = []
            for batch in known:
                mixed, moves = head.mixed(batch.scores, head.balance, head.lean.new_tensor(lean))
                counts = batch.units.sum(dim=1).tolist()
                best = head.crf.best(mixed, moves, batch.units)
                for side, numbers in ((gold, batch.tags), (found, best)):
                    rows = zip(numbers.tolist(), counts, strict=True)
                    side += [[self.labels[number] for number in row[:count]] for row, count in rows]
            scores.append(metrics.entity_f1(gold, found).f1)
        smooth = np.convolve(np.pad(scores, 1, mode="edge"), np.ones(3) / 3, mode="valid")
        return float(LEANS[int(smooth.argmax())])

    def rows(self, examples: Sequence[TokenExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; long ones are cut between units."""
        pieces: list[Piece] = []
        readings = reader.read([example.text for example in examples])
        for number, (example, reading) in enumerate(zip(examples, readings, strict=True)):
            owner = owners(reading.offsets, example.tokens)
            tags = np.array([self._number.get(tag, 0) for tag in example.tags], dtype=np.int64)
            features = self._features(example.words(), reader)
            found = cut(number, reading.ids, owner, tags, features, room=length - 2)
            for piece in found:
                # A piece that begins inside an entity begins with it, as if it had no part before.
                piece.tags[:1] = self._opening[piece.tags[:1]]
            pieces += found
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
        batch = tensors(tokens=tokens, keep=ids != PAD, owner=owner, tags=tags, units=units)
        return batch if draw is not None else batch | sparse(pieces, most)

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Negative log-likelihood of the tags by the network alone; targets are units. The sparse part is
        fitted already.
        """
        assert isinstance(head, TagHead)
        scores = self._network(model, head, batch)
        costs = head.crf.costs(scores, head.moves, batch["units"], batch["tags"])
        return Loss(costs.sum(), int(batch["units"].sum()))

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[Tags]:
        """The tags of each example."""
        assert isinstance(head, TagHead)

        def answer(batch: Tensors) -> list[tuple[list[int], list[float]]]:
            units = batch["units"]
            scores, moves = head.mixed(self._parts(model, head, batch), head.balance, head.lean)
            best = head.crf.best(scores, moves, units)
            share = head.crf.chances(scores, moves, units).gather(2, best[..., None]).squeeze(2)
            counts = units.sum(dim=1).tolist()
            return [
                (tags[:count], shares[:count])
                for tags, shares, count in zip(best.tolist(), share.tolist(), counts, strict=True)
            ]

        found = over(self, rows, answer, network, device)
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
        further: dict[str, Any] = {}
        if self.entities:
            rows = metrics.entity_f1(gold, predicted).per_label
            further["partial_f1"] = metrics.partial_f1(gold, predicted)
        else:
            labels = tuple(sorted({*self.labels, *(t for tags in gold for t in tags)}))
            number = {label: place for place, label in enumerate(labels)}
            flat = [[number.get(t, 0) for tags in side for t in tags] for side in (gold, predicted)]
            rows = metrics.per_label(metrics.confusion(flat[0], flat[1], len(labels)), labels)
        return self.tally(gold, predicted).facts(seed=seed) | {
            "token_accuracy": accuracy,
            "per_label": [[r.label, r.precision, r.recall, r.f1, r.support] for r in rows],
            **further,
        }

    def tally(self, gold: Sequence[tuple[str, ...]], predicted: Sequence[tuple[str, ...]]) -> Tally:
        """Entities of each example that are right, predicted and in the gold data, or its right tokens."""
        if self.entities:
            counts = metrics.entity_counts(gold, predicted).astype(float)
            return Tally(counts=counts, score=metrics.f1_score)
        pairs = zip(gold, predicted, strict=True)
        right = [[sum(a == b for a, b in zip(g, p, strict=True)), len(g)] for g, p in pairs]
        return Tally(counts=np.array(right, dtype=float), score=metrics.share_score)

    def _network(self, model: Model, head: TagHead, batch: Tensors) -> Tensor:
        """Scores (B,U,L) of the network."""
        tokens, owner = batch["tokens"], batch["owner"]
        states = model.encode(tokens, batch["keep"])
        scores: Tensor = head.units(states, model.embedding(tokens), owner, batch["units"].shape[1])
        return scores.float()

    def _parts(self, model: Model, head: TagHead, batch: Tensors) -> Tensor:
        """Scores (P,B,U,L) of each part: the network and, if the head has them, sparse features."""
        scores = self._network(model, head, batch)
        if head.field is None:
            return scores[None]
        sparse = head.field(batch["features"], batch["feature_starts"])
        return torch.stack([scores, sparse.view(scores.shape)])

    def _features(self, words: list[str], reader: Reader) -> list[NDArray[np.int64]]:
        """The keys of each unit's sparse features."""
        if self.config.features == "none":
            return [NO_FEATURES] * len(words)
        company = company_features(words, reader.classes, language=reader.tokenizer.language)
        rows = zip(token_features(words), company, strict=True)
        return [buckets([*row, *more], count=NO_KEY) for row, more in rows]

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


def _token_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    pairs = [(a, b) for g, p in zip(gold, predicted, strict=True) for a, b in zip(g, p, strict=True)]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))


PLUGIN, CONFIG = Tag, TagConfig

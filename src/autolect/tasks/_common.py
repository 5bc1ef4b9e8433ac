"""What the tasks share: their data settings, and running a network over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from autolect.core.config import Section
from autolect.core.device import Device, on
from autolect.core.goal import Tensors
from autolect.nn.heads import Wide
from autolect.nn.keyed import NO_KEY
from autolect.nn.losses import tensors
from autolect.text.features import buckets
from autolect.text.tokenizer import MASK, NUM_SPECIAL
from autolect.train.batches import Batches

MEASURED_TOKENS = 8192


def _named(value: Any) -> Any:
    """A column that is given by its number needs no quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Column = Annotated[str | None, BeforeValidator(_named)]
"""A column by its name, or by its number from 1."""


class DataConfig(Section):
    """Which examples a task learns from. Each key is a file."""

    train: str
    """Labelled examples: TSV, CSV, JSONL, or CoNLL columns."""
    valid: str | None = None
    """Examples for choosing; empty: drawn from train."""
    test: str | None = None
    """Examples for the one final measurement; empty: drawn from train."""
    encoding: str = "utf-8"
    """Of labelled files without a byte order mark, such as gb18030."""
    valid_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of train that becomes valid when there is no file for it."""
    test_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of train that becomes test when there is no file for it."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the examples of train and of valid that is used, drawn with the seed, the mix of labels kept:
    to see what more labels would bring."""
    allow_overlap: bool = False
    """Go on although texts stand in two splits; the report says so, and what the scores are without them."""
    curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Shares of the train examples, such as [0.25, 0.5], from which a model is learned apart: the report
    shows what they come to on valid, and so what more labels would bring."""
    refit: bool = True
    """After all choices, learn once more from train and valid together, as long as the choice did; where no
    step of it was better on valid than the start, only what is counted in the examples. Test stays closed.
    The score on valid that is told is the one from before."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """On what the head sees."""
    hide: float = Field(default=0.1, ge=0, lt=1)
    """Share of the tokens that become [MASK] in training, so that no single word decides."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> DataConfig:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share leave nothing to train on; lower one")
        return self


class LabelsConfig(DataConfig):
    """Labels to find, by a network and by sparse features beside it."""

    features: Literal["none", "hashed"] = "hashed"
    """hashed: sparse features (runs of characters and words, affixes, shapes; of a tagger also the classes of
    words that stand in like company, where the bundle has vectors) go straight to the labels beside the
    network (docs/LOG.md)."""
    unlabelled: tuple[str, ...] = ()
    """Files of texts without labels, as `corpus.files` takes them; of tables the column "text". The surest
    answers of the trained model are learned as if they were labels, and the new model is kept if it is better
    on valid."""


def hidden(ids: NDArray[np.int64], share: float, draw: np.random.Generator) -> NDArray[np.int64]:
    """Each ordinary token becomes [MASK] with probability ``share``."""
    return np.where((draw.random(ids.shape) < share) & (ids >= NUM_SPECIAL), MASK, ids)


def over(
    task: Any, rows: Any, answer: Callable[[Tensors], Sequence[Any]], network: torch.nn.Module, device: Device
) -> list[Any]:
    """Run ``answer`` over a task's rows as its collate reads them; gives the answers in the rows' order."""
    return over_rows(
        rows.lengths,
        collate=lambda chosen, length: task.collate(rows, chosen, length, None),
        answer=answer,
        network=network,
        device=device,
    )


def over_rows(
    lengths: Sequence[int] | NDArray[np.int64],
    *,
    collate: Callable[[NDArray[np.int64], int], Tensors],
    answer: Callable[[Tensors], Sequence[Any]],
    network: torch.nn.Module,
    device: Device,
) -> list[Any]:
    """Run ``answer`` over all rows in batches of like length; gives the answers in the rows' order."""
    found: list[Any] = [None] * len(lengths)
    if not len(lengths):
        return found
    was_training = network.training
    network.eval()
    with torch.inference_mode(), device.computing():
        for batch in Batches(lengths, batch_tokens=MEASURED_TOKENS, seed=0).in_order():
            answers = answer(on(collate(batch.rows, batch.length), device))
            for row, one in zip(batch.rows, answers, strict=True):
                found[int(row)] = one
    network.train(was_training)
    return found


class Bag(NamedTuple):
    """The sparse features of one item: keys, how much of each, and its group, (M,) each."""

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    groups: NDArray[np.int64]


def bag(groups: Sequence[Sequence[str]]) -> Bag:
    """Features as often as they stand there -> keys; a feature's value grows with the logarithm."""
    ids, values = [], []
    for features in groups:
        found, times = np.unique(buckets(features, count=NO_KEY), return_counts=True)
        ids.append(found)
        values.append(1 + np.log(times, dtype=np.float32))
    numbers = np.repeat(np.arange(len(groups)), [len(found) for found in ids])
    return Bag(np.concatenate(ids), np.concatenate(values), numbers)


NO_BAG = Bag(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64))


def wide_tensors(bags: Sequence[Bag]) -> Tensors:
    """Bags -> wide_ids, wide_values, wide_groups (M,), wide_starts (N,)."""
    sizes = np.array([len(one.ids) for one in bags], dtype=np.int64)
    ids, values, groups = (np.concatenate(parts) for parts in zip(*bags, NO_BAG, strict=True))
    return tensors(wide_ids=ids, wide_values=values, wide_groups=groups, wide_starts=np.cumsum(sizes) - sizes)


def wide_scores(wide: Wide, batch: Tensors) -> Tensor:
    """What the sparse features of a batch say, (N,L)."""
    scores: Tensor = wide(*wide_arguments(batch))
    return scores


def wide_arguments(batch: Tensors) -> tuple[Tensor, ...]:
    """What a wide part takes, out of a batch."""
    return tuple(batch[f"wide_{name}"] for name in ("ids", "values", "groups", "starts"))

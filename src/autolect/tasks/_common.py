"""What the tasks share: their data settings, and running a network over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from autolect.core.config import Section
from autolect.core.device import Device
from autolect.core.goal import Tensors
from autolect.nn.losses import tensors
from autolect.text.tokenizer import MASK, NUM_SPECIAL
from autolect.train.batches import Batches
from autolect.train.loop import on

MEASURED_TOKENS = 8192
WIDE_GAIN = 24.0
"""Norm of an item's features. An optimizer that moves every weight alike then lets the sparse part keep
pace with the network."""


class DataConfig(Section):
    """Which examples a task learns from. Each key is a file."""

    train: str
    """Labelled examples: TSV, CSV, JSONL, or CoNLL columns."""
    valid: str | None = None
    """Examples for choosing; empty: drawn from train."""
    test: str | None = None
    """Examples for the one final measurement; empty: drawn from train."""
    valid_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of train that becomes valid when there is no file for it."""
    test_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of train that becomes test when there is no file for it."""
    allow_overlap: bool = False
    """Go on although texts stand in two splits; the report says so."""
    refit: bool = True
    """After all choices, learn once more from train and valid together, as long as the choice did; test
    stays closed. The score on valid that is told is the one from before."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """On what the head sees."""
    hide: float = Field(default=0.1, ge=0, lt=1)
    """Share of the tokens that become [MASK] in training, so that no single word decides."""

    features: Literal["none", "hashed"] = "hashed"
    """hashed: sparse features (runs of characters and words, affixes, shapes) go straight to the labels
    beside the network (docs/LOG.md)."""
    feature_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the sparse features that are left out in training."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> DataConfig:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share leave nothing to train on; lower one")
        return self


def hidden(ids: NDArray[np.int64], share: float, draw: np.random.Generator) -> NDArray[np.int64]:
    """Each ordinary token becomes [MASK] with probability ``share``."""
    return np.where((draw.random(ids.shape) < share) & (ids >= NUM_SPECIAL), MASK, ids)


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


def wide_tensors(
    bags: Sequence[NDArray[np.int64]], dropout: float, draw: np.random.Generator | None
) -> Tensors:
    """Buckets of each item -> wide_ids, wide_weights (M,), wide_starts (N,); weights make bags alike in norm.

    With ``draw`` a share of the features is left out.
    """
    sizes = np.array([len(bag) for bag in bags], dtype=np.int64)
    ids = np.concatenate(bags) if len(bags) else np.zeros(0, dtype=np.int64)
    weights = np.repeat(WIDE_GAIN * np.maximum(sizes, 1) ** -0.5, sizes).astype(np.float32)
    if draw is not None and dropout:
        weights *= (draw.random(len(ids)) >= dropout) / np.float32(1 - dropout)
    return tensors(
        wide_ids=ids, wide_starts=np.cumsum(sizes) - sizes, wide_weights=weights.astype(np.float32)
    )

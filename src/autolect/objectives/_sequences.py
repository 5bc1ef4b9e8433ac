"""What the objectives share: token sequences with BOS and EOS, padded batches, random masking."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolect.core.device import Device
from autolect.core.goal import Goal, Loss, Score, Tensors
from autolect.text.batches import Batches
from autolect.text.shards import TokenStore
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD

NO_TARGET = -100
"""Marks a place without a target, as torch's cross-entropy does."""

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The token sequences of a corpus."""

    train: TokenStore
    valid: TokenStore
    test: TokenStore


def padded(store: TokenStore, rows: NDArray[np.int64], length: int) -> Ids:
    """[BOS] ids [EOS] [PAD]... of each row: (B, length)."""
    ids = np.full((len(rows), length), PAD, dtype=np.int64)
    for place, row in enumerate(rows):
        sequence = store.sequence(int(row))
        ids[place, 0] = BOS
        ids[place, 1 : 1 + len(sequence)] = sequence
        ids[place, 1 + len(sequence)] = EOS
    return ids


def masked(
    ids: Ids, chosen: NDArray[np.bool_], draw: np.random.Generator, *, vocab_size: int
) -> Ids:
    """80 % of the chosen places become [MASK], 10 % a random token, 10 % stay (Devlin 2019)."""
    noisy = ids.copy()
    kind = draw.random(ids.shape)
    noisy[chosen & (kind < 0.8)] = MASK
    swapped = chosen & (kind >= 0.8) & (kind < 0.9)
    noisy[swapped] = draw.integers(NUM_SPECIAL, vocab_size, size=int(swapped.sum()))
    return noisy


def choose(ids: Ids, share: float, draw: np.random.Generator) -> NDArray[np.bool_]:
    """A share of each row's ordinary tokens, at least one of every row that has any; never specials."""
    ordinary = ids >= NUM_SPECIAL
    rank = np.where(ordinary, draw.random(ids.shape), 2.0)
    wanted = np.maximum(np.rint(share * ordinary.sum(axis=1)), 1)
    order = rank.argsort(axis=1).argsort(axis=1)
    chosen: NDArray[np.bool_] = (order < wanted[:, None]) & ordinary
    return chosen


def cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Sum of the losses of scores (N,V) against targets (N,), in float32."""
    return torch.nn.functional.cross_entropy(
        scores.float(), targets, ignore_index=NO_TARGET, reduction="sum"
    )


def tensors(**arrays: NDArray[np.generic]) -> Tensors:
    """NumPy arrays -> tensors."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def measure(goal: Goal, store: TokenStore, device: Device, *, batch_tokens: int = 8192) -> Score:
    """Mean loss and its parts over a store, with the same noise at every call."""
    network = goal.network
    was_training = network.training
    network.eval()
    total, targets = 0.0, 0
    parts: dict[str, list[float]] = {}
    batches = Batches(store.lengths + 2, batch_tokens=batch_tokens, seed=0).in_order()
    with torch.no_grad(), device.computing():
        for number, batch in enumerate(batches):
            draw = np.random.default_rng([zlib.crc32(b"measure"), number])
            loss = goal.loss(
                on(collate_from(goal, store, batch.rows, batch.length, draw), device)
            )
            total, targets = total + float(loss.total), targets + loss.targets
            for name, (part, count) in loss.parts.items():
                seen = parts.setdefault(name, [0.0, 0.0])
                seen[0], seen[1] = seen[0] + float(part), seen[1] + count
    network.train(was_training)
    mean = total / max(1, targets)
    return Score(
        value=-mean, figures={"loss": mean, **{k: s / max(1.0, n) for k, (s, n) in parts.items()}}
    )

"""What goes wrong in a step: numbers that are not finite, memory that is used up; and what to do then."""

from __future__ import annotations

import math

import numpy as np
import torch

from autolect.core.device import Device, on
from autolect.core.errors import UserError
from autolect.core.goal import Goal
from autolect.core.recipe import TrainConfig
from autolect.train.batches import Batch

MOST_NAMED = 3
"""So many texts of a step without a finite loss are named."""


def finite(value: float) -> float | None:
    """A number that JSON has a word for."""
    return value if math.isfinite(value) else None


def named(goal: Goal, batch: Batch, device: Device, draw: np.random.Generator, *, done: float) -> str:
    """File and line of the texts that have no finite loss when they are alone; of all where none is found."""
    guilty = []
    with torch.no_grad(), device.computing():
        for row in batch.rows:
            alone = goal.collate(np.array([row]), batch.length, draw, done=done)
            if not torch.isfinite(goal.loss(on(alone, device)).total):
                guilty.append(int(row))
    guilty = guilty or [int(row) for row in batch.rows]
    told = ", ".join(goal.where(row) for row in guilty[:MOST_NAMED])
    return f"{told} and {len(guilty) - MOST_NAMED} more" if len(guilty) > MOST_NAMED else told


def calmer(config: TrainConfig) -> str:
    """What to try where numbers grew out of bounds."""
    other = "" if config.dtype == "float32" else " or set dtype = 'float32'"
    return f"lower the rate ({config.rate:g}){other}; the checkpoint before it is kept"


def is_memory(error: BaseException) -> bool:
    """Whether memory is used up. Torch says it in words on a CPU, and with a class of its own elsewhere."""
    # The last words are oneDNN's.
    words = ("can't allocate memory", "bad_alloc", "Cannot allocate memory", "could not create a primitive")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(w in str(error) for w in words)


def memory(batch: Batch, config: TrainConfig, *, what: str) -> UserError:
    """Memory was used up by a batch: its size, and what takes less."""
    rows, tokens = len(batch.rows), len(batch.rows) * batch.length
    section = "train" if what == "pretraining" else "finetune"
    fix = f"set {section}.micro_batches = {2 * config.micro_batches}: the same steps in less memory"
    if rows <= config.micro_batches:
        fix = f"set {section}.length = {max(8, batch.length // 2)}, or make the network smaller"
    return UserError(
        f"memory is used up by a batch of {rows} texts of {batch.length} tokens ({tokens} in all)",
        where=what,
        fix=fix,
    )

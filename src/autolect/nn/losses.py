"""Cross-entropy where there are targets, and nowhere else."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from autolect.nn.model import Model

NO_TARGET = -100
"""Marks a place of ``targets`` that is not predicted."""

Targets = NDArray[np.int64]


def token_loss(model: Model, states: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """States (B,T,D), targets (B,T) -> (sum of losses, number of targets).

    The scores over the vocabulary are computed at the targets alone.
    """
    places = (targets.reshape(-1) != NO_TARGET).nonzero().squeeze(1)
    scores = model.scores(states.reshape(-1, states.shape[-1])[places])
    total = F.cross_entropy(scores.float(), targets.reshape(-1)[places], reduction="sum")
    return total, len(places)


def tensors(**arrays: NDArray[np.generic]) -> dict[str, Tensor]:
    """NumPy arrays -> tensors that share their memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}

"""What the training loop needs of an objective or a task; it knows nothing else about either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Tensors = dict[str, Tensor]
"""A collated batch: name -> tensor."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Sum of the losses of a batch and the number of targets it is made of.

    The loop divides by the targets of the whole step, so that neither batches of unequal size nor
    accumulation change the mean. ``parts`` are (sum, targets) to log apart.
    """

    total: Tensor
    targets: int
    parts: Mapping[str, tuple[Tensor, int]] = field(default_factory=dict)

    def detached(self) -> Loss:
        """The figures without what leads back to them."""
        parts = {name: (total.detach(), count) for name, (total, count) in self.parts.items()}
        return Loss(self.total.detach(), self.targets, parts)

    def __add__(self, other: Loss) -> Loss:
        """The loss of two parts of a batch; each may lack what none of its rows had."""
        parts = dict(self.parts)
        for name, (total, count) in other.parts.items():
            before = parts.get(name)
            parts[name] = (total, count) if before is None else (before[0] + total, before[1] + count)
        return Loss(self.total + other.total, self.targets + other.targets, parts)


@dataclass(frozen=True, slots=True)
class Score:
    """One measurement on a split. ``value`` decides (higher is better); ``figures`` are shown."""

    value: float
    figures: Mapping[str, float]


class Goal(Protocol):
    """An objective or a task with its data."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each training row, specials counted."""

    def where(self, row: int) -> str:
        """Where a training row comes from, for messages."""

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> Tensors:
        """Rows -> tensors padded to ``length``, noise drawn from ``draw`` alone.

        done: share of the training that is over, from 0 to 1.
        """

    def loss(self, batch: Tensors) -> Loss:
        """Sum of losses and number of targets of a batch."""

    def measure(self, device: Any) -> Score:
        """Measure the network on the valid split, in evaluation mode."""

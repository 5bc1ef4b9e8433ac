"""Weights of sparse features that are known by numbers: fitted elsewhere, never trained."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

NO_KEY = 2**31 - 1
"""Keys are smaller than this."""


class Keyed(nn.Module):
    """A row of weights for each of K keys, and one of zeros for all others.

    keys (K+1,), rising, the last one `NO_KEY`; table (K+1,L). How many keys there are follows from what the
    weights were fitted to, so that a file says it (`nn/weights.py`).
    """

    keys: Tensor
    table: Tensor

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.full((1,), NO_KEY, dtype=torch.int32))
        self.register_buffer("table", torch.zeros(1, num_labels))

    def make_room(self, count: int) -> None:
        """Hold so many rows, the one of zeros counted; they are to be filled."""
        self.keys = self.keys.new_full((count,), NO_KEY)
        self.table = self.table.new_zeros(count, self.table.shape[1])

    def name(self, keys: NDArray[np.int64]) -> None:
        """Hold a row of zeros for each of the keys (K,), which rise."""
        self.make_room(len(keys) + 1)
        self.keys[:-1] = torch.from_numpy(keys)

    def fill(self, table: NDArray[np.float32]) -> None:
        """Take the rows (K,L) of the keys."""
        self.table[:-1] = torch.from_numpy(table)

    def rows(self, keys: Tensor) -> Tensor:
        """The rows (M,) of keys (M,)."""
        found = torch.searchsorted(self.keys, keys.to(self.keys.dtype))
        return torch.where(self.keys[found] == keys, found, len(self.keys) - 1)

    def sums(self, rows: Tensor, starts: Tensor, weights: Tensor | None = None) -> Tensor:
        """Rows (M,), starts (N,) where those of each item begin, how much each counts (M,) -> (N,L)."""
        sums: Tensor = F.embedding_bag(rows, self.table, starts, mode="sum", per_sample_weights=weights)
        return sums

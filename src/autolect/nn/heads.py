"""Heads: what a task puts on top of the encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autolect.nn.bottleneck import mean_of

WIDE_WEIGHTS = 2_000_000
"""About so many weights has the wide part of a head."""


class Wide(nn.Module):
    """Hashed sparse features straight to the labels, beside the network (Cheng 2016, arXiv:1606.07792).

    ids (M,) buckets, starts (N,) where each item's features begin, weights (M,) -> scores (N,L).
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(wide_buckets(num_labels), num_labels, mode="sum")
        nn.init.zeros_(self.table.weight)

    def forward(self, ids: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
        """ids, starts, weights -> scores."""
        scores: Tensor = self.table(ids, starts, per_sample_weights=weights)
        return scores


def wide_buckets(num_labels: int) -> int:
    """A power of two, so that the table has at most `WIDE_WEIGHTS` weights."""
    return 1 << max(10, (WIDE_WEIGHTS // num_labels).bit_length() - 1)


class TextHead(nn.Module):
    """states (B,T,D), keep (B,T) -> scores (B,L), from the mean and the maximum of the states."""

    def __init__(self, width: int, *, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.output = nn.Linear(2 * width, num_labels)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, keep: Tensor) -> Tensor:
        """states, keep -> scores."""
        low = torch.finfo(states.dtype).min
        largest = states.masked_fill(~keep[..., None], low).amax(dim=1).float()
        pooled = torch.cat([mean_of(states, keep), largest], dim=-1)
        scores: Tensor = self.output(F.dropout(pooled, self.dropout, self.training))
        return scores


class UnitHead(nn.Module):
    """states (B,T,D), owner (B,T) -> scores (B,U,L): one row a unit, the mean of its tokens' states.

    owner[b,t] is the unit of token t, or -1 for tokens that belong to none.
    """

    def __init__(self, width: int, *, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.output = nn.Linear(width, num_labels)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, owner: Tensor, num_units: int) -> Tensor:
        """states, owner -> scores."""
        scores: Tensor = self.output(
            F.dropout(units_of(states, owner, num_units), self.dropout, self.training)
        )
        return scores


def units_of(states: Tensor, owner: Tensor, num_units: int) -> Tensor:
    """States (B,T,D), owner (B,T) -> (B,U,D), the mean of each unit's tokens, zero where it has none."""
    batch, _, width = states.shape
    place = torch.where(owner < 0, num_units, owner)
    sums = states.new_zeros((batch, num_units + 1, width), dtype=torch.float32)
    sums = sums.scatter_add(1, place[..., None].expand_as(states), states.float())
    ones = torch.ones_like(place, dtype=torch.float32)
    count = sums.new_zeros((batch, num_units + 1)).scatter_add(1, place, ones)
    return (sums / count.clamp(min=1)[..., None])[:, :num_units]

"""The bottleneck: token states become one latent, and the latent becomes a memory to decode from."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autolect.core.recipe import BottleneckConfig

FIRST_SPREAD = -4.0
"""Logarithm of a variational latent's variance before anything is learned: nearly no noise."""


class Coded(NamedTuple):
    """A latent (B,K) as the decoder gets it, and what it costs in nats (B,), zeros where that is fixed."""

    latent: Tensor
    nats: Tensor


class Bottleneck(nn.Module):
    """states (B,T,D), keep (B,T) -> latent (B,K); and back, latent (B,K) -> memory (B,1,D).

    The reconstruction sees the text through the latent alone (TSDAE: Wang 2021, arXiv:2104.06979). It is
    made of real numbers, of numbers with noise (VAE: Kingma 2014, arXiv:1312.6114; for text: Bowman 2016), or
    of few levels each (FSQ: Mentzer 2023, arXiv:2309.15505; two levels are bits).
    """

    def __init__(self, config: BottleneckConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        self.pooling, self.code = config.pooling, config.code
        self.size = config.size or width
        self.score = nn.Linear(width, 1, bias=False) if config.pooling == "attention" else None
        as_it_is = config.code == "real" and self.size == width
        self.enter = nn.Identity() if as_it_is else nn.Linear(width, self.size, bias=False)
        self.spread = nn.Linear(width, self.size) if config.code == "variational" else None
        self.leave = nn.Linear(self.size, width, bias=False)
        for value in self.parameters():
            nn.init.normal_(value, std=0.02)
        if isinstance(self.enter, nn.Linear) and config.code != "real":
            nn.init.normal_(self.enter.weight, std=width**-0.5)
        if self.spread is not None:
            nn.init.constant_(self.spread.bias, FIRST_SPREAD)
        nn.init.normal_(self.leave.weight, std=self.size**-0.5)

    def forward(self, states: Tensor, keep: Tensor) -> Tensor:
        """states, keep -> latent, without noise."""
        latent: Tensor = self.enter(self._pool(states, keep))
        return levelled(latent, self.config.levels) if self.code == "quantised" else latent

    def coded(self, states: Tensor, keep: Tensor) -> Coded:
        """states, keep -> latent with its noise, and its cost: the KL divergence from N(0, 1)."""
        if self.spread is None:
            latent = self(states, keep)
            return Coded(latent, latent.new_zeros(len(latent), dtype=torch.float32))
        pooled = self._pool(states, keep)
        mean, spread = self.enter(pooled).float(), self.spread(pooled).float()
        latent = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        return Coded(latent, 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(dim=1))

    def bits(self) -> float | None:
        """Bits that every latent takes; None where it depends on the text, or on how numbers are written."""
        return self.size * math.log2(self.config.levels) if self.code == "quantised" else None

    def memory(self, latent: Tensor) -> Tensor:
        """What a decoder attends to: one place per text."""
        place: Tensor = self.leave(latent)
        return place[:, None, :]

    def _pool(self, states: Tensor, keep: Tensor) -> Tensor:
        if self.pooling == "cls":
            return states[:, 0]
        if self.score is None:
            return mean_of(states, keep)
        low = torch.finfo(states.dtype).min / 2
        weights = self.score(states).masked_fill(~keep[..., None], low).softmax(dim=1)
        pooled: Tensor = (weights * states).sum(dim=1)
        return pooled


def levelled(latent: Tensor, levels: int) -> Tensor:
    """Each number to the nearest of so many levels from -1 to 1; gradients pass as if it had not moved."""
    place = (torch.tanh(latent.float()) + 1) / 2 * (levels - 1)
    place = place + (place.round() - place).detach()
    return 2 * place / (levels - 1) - 1


def mean_of(states: Tensor, keep: Tensor) -> Tensor:
    """States (B,T,D) -> (B,D), the mean over real tokens, summed in float32."""
    weights = keep[..., None].float()
    return (states.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)

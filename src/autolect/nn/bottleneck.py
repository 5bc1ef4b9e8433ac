"""The bottleneck: token states become one latent, and the latent becomes a memory to decode from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autolect.core.recipe import BottleneckConfig


class Bottleneck(nn.Module):
    """states (B,T,D), keep (B,T) -> latent (B,K); and back, latent (B,K) -> memory (B,1,D).

    The reconstruction sees the text through the latent alone (TSDAE: Wang 2021, arXiv:2104.06979).
    """

    def __init__(self, config: BottleneckConfig, *, width: int) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.size = config.size or width
        self.score = nn.Linear(width, 1, bias=False) if config.pooling == "attention" else None
        self.enter = nn.Linear(width, self.size, bias=False) if self.size != width else nn.Identity()
        self.leave = nn.Linear(self.size, width, bias=False)
        for value in self.parameters():
            nn.init.normal_(value, std=0.02)
        nn.init.normal_(self.leave.weight, std=self.size**-0.5)

    def forward(self, states: Tensor, keep: Tensor) -> Tensor:
        """states, keep -> latent."""
        latent: Tensor = self.enter(self._pool(states, keep))
        return latent

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


def mean_of(states: Tensor, keep: Tensor) -> Tensor:
    """States (B,T,D) -> (B,D), the mean over real tokens, summed in float32."""
    weights = keep[..., None].float()
    return (states.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)

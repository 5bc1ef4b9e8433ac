"""GRU encoder: fewer weights than an LSTM of the same width."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.recurrent import Past, RecurrentConfig, Stack


class GRUEncoderConfig(RecurrentConfig):
    """Size of the GRU encoder."""

    kind: Literal["gru"] = "gru"
    width: int = Field(default=256, ge=4, multiple_of=2)
    """D, shared by embedding, encoder and decoder. Even: each direction gets half."""
    layers: int = Field(default=2, ge=1)
    """Stacked residual layers."""


class GRUEncoder(nn.Module):
    """Gated recurrent units (Cho 2014, arXiv:1406.1078).

    x (B,T,D), keep (B,T) bool, True on real tokens -> (B,T,D), zero where not keep.
    causal: left to right only, so that it can go step by step.
    """

    def __init__(self, config: GRUEncoderConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.stack = Stack(
            config, cell="gru", width=config.width, layers=config.layers, causal=causal, memory=False
        )

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """x, keep -> states."""
        states: Tensor = self.stack(x, keep)
        return states

    def step(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """One more token (B,1,D) of a causal encoder."""
        return self.stack.step(x, past)


PLUGIN, CONFIG = GRUEncoder, GRUEncoderConfig

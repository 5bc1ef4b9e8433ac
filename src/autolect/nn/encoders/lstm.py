"""LSTM encoder: the quick one on a CPU, with a bfloat16 kernel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.recurrent import Past, RecurrentConfig, Stack


class LSTMEncoderConfig(RecurrentConfig):
    """Size of the LSTM encoder."""

    kind: Literal["lstm"] = "lstm"
    width: int = Field(default=256, ge=4, multiple_of=2)
    """D, shared by embedding, encoder and decoder. Even: each direction gets half."""
    layers: int = Field(default=2, ge=1)
    """Stacked residual layers."""


class LSTMEncoder(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    x (B,T,D), keep (B,T) bool, True on real tokens -> (B,T,D), zero where not keep.
    causal: left to right only, so that it can go step by step.
    """

    def __init__(self, config: LSTMEncoderConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.stack = Stack(
            config, cell="lstm", width=config.width, layers=config.layers, causal=causal, memory=False
        )

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """x, keep -> states."""
        states: Tensor = self.stack(x, keep)
        return states

    def step(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """One more token (B,1,D) of a causal encoder."""
        return self.stack.step(x, past)


PLUGIN, CONFIG = LSTMEncoder, LSTMEncoderConfig

"""LSTM decoder: left to right, with attention over a memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.recurrent import Past, RecurrentConfig, Stack


class LSTMDecoderConfig(RecurrentConfig):
    """Size of the LSTM decoder; its width is the encoder's."""

    kind: Literal["lstm"] = "lstm"
    layers: int = Field(default=1, ge=1)
    """One layer is enough to write a text down, and leaves the meaning to the latent."""


class LSTMDecoder(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    x (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep.
    memory: whether it is built with attention over a memory.
    """

    def __init__(self, config: LSTMDecoderConfig, *, width: int, memory: bool) -> None:
        super().__init__()
        self.stack = Stack(config, cell="lstm", width=width, layers=config.layers, causal=True, memory=memory)

    def forward(
        self,
        x: Tensor,
        keep: Tensor,
        memory: Tensor | None = None,
        memory_keep: Tensor | None = None,
    ) -> Tensor:
        """x, keep, memory, memory_keep -> states."""
        states: Tensor = self.stack(x, keep, memory, memory_keep)
        return states

    def step(self, x: Tensor, past: Past | None, memory: Tensor | None = None) -> tuple[Tensor, Past]:
        """One more token (B,1,D)."""
        return self.stack.step(x, past, memory)


PLUGIN, CONFIG = LSTMDecoder, LSTMDecoderConfig

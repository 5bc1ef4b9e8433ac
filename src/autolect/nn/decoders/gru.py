"""GRU decoder: left to right, with attention over a memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.recurrent import Past, RecurrentConfig, Stack


class GRUDecoderConfig(RecurrentConfig):
    """Size of the GRU decoder; its width is the encoder's."""

    kind: Literal["gru"] = "gru"
    layers: int = Field(default=1, ge=1)
    """One layer is enough to write a text down, and leaves the meaning to the latent."""


class GRUDecoder(nn.Module):
    """Gated recurrent units (Cho 2014, arXiv:1406.1078).

    x (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep.
    memory: whether it is built with attention over a memory.
    """

    def __init__(self, config: GRUDecoderConfig, *, width: int, memory: bool) -> None:
        super().__init__()
        self.stack = Stack(config, cell="gru", width=width, layers=config.layers, causal=True, memory=memory)

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


PLUGIN, CONFIG = GRUDecoder, GRUDecoderConfig

"""Transformer decoder: left to right, with attention over a memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.transformer import Past, Stack, TransformerConfig, check_heads


class TransformerDecoderConfig(TransformerConfig):
    """Size of the transformer decoder; its width is the encoder's."""

    kind: Literal["transformer"] = "transformer"
    layers: int = Field(default=1, ge=1)
    """A shallow decoder leaves the meaning to the latent (RetroMAE: Xiao 2022, arXiv:2205.12035)."""


class TransformerDecoder(nn.Module):
    """Transformer decoder (Vaswani 2017, arXiv:1706.03762).

    x (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep.
    memory: whether it is built with attention over a memory.
    """

    BOTH: ClassVar[bool] = True
    """It can look both ways with the same weights."""

    def __init__(self, config: TransformerDecoderConfig, *, width: int, memory: bool) -> None:
        super().__init__()
        check_heads(width, config.heads, where="decoder")
        self.stack = Stack(config, width=width, layers=config.layers, causal=True, memory=memory)

    def forward(
        self,
        x: Tensor,
        keep: Tensor,
        memory: Tensor | None = None,
        memory_keep: Tensor | None = None,
        *,
        both: bool = False,
    ) -> Tensor:
        """x, keep, memory, memory_keep -> states."""
        states: Tensor = self.stack(x, keep, memory, memory_keep, both=both)
        return states

    def step(self, x: Tensor, past: Past | None, memory: Tensor | None = None) -> tuple[Tensor, Past]:
        """One more token (B,1,D)."""
        return self.stack.step(x, past, memory)


PLUGIN, CONFIG = TransformerDecoder, TransformerDecoderConfig

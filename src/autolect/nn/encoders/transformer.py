"""Transformer encoder: every token looks at every other one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from autolect.nn.transformer import Past, Stack, TransformerConfig, check_heads


class TransformerEncoderConfig(TransformerConfig):
    """Size of the transformer encoder."""

    kind: Literal["transformer"] = "transformer"
    width: int = Field(default=256, ge=4)
    """D, shared by embedding, encoder and decoder."""
    layers: int = Field(default=4, ge=1)
    """Stacked blocks."""


class TransformerEncoder(nn.Module):
    """Transformer encoder (Vaswani 2017, arXiv:1706.03762; BERT: Devlin 2019, arXiv:1810.04805).

    x (B,T,D), keep (B,T) bool, True on real tokens -> (B,T,D), zero where not keep.
    causal: left to right only (GPT-2: Radford 2019), so that it can go step by step.
    """

    BOTH: ClassVar[bool] = True
    """A causal one can look both ways with the same weights."""
    AT: ClassVar[bool] = True
    """The states of some places cost less than those of all."""

    def __init__(self, config: TransformerEncoderConfig, *, causal: bool = False) -> None:
        super().__init__()
        check_heads(config.width, config.heads, where="encoder")
        self.stack = Stack(config, width=config.width, layers=config.layers, causal=causal, memory=False)

    def forward(self, x: Tensor, keep: Tensor, *, both: bool = False, at: Tensor | None = None) -> Tensor:
        """x, keep -> states; those at places (B,Q) alone, if they are given."""
        states: Tensor = self.stack(x, keep, both=both, at=at)
        return states

    def step(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """One more token (B,1,D) of a causal encoder."""
        return self.stack.step(x, past)


PLUGIN, CONFIG = TransformerEncoder, TransformerEncoderConfig

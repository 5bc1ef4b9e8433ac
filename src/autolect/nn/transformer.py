"""The transformer block and stack that the transformer encoder and decoder share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from autolect.core.config import Section
from autolect.core.errors import UserError
from autolect.nn.attention import (
    ALL,
    Attention,
    Keys,
    Sight,
    Turns,
    causal_sight,
    taken,
    turns_of,
    whole_sight,
)
from autolect.nn.kernels import add_dropped, drop, gate, gelu, linear
from autolect.nn.norm import NormKind, make_norm

MAX_LEARNED_POSITIONS = 1024


class TransformerConfig(Section):
    """Settings that both transformers share."""

    heads: int = Field(default=4, ge=1)
    """H. Each head has width / heads features."""
    shape: Literal["modern", "bert", "gpt2"] = "modern"
    """modern: rotary positions, gated MLP, RMSNorm first. bert (also BART): learned positions, GELU,
    LayerNorm after. gpt2: learned positions, GELU, LayerNorm first."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """On attention weights and on what each sublayer adds."""


Inner = Literal["gated", "gelu", "gelu_tanh"]
"""What a feed-forward part does between its two matrices; GPT-2 computes its GELU by tanh."""


@dataclass(frozen=True, slots=True)
class _Shape:
    norm: NormKind
    first: bool
    rotary: bool
    inner: Inner


_SHAPES = {
    "modern": _Shape(norm="rms", first=True, rotary=True, inner="gated"),
    "bert": _Shape(norm="layer", first=False, rotary=False, inner="gelu"),
    "gpt2": _Shape(norm="layer", first=True, rotary=False, inner="gelu_tanh"),
}


def check_heads(width: int, heads: int, *, where: str) -> None:
    """UserError unless the width gives every head an even number of features."""
    if width % heads or (width // heads) % 2:
        unit = 2 * heads
        better = max(unit, round(width / unit) * unit)
        raise UserError(
            f"{width} does not divide into {heads} heads of even size",
            where=f"{where}.width" if where == "encoder" else f"encoder.width for the {where}",
            fix=f"try {better}",
        )


@dataclass
class Past:
    """What a stack remembers between steps."""

    own: list[Keys | None]
    memory: list[Keys | None] = field(default_factory=list)
    position: int = 0

    def pick(self, rows: Tensor) -> Past:
        """What is remembered of some rows of the batch."""
        own = [None if one is None else one.pick(rows) for one in self.own]
        memory = [None if one is None else one.pick(rows) for one in self.memory]
        return Past(own=own, memory=memory, position=self.position)


class Feedforward(nn.Module):
    """(…,D) -> (…,D): GELU MLP, or the gated one at the same size (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, width: int, *, inner: Inner) -> None:
        super().__init__()
        self.inner = inner
        gated = inner == "gated"
        size = -(-8 * width // 3 // 16) * 16 if gated else 4 * width
        self.enter = nn.Linear(width, 2 * size if gated else size, bias=not gated)
        self.leave = nn.Linear(size, width, bias=not gated)

    def forward(self, x: Tensor) -> Tensor:
        """(...,D) -> (...,D)."""
        inner = linear(x, self.enter)
        inner = gate(inner) if self.inner == "gated" else gelu(inner, tanh=self.inner == "gelu_tanh")
        return linear(inner, self.leave)


class Block(nn.Module):
    """Attention over the sequence, over the memory if there is one, then the feed-forward part."""

    COMPILED: ClassVar[bool] = True
    """A GPU's training compiles it, see `autolect.core.device`."""

    def __init__(self, width: int, *, config: TransformerConfig, memory: bool) -> None:
        super().__init__()
        shape = _SHAPES[config.shape]
        self.first, self.dropout = shape.first, config.dropout

        def attention() -> Attention:
            return Attention(width, heads=config.heads, dropout=config.dropout, bias=shape.inner != "gated")

        self.own, self.own_norm = attention(), make_norm(shape.norm, width)
        self.memory = attention() if memory else None
        self.memory_norm = make_norm(shape.norm, width) if memory else None
        self.forward_part = Feedforward(width, inner=shape.inner)
        self.forward_norm = make_norm(shape.norm, width)

    def forward(
        self,
        x: Tensor,
        sight: Sight,
        memory: Tensor | None = None,
        memory_sight: Sight = ALL,
        at: Tensor | None = None,
    ) -> Tensor:
        """X (B,T,D) -> (B,T,D), or (B,Q,D) where only the tokens at (B,Q) are wanted."""
        seen = self.own_norm(x) if self.first else x
        looking = seen
        if at is not None:
            x, looking = taken(x, at), taken(seen, at)
        x = self._add(x, self.own(looking, seen, sight, at), self.own_norm)
        if self.memory is not None and memory is not None:
            x = self._look(x, self.memory.keys(memory), memory_sight)
        return self._feed(x)

    def step(
        self, x: Tensor, past: Keys | None, memory: Keys | None, turns: Turns | None
    ) -> tuple[Tensor, Keys]:
        """One more token (B,1,D)."""
        seen = self.own_norm(x) if self.first else x
        added, past = self.own.step(seen, past, turns)
        x = self._add(x, added, self.own_norm)
        if memory is not None:
            x = self._look(x, memory, ALL)
        return self._feed(x), past

    def memory_keys(self, memory: Tensor) -> Keys | None:
        """What every step looks up in the memory, computed once."""
        return None if self.memory is None else self.memory.keys(memory)

    def _look(self, x: Tensor, keys: Keys, sight: Sight) -> Tensor:
        assert self.memory is not None
        assert self.memory_norm is not None
        seen = self.memory_norm(x) if self.first else x
        return self._add(x, self.memory.look(seen, keys, sight), self.memory_norm)

    def _feed(self, x: Tensor) -> Tensor:
        seen = self.forward_norm(x) if self.first else x
        return self._add(x, self.forward_part(seen), self.forward_norm)

    def _add(self, x: Tensor, added: Tensor, norm: nn.Module) -> Tensor:
        x = add_dropped(x, added, self.dropout, self.training)
        return x if self.first else norm(x)


class Stack(nn.Module):
    """Blocks over a sequence, both ways or left to right, with or without a memory."""

    def __init__(
        self, config: TransformerConfig, *, width: int, layers: int, causal: bool, memory: bool
    ) -> None:
        super().__init__()
        shape = _SHAPES[config.shape]
        self.causal, self.dropout = causal, config.dropout
        self.pairs = width // config.heads // 2 if shape.rotary else None
        self.positions = None if shape.rotary else nn.Embedding(MAX_LEARNED_POSITIONS, width)
        self.enter = None if shape.first else make_norm(shape.norm, width)
        self.blocks = nn.ModuleList(Block(width, config=config, memory=memory) for _ in range(layers))
        self.leave = make_norm(shape.norm, width) if shape.first else None
        self._initialise(layers)

    def forward(
        self,
        x: Tensor,
        keep: Tensor,
        memory: Tensor | None = None,
        memory_keep: Tensor | None = None,
        *,
        both: bool = False,
        at: Tensor | None = None,
    ) -> Tensor:
        """X (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep.

        both: a left-to-right stack looks both ways for once.  at: places (B,Q) whose states alone are wanted,
        (B,Q,D), of a stack that looks both ways; the last block computes no others.
        """
        assert at is None or not self.causal, "what may be seen would differ from place to place"
        one_way = self.causal and not both
        sight = causal_sight(x.shape[1], x.dtype, x.device) if one_way else whole_sight(keep, x.dtype)
        sight = sight._replace(turns=self._turns(x, first=0))
        memory_sight = ALL if memory_keep is None else whole_sight(memory_keep, x.dtype)
        x = self._enter(x, position=0)
        *lower, last = self.blocks
        for block in lower:
            x = block(x, sight, memory, memory_sight)
        x = last(x, sight, memory, memory_sight, at)
        if self.leave is not None:
            x = self.leave(x)
        return x * (keep if at is None else keep.gather(1, at))[..., None]

    def step(self, x: Tensor, past: Past | None, memory: Tensor | None = None) -> tuple[Tensor, Past]:
        """One more token x (B,1,D), the stack being causal. ``memory`` has no padding here."""
        assert self.causal, "only a left-to-right stack can go step by step"
        if past is None:
            keys = [None if memory is None else block.memory_keys(memory) for block in self._each()]
            past = Past(own=[None] * len(self.blocks), memory=keys)
        turns = self._turns(x, first=past.position)
        x = self._enter(x, position=past.position)
        own: list[Keys | None] = []
        for block, before, keys_of_memory in zip(self._each(), past.own, past.memory, strict=True):
            x, keys_now = block.step(x, before, keys_of_memory, turns)
            own.append(keys_now)
        if self.leave is not None:
            x = self.leave(x)
        return x, Past(own=own, memory=past.memory, position=past.position + 1)

    def _turns(self, x: Tensor, *, first: int) -> Turns | None:
        """Those of the tokens of x (B,T,D), the first of which stands at ``first``."""
        if self.pairs is None:
            return None
        return turns_of(x.shape[1], self.pairs, first=first, device=x.device)

    def _each(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _enter(self, x: Tensor, *, position: int) -> Tensor:
        if self.positions is not None:
            place = torch.arange(position, position + x.shape[1], device=x.device)
            x = x + self.positions(place)
        if self.enter is not None:
            x = self.enter(x)
        return drop(x, self.dropout, self.training)

    def _initialise(self, layers: int) -> None:
        """N(0, 0.02), and less for what is added to the residual stream (Radford 2019)."""
        for name, value in self.named_parameters():
            if value.dim() > 1:
                residual = name.endswith(("output.weight", "leave.weight")) and "blocks" in name
                nn.init.normal_(value, std=0.02 / (2 * layers) ** 0.5 if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(value)

"""What LSTM and GRU share: stacks of residual layers over a sequence, both ways or left to right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from autolect.core.config import Section
from autolect.core.device import recurrent_bfloat16
from autolect.nn.attention import ALL, Attention, Keys, Sight, whole_sight
from autolect.nn.kernels import add_dropped, drop
from autolect.nn.norm import make_norm

Cell = Literal["lstm", "gru"]
_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentConfig(Section):
    """Settings that LSTM and GRU stacks share."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """On what each layer adds."""


class RecurrentEncoderConfig(RecurrentConfig):
    """Settings of recurrent encoders."""

    width: int = Field(default=256, ge=4, multiple_of=2)
    """D, shared by embedding, encoder and decoder. Even: each direction gets half."""
    layers: int = Field(default=2, ge=1)
    """Stacked residual layers."""


class RecurrentDecoderConfig(RecurrentConfig):
    """Settings of recurrent decoders."""

    layers: int = Field(default=1, ge=1)
    """One layer is enough to write a text down, and leaves the meaning to the latent."""


@dataclass
class Past:
    """What a stack remembers between steps: one hidden state a layer, and the memory's keys."""

    hidden: list[Any]
    memory: Keys | None

    def pick(self, rows: Tensor) -> Past:
        """What is remembered of some rows of the batch."""
        hidden = [
            tuple(part[:, rows] for part in one) if isinstance(one, tuple) else one[:, rows]
            for one in self.hidden
        ]
        memory = None if self.memory is None else self.memory.pick(rows)
        return Past(hidden=hidden, memory=memory)


class Layer(nn.Module):
    """One residual recurrent layer; with two directions each gets half of the width.

    x (B,T,D), keep (B,T) True on a prefix of each row -> (B,T,D). Real tokens never see padding.
    """

    def __init__(self, cell: Cell, *, width: int, directions: Literal[1, 2], dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = make_norm("rms", width)
        hidden = width // directions
        self.ahead = _CELLS[cell](width, hidden, batch_first=True)
        self.back = _CELLS[cell](width, hidden, batch_first=True) if directions == 2 else None
        self.output = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.output.weight, std=0.02)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """x, keep -> (B,T,D)."""
        seen = self.norm(x)
        states = _run(self.ahead, seen)[0]
        if self.back is not None:
            order = mirror(keep)[..., None]
            turned = torch.gather(seen, 1, order.expand_as(seen))
            back = _run(self.back, turned)[0]
            states = torch.cat([states, torch.gather(back, 1, order.expand_as(back))], dim=-1)
        return add_dropped(x, self.output(states), self.dropout, self.training)

    def step(self, x: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        """One more token (B,1,D) after ``hidden``."""
        states, hidden = _run(self.ahead, self.norm(x), hidden)
        return x + self.output(states), hidden


def _run(cell: nn.RNNBase, x: Tensor, hidden: Any = None) -> Any:
    """A cell over x (B,T,D) in the format that is asked for, or in float32 where that has no kernel."""
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not recurrent_bfloat16():
        with torch.autocast("cpu", enabled=False):
            return cell(x.float(), hidden)
    return cell(x, hidden)


class Stack(nn.Module):
    """Recurrent layers, then attention over the memory if there is one (Bahdanau 2015, dot form)."""

    def __init__(
        self,
        config: RecurrentConfig,
        *,
        cell: Cell,
        width: int,
        layers: int,
        causal: bool,
        memory: bool,
    ) -> None:
        super().__init__()
        self.causal, self.dropout = causal, config.dropout
        self.layers = nn.ModuleList(
            Layer(cell, width=width, directions=1 if causal else 2, dropout=config.dropout)
            for _ in range(layers)
        )
        self.memory_norm = make_norm("rms", width) if memory else None
        self.memory = Attention(width, heads=1, dropout=config.dropout, bias=False) if memory else None
        self.leave = make_norm("rms", width)

    def forward(
        self,
        x: Tensor,
        keep: Tensor,
        memory: Tensor | None = None,
        memory_keep: Tensor | None = None,
    ) -> Tensor:
        """X (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep."""
        x = drop(x, self.dropout, self.training)
        for index, layer in enumerate(self.layers):
            x = layer(x, keep)
            if index == 0 and self.memory is not None and memory is not None:
                sight = ALL if memory_keep is None else whole_sight(memory_keep, x.dtype)
                x = self._look(x, self.memory.keys(memory), sight)
        states: Tensor = self.leave(x) * keep[..., None]
        return states

    def step(self, x: Tensor, past: Past | None, memory: Tensor | None = None) -> tuple[Tensor, Past]:
        """One more token x (B,1,D), the stack being causal. ``memory`` has no padding here."""
        assert self.causal, "only a left-to-right stack can go step by step"
        if past is None:
            keys = None if memory is None or self.memory is None else self.memory.keys(memory)
            past = Past(hidden=[None] * len(self.layers), memory=keys)
        hidden: list[Any] = []
        for index, (layer, before) in enumerate(zip(self.layers, past.hidden, strict=True)):
            assert isinstance(layer, Layer)
            x, now = layer.step(x, before)
            hidden.append(now)
            if index == 0 and past.memory is not None:
                x = self._look(x, past.memory, ALL)
        return self.leave(x), Past(hidden=hidden, memory=past.memory)

    def _look(self, x: Tensor, keys: Keys, sight: Sight) -> Tensor:
        assert self.memory is not None
        assert self.memory_norm is not None
        added = self.memory.look(self.memory_norm(x), keys, sight)
        return add_dropped(x, added, self.dropout, self.training)


def mirror(keep: Tensor) -> Tensor:
    """Keep (B,T), True on a prefix -> (B,T) places that turn each row's real tokens around."""
    place = torch.arange(keep.shape[1], device=keep.device).expand_as(keep)
    return torch.where(keep, keep.sum(dim=1, keepdim=True) - 1 - place, place)


class RecurrentEncoder(nn.Module):
    """x (B,T,D), keep (B,T) bool, True on real tokens -> (B,T,D), zero where not keep.

    causal: left to right only, so that it can go step by step.
    """

    CELL: ClassVar[Cell]

    def __init__(self, config: RecurrentEncoderConfig, *, causal: bool = False) -> None:
        super().__init__()
        self.stack = Stack(
            config, cell=self.CELL, width=config.width, layers=config.layers, causal=causal, memory=False
        )

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """x, keep -> states."""
        states: Tensor = self.stack(x, keep)
        return states

    def step(self, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """One more token (B,1,D) of a causal encoder."""
        return self.stack.step(x, past)


class RecurrentDecoder(nn.Module):
    """x (B,T,D), keep (B,T), memory (B,S,D), memory_keep (B,S) -> (B,T,D), zero where not keep.

    memory: whether it is built with attention over a memory.
    """

    CELL: ClassVar[Cell]

    def __init__(self, config: RecurrentDecoderConfig, *, width: int, memory: bool) -> None:
        super().__init__()
        self.stack = Stack(
            config, cell=self.CELL, width=width, layers=config.layers, causal=True, memory=memory
        )

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

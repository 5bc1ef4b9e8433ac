"""Multi-head attention over a sequence of its own or over a memory, whole or step by step.

Shapes: B batch, T target tokens, S source tokens, D width, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autolect.nn.kernels import linear, mix, project, turn

FLASH_FROM = 512
"""From this S on, the fused kernel is used on a CPU; below it its backward pass is the slower one."""


class Turns(NamedTuple):
    """By what angles features turn, as rotary positions (Su 2021, arXiv:2104.09864) have it."""

    cos: Tensor
    """(T,d/2), a row for each place, or (B,1,Q,d/2)."""
    sin: Tensor

    def at(self, places: Tensor) -> Turns:
        """Those of some places (B,Q)."""
        return Turns(self.cos[places][:, None], self.sin[places][:, None])


class Sight(NamedTuple):
    """Which tokens a token may look at, and whether it sees how far away they are."""

    bias: Tensor | None = None
    """(B or 1,1,T or 1,S), added to the scores."""
    causal: bool = False
    """None after itself; this takes the place of a bias."""
    turns: Turns | None = None
    """Of the source's places; empty: attention itself does not know where a token stands."""


ALL = Sight()
"""Every token sees every token."""


@dataclass
class Keys:
    """Keys and values that a step already computed: (B, H, S, D / H) each."""

    key: Tensor
    value: Tensor

    def pick(self, rows: Tensor) -> Keys:
        """Those of some rows of the batch, in that order, perhaps more than once."""
        return Keys(self.key[rows], self.value[rows])


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani 2017, arXiv:1706.03762)."""

    def __init__(self, width: int, *, heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        assert width % heads == 0, "the plug-in's settings are checked before"
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width, bias=bias)
        self.key_value = nn.Linear(width, 2 * width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor, source: Tensor, sight: Sight, at: Tensor | None = None) -> Tensor:
        """X (B,T,D) looks at source (B,S,D).

        at (B,T): where the tokens of x stand in the source; empty: they begin it.
        """
        turns = sight.turns
        if x is source:
            query, key_value = project(x, self.query, self.key_value)
        else:
            query, key_value = linear(x, self.query), linear(source, self.key_value)
        query, keys = self._split(query), self._keys(key_value, turns)
        if turns is not None:
            query = turn(query, *(turns if at is None else turns.at(at)))
        return self._attend(query, keys, sight)

    def step(self, x: Tensor, past: Keys | None, turns: Turns | None) -> tuple[Tensor, Keys]:
        """One more token x (B,1,D) after ``past``; gives its (B,1,D) and the longer past."""
        keys = self.keys(x, turns)
        if past is not None:
            keys = Keys(torch.cat([past.key, keys.key], dim=2), torch.cat([past.value, keys.value], dim=2))
        query = self._split(linear(x, self.query))
        if turns is not None:
            query = turn(query, *turns)
        return self._attend(query, keys, ALL), keys

    def keys(self, source: Tensor, turns: Turns | None = None) -> Keys:
        """Keys and values of source (B,S,D)."""
        return self._keys(linear(source, self.key_value), turns)

    def _keys(self, key_value: Tensor, turns: Turns | None) -> Keys:
        key, value = key_value.chunk(2, dim=-1)
        key = self._split(key)
        if turns is not None:
            key = turn(key, *turns)
        return Keys(key, self._split(value))

    def look(self, x: Tensor, keys: Keys, sight: Sight) -> Tensor:
        """X (B,T,D) looks at keys computed before, as a decoder does at its memory."""
        return self._attend(self._split(linear(x, self.query)), keys, sight)

    def _attend(self, query: Tensor, keys: Keys, sight: Sight) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if fused(query.device, keys.key.shape[2]):
            mixed = F.scaled_dot_product_attention(
                query, keys.key, keys.value, sight.bias, dropout, is_causal=sight.causal
            )
        else:
            mixed = mix(query, keys.key, keys.value, sight.bias, dropout)
        batch, _, length, _ = mixed.shape
        return linear(mixed.transpose(1, 2).reshape(batch, length, -1), self.output)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)


def turns_of(count: int, half: int, *, first: int, device: torch.device) -> Turns:
    """For ``count`` places, the first of them at ``first``, and ``half`` pairs of features."""
    places = torch.arange(first, first + count, device=device, dtype=torch.float32)
    angle = places[:, None] * 10_000.0 ** (-torch.arange(half, device=device, dtype=torch.float32) / half)
    return Turns(angle.cos(), angle.sin())


def taken(x: Tensor, at: Tensor) -> Tensor:
    """Rows of x (B,T,D) at places (B,Q) -> (B,Q,D)."""
    return x.gather(1, at[..., None].expand(-1, -1, x.shape[-1]))


def fused(device: torch.device, length: int) -> bool:
    """Whether attention over so many tokens goes through the fused kernel."""
    return device.type != "cpu" or length >= FLASH_FROM


def whole_sight(keep: Tensor, dtype: torch.dtype) -> Sight:
    """Keep (B,S) bool: every token sees all that are kept."""
    # Without a bias there is a pass less, and on a GPU a faster kernel; asking waits there for all before it.
    if bool(keep.all()):
        return ALL
    bias = torch.zeros(keep.shape, dtype=dtype, device=keep.device)
    return Sight(bias.masked_fill(~keep, torch.finfo(dtype).min / 2)[:, None, None, :])


def causal_sight(length: int, dtype: torch.dtype, device: torch.device) -> Sight:
    """Token t sees those up to t; padding stands last, so no other token sees it."""
    if fused(device, length):
        return Sight(causal=True)
    low = torch.full((length, length), torch.finfo(dtype).min / 2, dtype=dtype, device=device)
    return Sight(low.triu(1)[None, None])

"""Multi-head attention over a sequence of its own or over a memory, whole or step by step.

Shapes: B batch, T target tokens, S source tokens, D width, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLASH_FROM = 512
"""From this S on, the fused kernel is used on a CPU; below it its backward pass is the slower one."""


@dataclass
class Keys:
    """Keys and values that a step already computed: (B, H, S, D / H) each."""

    key: Tensor
    value: Tensor

    def pick(self, rows: Tensor) -> Keys:
        """Those of some rows of the batch, in that order, perhaps more than once."""
        return Keys(self.key[rows], self.value[rows])


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani 2017, arXiv:1706.03762), rotary positions optional.

    rotary: turn queries and keys by their position (Su 2021, arXiv:2104.09864); never for a memory.
    """

    def __init__(self, width: int, *, heads: int, dropout: float, rotary: bool, bias: bool) -> None:
        super().__init__()
        assert width % heads == 0, "the plug-in's settings are checked before"
        self.heads, self.dropout, self.rotary = heads, dropout, rotary
        self.query = nn.Linear(width, width, bias=bias)
        self.key_value = nn.Linear(width, 2 * width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor | None, at: Tensor | None = None) -> Tensor:
        """X (B,T,D) looks at source (B,S,D); bias (B or 1,1,T or 1,S) is added to the scores.

        at (B,T): where the tokens of x stand in the source; empty: they begin it.
        """
        query, keys = self._split(self.query(x)), self.keys(source)
        if self.rotary:
            query = rotate(query, _places(x, first=0) if at is None else at[:, None])
        return self._attend(query, keys, bias)

    def step(self, x: Tensor, past: Keys | None) -> tuple[Tensor, Keys]:
        """One more token x (B,1,D) after ``past``; gives its (B,1,D) and the longer past."""
        first = 0 if past is None else past.key.shape[2]
        keys = self.keys(x, first=first)
        if past is not None:
            keys = Keys(torch.cat([past.key, keys.key], dim=2), torch.cat([past.value, keys.value], dim=2))
        query = self._split(self.query(x))
        if self.rotary:
            query = rotate(query, _places(x, first=first))
        return self._attend(query, keys, None), keys

    def keys(self, source: Tensor, *, first: int = 0) -> Keys:
        """Keys and values of source (B,S,D), whose first token stands at position ``first``."""
        key, value = self.key_value(source).chunk(2, dim=-1)
        key = self._split(key)
        if self.rotary:
            key = rotate(key, _places(source, first=first))
        return Keys(key, self._split(value))

    def look(self, x: Tensor, keys: Keys, bias: Tensor | None) -> Tensor:
        """X (B,T,D) looks at keys computed before, as a decoder does at its memory."""
        return self._attend(self._split(self.query(x)), keys, bias)

    def _attend(self, query: Tensor, keys: Keys, bias: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if query.device.type != "cpu" or keys.key.shape[2] >= FLASH_FROM:
            mixed = F.scaled_dot_product_attention(
                query, keys.key, keys.value, attn_mask=bias, dropout_p=dropout
            )
        else:
            scores = query @ keys.key.transpose(-1, -2) * query.shape[-1] ** -0.5
            weights = (scores if bias is None else scores + bias).softmax(dim=-1)
            mixed = F.dropout(weights, dropout) @ keys.value if dropout else weights @ keys.value
        batch, _, length, _ = mixed.shape
        output: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return output

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)


def rotate(x: Tensor, places: Tensor) -> Tensor:
    """Turn pairs of features of x (B,H,T,d) by angles that grow with the places (T,) or (B,1,T)."""
    half = x.shape[3] // 2
    speed = 10_000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = places[..., None] * speed
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    left, right = x[..., :half], x[..., half : 2 * half]
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


def _places(x: Tensor, *, first: int) -> Tensor:
    """Where the tokens of x (B,T,D) stand (T,), the first of them at ``first``."""
    return torch.arange(first, first + x.shape[1], device=x.device, dtype=torch.float32)


def taken(x: Tensor, at: Tensor) -> Tensor:
    """Rows of x (B,T,D) at places (B,Q) -> (B,Q,D)."""
    return x.gather(1, at[..., None].expand(-1, -1, x.shape[-1]))


def keep_bias(keep: Tensor, dtype: torch.dtype) -> Tensor:
    """Keep (B,S) bool -> (B,1,1,S): 0 where True, a very low score elsewhere."""
    bias = torch.zeros(keep.shape, dtype=dtype, device=keep.device)
    return bias.masked_fill(~keep, torch.finfo(dtype).min / 2)[:, None, None, :]


def causal_bias(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(1,1,T,T): token t sees only tokens up to t."""
    low = torch.full((length, length), torch.finfo(dtype).min / 2, dtype=dtype, device=device)
    return low.triu(1)[None, None]

"""Forward and backward passes by hand, where a processor's own take many trips through memory.

On a GPU the plain formulas run, which its compiler fuses. Both give the same values and gradients up to
rounding, but for what dropout draws and GELU by tanh in bfloat16.
Shapes: B batch, H heads, T target tokens, S source tokens, D width, d = D / H.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from autolect.core.device import fast_bfloat16

STEPS = 1 << 7
"""What is dropped is so many parts of all: each element draws 7 bits, not a number of its own. What lies
between two parts is the one or the other by chance, so that the share is right over many calls; at most all
but one part are dropped."""
_AS_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def by_hand(x: Tensor) -> bool:
    """Whether the passes over x are those made here."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def drop(x: Tensor, share: float, training: bool) -> Tensor:
    """Zero a share of x and scale the rest to the same mean (Srivastava 2014)."""
    if not training or not share:
        return x
    if not by_hand(x):
        return F.dropout(x, share)
    dropped: Tensor = _Dropped.apply(x, share)  # type: ignore[no-untyped-call]
    return dropped


def add_dropped(x: Tensor, added: Tensor, share: float, training: bool) -> Tensor:
    """X + drop(added)."""
    if not training or not share or not by_hand(x):
        return x + F.dropout(added, share, training)
    longer: Tensor = _AddDropped.apply(x, added, share)  # type: ignore[no-untyped-call]
    return longer


def project(x: Tensor, *parts: nn.Linear) -> tuple[Tensor, ...]:
    """Linear parts of the same x (...,D): one product in bfloat16, where that is fast.

    There it takes their weights and does not call the modules, so that hooks on them do not run.
    """
    narrow = by_hand(x) and torch.is_autocast_enabled("cpu")
    if not narrow or not (fast_bfloat16(x.device) and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
        return tuple(part(x) for part in parts)
    weights = [part.weight for part in parts]
    biases = [part.bias for part in parts if part.bias is not None]
    assert len(biases) in (0, len(parts)), "all have a bias, or none has"
    projected: tuple[Tensor, ...] = _Projected.apply(x, len(parts), *weights, *biases)  # type: ignore[no-untyped-call]
    return projected


def linear(x: Tensor, part: nn.Linear) -> Tensor:
    """One linear part of x (...,D), see `project`."""
    return project(x, part)[0]


def mix(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """Query (B,H,T,d), key and value (B,H,S,d), bias (B or 1,1,T or 1,S) -> attention's (B,H,T,d)."""
    if by_hand(query):
        mixed: Tensor = _Mixed.apply(query, key, value, bias, dropout)  # type: ignore[no-untyped-call]
        return mixed
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    return F.dropout(weights, dropout) @ value


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs of features of x (B,H,T,d) by angles whose cos and sin (..., T, d / 2) are given."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    if by_hand(x):
        turned: Tensor = _Turned.apply(x, cos, sin)  # type: ignore[no-untyped-call]
        return turned
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


def gate(x: Tensor) -> Tensor:
    """(..., 2 S) -> (..., S): the first half times the SiLU of the second."""
    if by_hand(x):
        gated: Tensor = _Gated.apply(x)  # type: ignore[no-untyped-call]
        return gated
    inner, gates = x.chunk(2, dim=-1)
    return inner * F.silu(gates)


def gelu(x: Tensor, *, tanh: bool) -> Tensor:
    """GELU (Hendrycks 2016, arXiv:1606.08415), or its approximation by tanh.

    A processor takes several times as long for the latter in bfloat16; at most 0.0005 lies between the two.
    """
    approximate = tanh and not (by_hand(x) and x.dtype == torch.bfloat16)
    return F.gelu(x, approximate="tanh" if approximate else "none")


class RMSNorm(nn.RMSNorm):
    """RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) over the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        """(...,D) -> (...,D)."""
        if not by_hand(x) or x.dtype != self.weight.dtype:
            return super().forward(x)
        normed: Tensor = _Normed.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return normed


def _kept(x: Tensor, share: float) -> tuple[Tensor, float]:
    """A mask of the shape of x, -1 where it is kept and 0 where not, and the scale that keeps the mean."""
    draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(1 << 63), None)
    cut = min(STEPS - 1, int(share * STEPS + float(torch.rand(()))))
    bits = draws.view(torch.int8)[: x.numel()].view(x.shape)
    # A draw from -STEPS to -1 stays below zero, and its sign fills the mask, unless it is among the highest.
    bits.bitwise_or_(-STEPS).add_(cut).bitwise_right_shift_(7)
    return bits, STEPS / (STEPS - cut)


def _masked(x: Tensor, kept: Tensor) -> Tensor:
    """X where kept, and zero."""
    whole = _AS_INTEGERS[x.element_size()]
    found: Tensor = x.contiguous().view(whole).bitwise_and(kept.to(whole)).view(x.dtype)
    return found


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        kept, ctx.scale = _kept(x, share)
        ctx.save_for_backward(kept)
        return _masked(x, kept).mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _masked(grads[0], kept).mul_(ctx.scale), None


class _AddDropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, added: Tensor, share: float) -> Tensor:
        kept, ctx.scale = _kept(added, share)
        ctx.save_for_backward(kept)
        ctx.dtypes = x.dtype, added.dtype
        return torch.add(x, _masked(added, kept), alpha=ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (kept,) = ctx.saved_tensors
        through, narrow = ctx.dtypes
        return grads[0].to(through), _masked(grads[0].to(narrow), kept).mul_(ctx.scale), None


class _Projected(torch.autograd.Function):
    """x is made narrow once, a bias is added within the product, and there is one way back for all parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int, *values: Tensor) -> tuple[Tensor, ...]:
        dtype = torch.get_autocast_dtype("cpu")
        given = x.reshape(-1, x.shape[-1]).to(dtype)
        weight, bias = (_joined(some, dtype) for some in (values[:count], values[count:]))
        assert weight is not None
        if bias is None:
            found = given @ weight.t()
        else:
            found = torch.ops.mkldnn._linear_pointwise(given, weight, bias, "none", [], "")
        ctx.save_for_backward(given, weight)
        ctx.shape, ctx.dtype, ctx.sizes = x.shape, x.dtype, [len(value) for value in values[:count]]
        ctx.biased = bias is not None
        return torch.split(found.view(*x.shape[:-1], len(weight)), ctx.sizes, dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        given, weight = ctx.saved_tensors
        flat = [grad.reshape(len(given), size) for grad, size in zip(grads, ctx.sizes, strict=True)]
        grad = flat[0] if len(flat) == 1 else torch.cat(flat, dim=1)
        needed, *of_values = ctx.needs_input_grad[:1] + ctx.needs_input_grad[2:]
        to_x = (grad @ weight).to(ctx.dtype).view(ctx.shape) if needed else None
        if not any(of_values):
            return (to_x, None, *[None] * len(of_values))
        to_weights = torch.split((grad.t() @ given).float(), ctx.sizes)
        to_biases = torch.split(grad.sum(dim=0).float(), ctx.sizes) if ctx.biased else ()
        return (to_x, None, *to_weights, *to_biases)


def _joined(values: tuple[Tensor, ...], dtype: torch.dtype) -> Tensor | None:
    """Below each other, in the format of the products; None of none."""
    narrow = [value.to(dtype) for value in values]
    return torch.cat(narrow) if len(narrow) > 1 else next(iter(narrow), None)


class _Mixed(torch.autograd.Function):
    """Scaled dot-product attention whose weights are computed once and kept."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float
    ) -> Tensor:
        batch, heads, length, size = query.shape
        seen = key.shape[2]
        query = query.reshape(batch * heads, length, size)
        key, value = (one.reshape(batch * heads, seen, size) for one in (key, value))
        scores = query.new_empty(batch * heads, length, seen)
        torch.baddbmm(scores, query, key.transpose(1, 2), beta=0, alpha=size**-0.5, out=scores)
        if bias is not None:
            scores.view(batch, heads, length, seen).add_(bias.to(scores.dtype))
        weights = torch._softmax(scores, -1, False)
        kept, ctx.scale = _kept(weights, dropout) if dropout else (None, 1.0)
        ctx.save_for_backward(query, key, value, weights, kept)
        used = weights if kept is None else _masked(weights, kept)
        mixed = torch.bmm(used, value)
        if kept is not None:
            mixed.mul_(ctx.scale)
        return mixed.view(batch, heads, length, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, weights, kept = ctx.saved_tensors
        shape = grads[0].shape
        grad = grads[0].reshape(query.shape)
        if kept is not None:
            grad = grad * ctx.scale
        used = weights if kept is None else _masked(weights, kept)
        to_value = torch.bmm(used.transpose(1, 2), grad)
        to_weights = torch.bmm(grad, value.transpose(1, 2))
        if kept is not None:
            to_weights = _masked(to_weights, kept)
        to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
        scale = query.shape[-1] ** -0.5
        to_query = torch.bmm(to_scores, key).mul_(scale)
        to_key = torch.bmm(to_scores.transpose(1, 2), query).mul_(scale)
        whole = (*shape[:2], key.shape[1], shape[3])
        return to_query.view(shape), to_key.view(whole), to_value.view(whole), None, None


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, sin, -1.0), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor, way: float) -> Tensor:
    turned = torch.empty(x.shape, dtype=x.dtype)
    left, right = x.chunk(2, dim=-1)
    first, second = turned.chunk(2, dim=-1)
    torch.mul(left, cos, out=first).addcmul_(right, sin, value=-way)
    torch.mul(right, cos, out=second).addcmul_(left, sin, value=way)
    return turned


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        inner, gates = x.chunk(2, dim=-1)
        return F.silu(gates).mul_(inner)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        inner, gates = x.chunk(2, dim=-1)
        found = torch.empty_like(x)
        to_inner, to_gates = found.chunk(2, dim=-1)
        torch.mul(grads[0], F.silu(gates), out=to_inner)
        to_gates.copy_(torch.ops.aten.silu_backward(grads[0] * inner, gates))
        return found


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps)
        scale.rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        normed: Tensor = (x * scale).mul_(weight)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        along = (grads[0] * x).reshape(-1, x.shape[-1])
        to_weight = scale.reshape(1, -1) @ along
        pull = (along @ weight).reshape(scale.shape) * scale.pow(3).div_(x.shape[-1])
        to_x = (grads[0] * weight).mul_(scale).addcmul_(x, pull, value=-1.0)
        return to_x, to_weight.view(-1), None

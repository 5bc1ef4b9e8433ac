"""Cross-entropy where there are targets, and nowhere else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from autolect.core.device import compiles
from autolect.nn.model import Model

NO_TARGET = -100
"""Marks a place of ``targets`` that is not predicted."""
_LEAST = 1e-38
"""A token of a smaller share counts as if it had this."""
ROUND = 32
"""The number of targets is rounded up to so many, so that few shapes of matrix products occur."""
PLACES = 16
"""So are the places of a row that are looked at."""
CHUNK = {(True, False): 1 << 21, (True, True): 1 << 24, (False, False): 1 << 27, (False, True): 1 << 27}
"""Scores that are computed at once, by whether a processor does it and in bfloat16: there small products are
slow, while in float32 8 MB stay near it and are large enough (docs/LOG.md)."""

Targets = NDArray[np.int64]


def token_loss(
    model: Model, states: Tensor, targets: Tensor, *, smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """States (B,T,D), targets (B,T) -> (sum of losses, number of targets).

    The scores over the vocabulary are computed at the targets alone. smoothing: share of each target that is
    spread over the whole vocabulary (Szegedy 2016).
    """
    flat = targets.reshape(-1)
    places = (flat != NO_TARGET).nonzero().squeeze(1)
    count = len(places)
    if not count:
        return states.sum() * 0.0, 0
    # The last places are there to fill up: they take part in no loss.
    filled = F.pad(places, (0, -count % ROUND))
    wanted = flat[filled]
    wanted[count:] = NO_TARGET
    features = model.features(states.reshape(-1, states.shape[-1]).index_select(0, filled))
    rows, bias = model.rows(), model.output_bias
    total: Tensor = _VocabularyLoss.apply(  # type: ignore[no-untyped-call]
        features, rows, bias, wanted, torch.is_grad_enabled()
    )
    if smoothing:
        # The losses of all tokens differ from that of the right one by their scores alone.
        chosen, sums = wanted[:count], features[:count].float()
        right = (sums * rows.index_select(0, chosen)).sum() + bias.index_select(0, chosen).sum()
        every = (sums.sum(dim=0) * rows.mean(dim=0)).sum() + count * bias.mean()
        total = total + smoothing * (right - every)
    return total, count


def target_places(targets: Tensor) -> Tensor:
    """Targets (B,T) -> places (B,Q) among which all targets of each row are, and some that are none.

    Q is the most that a row has, rounded up, so that few shapes of matrix products occur.
    """
    wanted = targets != NO_TARGET
    most = -(-int(wanted.sum(dim=1).max()) // PLACES) * PLACES
    return (~wanted).to(torch.uint8).argsort(dim=1, stable=True)[:, : max(PLACES, most)]


def _judge(scores: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (N,V), wanted (N,) -> sum of losses, their gradient by the scores, which takes their place.

    The shares of the others are summed apart from that of the right one, which in few digits may be 1.
    """
    at = torch.arange(len(wanted), device=wanted.device) * scores.shape[1] + wanted.clamp(min=0)
    wrong = torch._softmax(scores, 1, False, out=scores)
    flat = wrong.view(-1)
    right = flat[at].float().clamp_(min=_LEAST)
    flat[at] = 0
    others = wrong.sum(dim=1)
    flat[at] = -others
    losses = (others / right).log1p_()
    none = (wanted == NO_TARGET).nonzero().squeeze(1)
    return losses.index_fill_(0, none, 0).sum(), wrong.index_fill_(0, none, 0)


def _fused_judge(scores: Tensor, bias: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """`_judge` in the form that a compiler makes few kernels of; the gradient as narrow as the scores."""
    kept = (wanted != NO_TARGET).float()
    wide = scores.float() + bias
    logs = torch.logsumexp(wide, dim=1)
    right = wide.gather(1, wanted.clamp(min=0)[:, None]).squeeze(1)
    hit = torch.arange(wide.shape[1], device=wide.device) == wanted[:, None]
    wrong = ((wide - logs[:, None]).exp() - hit.float()) * kept[:, None]
    return ((logs - right) * kept).sum(), wrong.to(scores.dtype)


@functools.cache
def _compiled_judge() -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    return torch.compile(_fused_judge)


class _VocabularyLoss(torch.autograd.Function):
    """Sum of the cross-entropies of features (N,D) against rows (V,D) and bias (V,) at wanted (N,).

    The gradients are computed along with the loss, a chunk of places at a time, so that the scores of all
    places never stand in memory together (as Liger: Hsu 2024, arXiv:2410.10989).
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, rows: Tensor, bias: Tensor, wanted: Tensor, learning: bool
    ) -> Tensor:
        place = features.device.type
        dtype = torch.get_autocast_dtype(place) if torch.is_autocast_enabled(place) else features.dtype
        multiplied, given = rows.to(dtype), features.to(dtype)
        # Shares are the same for any constant beside the bias; near zero a number of few digits has the most.
        added = (bias - bias.max()).to(dtype)
        total = features.new_zeros((), dtype=torch.float32)
        to_features = torch.empty_like(features) if learning else None
        to_rows = torch.zeros_like(rows, dtype=torch.float32) if learning else None
        to_bias = torch.zeros_like(bias, dtype=torch.float32) if learning else None
        judge = _compiled_judge() if compiles(features.device) else None
        step = max(ROUND, CHUNK[place == "cpu", dtype == torch.bfloat16] // len(rows) // ROUND * ROUND)
        room = given.new_empty(min(step, len(given)), len(rows)) if judge is None else given
        for first in range(0, len(features), step):
            part, ids = given[first : first + step], wanted[first : first + step]
            if judge is not None:
                loss, wrong = judge(F.linear(part, multiplied), bias, ids)
            else:
                loss, wrong = _judge(torch.addmm(added, part, multiplied.t(), out=room[: len(part)]), ids)
            total += loss
            if to_features is None or to_rows is None or to_bias is None:
                continue
            to_bias += wrong.sum(dim=0)
            to_features[first : first + step] = wrong @ multiplied
            to_rows += wrong.t() @ part
        if learning:
            ctx.save_for_backward(to_features, to_rows, to_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        # In place: going back twice is an error that autograd tells.
        to_features, to_rows, to_bias = (value.mul_(grads[0]) for value in ctx.saved_tensors)
        return to_features, to_rows, to_bias, None, None


def tensors(**arrays: NDArray[np.generic]) -> dict[str, Tensor]:
    """NumPy arrays -> tensors that share their memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}

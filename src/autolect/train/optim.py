"""The optimizers: AdamW in one fused pass, and Muon for the matrices beside it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from autolect.core.device import fast_bfloat16
from autolect.core.recipe import FinetuneConfig, TrainConfig

BETAS = (0.9, 0.98)
MOMENTUM = 0.95
LIKE_ADAMW = 0.2
"""Root mean square of an orthogonal update, so that a rate means for Muon what it means for AdamW."""
ROUNDS = ((3.4445, -4.775, 2.0315),) * 5
"""Coefficients (a, b, c) of each round of x -> a x + b x x'x + c (x x')^2 x."""
LONG = 2.5
"""From this ratio of its sides on a matrix is turned by way of its square."""


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Matrices decay; vectors (biases, norms) do not. Lower layers may learn at a share of the rate."""
    values = {name: value for name, value in network.named_parameters() if value.requires_grad}
    turned = _matrices(network) & set(values) if config.optimizer == "muon" else set()
    decay, plain = {"weight_decay": config.weight_decay}, {"weight_decay": 0.0}
    shares = _shares(network, config.layer_decay if isinstance(config, FinetuneConfig) else 1.0)
    groups = []
    for share in sorted(set(shares.values()), reverse=True):
        mine = {name: value for name, value in values.items() if shares[name] == share}
        groups += [
            {"params": [mine[name] for name in sorted(turned & set(mine))], TURNED: True, **decay},
            {"params": [v for n, v in mine.items() if v.dim() > 1 and n not in turned], **decay},
            {"params": [v for n, v in mine.items() if v.dim() <= 1], **plain},
        ]
        for group in groups[-3:]:
            group[SHARE] = share
    return Muon([group for group in groups if group["params"]], lr=config.rate, betas=BETAS, fused=True)


def _shares(network: nn.Module, decay: float) -> dict[str, float]:
    """Each weight's share of the rate: of layer k of K of an encoder, counted from below, decay^(K-k)."""
    places = {name: _LAYER.search(name) for name, _ in network.named_parameters()}
    layers = 1 + max((int(place[1]) for place in places.values() if place), default=-1)
    return {
        name: decay ** (layers - int(place[1]) - 1 if place else layers if _BELOW.search(name) else 0)
        for name, place in places.items()
    }


_LAYER = re.compile(r"\bencoder\..*?\.(\d+)\.")
"""A weight of an encoder's layer, by its name."""
_BELOW = re.compile(r"\b(embedding|positions)\.")
"""A weight below them all."""
SHARE = "share"
"""Key of a group's share of the rate."""


TURNED = "turned"
"""Key of a group whose updates are made orthogonal."""


class Muon(torch.optim.AdamW):
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), but groups marked `TURNED` take orthogonal steps.

    Their momentum is made an orthogonal matrix by a few matrix products (Jordan 2024, "Muon"), of the size
    that AdamW's updates have (Liu 2025, arXiv:2502.16982).
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update; the gradients of marked groups are used up."""
        for group in self.param_groups:
            if group.get(TURNED):
                self._turn(group)
        super().step(closure)

    def _turn(self, group: dict[str, Any]) -> None:
        alike = defaultdict(list)
        for value in group["params"]:
            if value.grad is not None:
                alike[value.shape].append(value)
        for values in alike.values():
            momenta = [self._momentum(value) for value in values]
            gradients = torch.stack([value.grad for value in values])
            ahead = torch.stack(momenta).mul_(MOMENTUM).add_(gradients)
            torch._foreach_copy_(momenta, list(ahead))
            steps = orthogonal(gradients.add_(ahead, alpha=MOMENTUM))
            size = LIKE_ADAMW * math.sqrt(max(steps.shape[1:]))
            for value, step in zip(values, steps, strict=True):
                value.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-group["lr"] * size)
                value.grad = None

    def _momentum(self, value: Tensor) -> Tensor:
        state = self.state[value]
        if not state:
            # AdamW's own loading asks every state for its step.
            state["step"], state["momentum"] = torch.zeros(()), torch.zeros_like(value)
        momentum: Tensor = state["momentum"]
        return momentum


def orthogonal(matrices: Tensor) -> Tensor:
    """(N,R,C) -> (N,R,C), each with all its singular values near 1 (Newton-Schulz)."""
    if matrices.shape[1] > matrices.shape[2]:
        wide: Tensor = orthogonal(matrices.transpose(1, 2))
        return wide.transpose(1, 2)
    x = matrices.bfloat16() if fast_bfloat16(matrices.device) else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    if x.dtype == torch.float32 and x.shape[2] >= LONG * x.shape[1]:
        short_way: Tensor = _turning(x @ x.transpose(1, 2)) @ x
        return short_way
    for a, b, c in ROUNDS:
        square = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    turned: Tensor = x.to(matrices.dtype)
    return turned


def _turning(square: Tensor) -> Tensor:
    """Squares x x' (N,R,R) -> what the rounds multiply x with: for a long x this takes fewer products."""
    whole: Tensor | None = None
    for a, b, c in ROUNDS:
        factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        whole = factor if whole is None else factor @ whole
        square = factor @ square @ factor
    assert whole is not None
    return whole


def _matrices(network: nn.Module) -> set[str]:
    """Names of what multiplies states: weights of linear and recurrent parts, not of embeddings."""
    parts = [
        (name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear | nn.RNNBase)
    ]
    return {
        f"{above}.{name}".lstrip(".")
        for above, part in parts
        for name, value in part.named_parameters(recurse=False)
        if value.dim() == 2
    }

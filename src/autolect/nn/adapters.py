"""Which weights of a pretrained network learn: all, none, or small matrices beside them.

LoRA (Hu 2021, arXiv:2106.09685): a matrix W stays as it is and B A is added to it, with few rows in A.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """W (O,I) -> W + B A, with A (R,I) and B (O,R); B starts at zero, so that nothing changes at first."""

    def __init__(self, weight: Tensor, *, rank: int) -> None:
        super().__init__()
        size, width = weight.shape
        self.enter = nn.Parameter(torch.empty(rank, width))
        self.leave = nn.Parameter(torch.zeros(size, rank))
        nn.init.normal_(self.enter, std=width**-0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """W -> W + B A."""
        return weight + self.leave @ self.enter


def freeze(network: nn.Module) -> None:
    """None of its weights learns."""
    network.requires_grad_(requires_grad=False)


def add(network: nn.Module, *, rank: int) -> None:
    """None of its weights learns, but one of low rank beside every matrix of linear and recurrent parts."""
    freeze(network)
    for part, name in _matrices(network):
        weight = getattr(part, name)
        parametrize.register_parametrization(part, name, LowRank(weight, rank=min(rank, *weight.shape)))


def merge(network: nn.Module) -> None:
    """Put what was learned beside the matrices into them: the network is an ordinary one again."""
    for part in list(network.modules()):
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)


def _matrices(network: nn.Module) -> list[tuple[nn.Module, str]]:
    return [
        (part, name)
        for part in network.modules()
        if isinstance(part, nn.Linear | nn.RNNBase)
        for name, value in list(part.named_parameters(recurse=False))
        if value.dim() == 2
    ]

"""The optimizer: AdamW in one fused pass (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

import torch
from torch import nn

from autolect.core.recipe import TrainConfig


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Matrices decay; vectors (biases, norms) do not."""
    values = [value for value in network.parameters() if value.requires_grad]
    groups = [
        {"params": [v for v in values if v.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [v for v in values if v.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.rate, betas=(0.9, 0.98), fused=True
    )

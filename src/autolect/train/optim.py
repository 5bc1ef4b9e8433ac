"""The optimizer: AdamW in one fused pass (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

import torch
from torch import nn

from autolect.core.recipe import TrainConfig

FAR_ABOVE = 1e3
"""An epsilon so far above every gradient that AdamW's division by their size is one by a constant."""


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Matrices decay; vectors (biases, norms) do not. Each group carries its ``peak`` rate.

    The weights of a module with a ``plain_rate`` take plain gradient steps with momentum at that rate.
    """
    plain = {
        id(value): float(rate)
        for module in network.modules()
        if (rate := getattr(module, "plain_rate", None)) is not None
        for value in module.parameters()
    }
    values = [value for value in network.parameters() if value.requires_grad]
    usual = [value for value in values if id(value) not in plain]
    groups = [
        {"params": [v for v in usual if v.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [v for v in usual if v.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [{**group, "peak": config.rate} for group in groups if group["params"]]
    for value in values:
        if id(value) in plain:
            rate = plain[id(value)] * FAR_ABOVE
            groups.append({"params": [value], "weight_decay": 0.0, "peak": rate, "eps": FAR_ABOVE})
    return torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98), fused=True)

"""Checkpoints of the loop: weights, optimizer, best weights so far, and where the loop stood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autolect.core import files
from autolect.core.errors import UserError

KIND = "checkpoint"


def save(
    folder: Path,
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    facts: dict[str, Any],
) -> None:
    """Replace the folder's checkpoint; the old one stays until the new one is whole."""
    values = {f"network.{name}": value for name, value in network.state_dict().items()}
    values |= {f"best.{name}": value for name, value in best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        values |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    with files.saving(folder, kind=KIND, facts=facts) as beside:
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in values.items()},
            beside / "tensors.safetensors",
        )


def load(
    folder: Path, *, key: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Restore network and optimizer; gives (best weights, facts), or None when there is nothing to resume.

    A damaged checkpoint, or one of another run (``key``), counts as none.
    """
    try:
        facts = dict(files.verify(folder, kind=KIND).facts)
    except UserError:
        return None
    if facts.get("key") != key:
        return None
    values = load_file(folder / "tensors.safetensors")
    network.load_state_dict(_part(values, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(values, "optimizer.").items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _part(values, "best."), facts


def _part(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}

"""Checkpoints of the loop: weights, optimizer, best weights so far, and where the loop stood.

The newest two are kept. A damaged one is said aloud, and the one before it is used.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autolect.core import files
from autolect.core.errors import DamagedError, UserError

KIND = "checkpoint"
NAMES = ("checkpoint-0", "checkpoint-1")
TENSORS = "tensors.safetensors"
COPIES = 12
"""How often the weights are on disk at worst: network, best, and the optimizer's two moments, in two
checkpoints and in a third one that is being written."""


MOST_SAVING = 0.02
"""Share of the time that may go into checkpoints."""


class Found(NamedTuple):
    """A checkpoint that was restored: the best weights so far, and the facts it was saved with."""

    best: dict[str, Tensor]
    facts: dict[str, Any]


class Saver:
    """Writes checkpoints into a folder, or none where there is no folder.

    One is due after ``seconds``, so that little is redone after a kill; later only where writing the last one
    took so long that more of them would take over `MOST_SAVING` of the time. With 0 one is due at each step.
    UserError when the disk has no room for them.
    """

    def __init__(self, folder: Path | None, network: nn.Module, *, seconds: float, what: str) -> None:
        self.folder, self.seconds = folder, seconds
        self._saved, self._cost = time.monotonic(), 0.0
        if folder is not None:
            size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
            files.need_space(folder, COPIES * size, what=f"{what} with its checkpoints")

    def due(self) -> bool:
        """Whether it is time for the next one."""
        spacing = max(self.seconds, self._cost / MOST_SAVING) if self.seconds else 0.0
        return self.folder is not None and time.monotonic() - self._saved >= spacing

    def save(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        best: dict[str, Tensor],
        facts: dict[str, Any],
    ) -> None:
        """Write one over the older of the two that are kept. facts has ``key`` and ``step``."""
        if self.folder is None:
            return
        started = time.monotonic()
        values = {f"network.{name}": value for name, value in network.state_dict().items()}
        values |= {f"best.{name}": value for name, value in best.items()}
        for number, state in optimizer.state_dict()["state"].items():
            values |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        oldest = min((self.folder / name for name in NAMES), key=_step)
        with files.saving(oldest, kind=KIND, facts=facts) as beside:
            whole = {name: value.detach().cpu().contiguous() for name, value in values.items()}
            save_file(whole, beside / TENSORS)
        self._saved = time.monotonic()
        self._cost = self._saved - started


def load(
    folder: Path, *, key: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Found | None, tuple[str, ...]]:
    """Restore network and optimizer from the newest whole checkpoint of this run (``key``).

    Gives what was found, None where there is nothing to resume, and what is to be said of damaged ones.
    """
    whole: dict[Path, dict[str, Any]] = {}
    complaints = []
    for place in (folder / name for name in NAMES):
        try:
            facts = dict(files.verify(place, kind=KIND).facts)
        except DamagedError as error:
            complaints.append(f"{error.where}: {error.what}; it is not used, an older one is if there is one")
        except UserError:
            continue
        else:
            if facts["key"] == key:
                whole[place] = facts
    if not whole:
        return None, tuple(complaints)
    newest = max(whole, key=lambda place: int(whole[place]["step"]))
    return Found(_restore(newest, network, optimizer), whole[newest]), tuple(complaints)


def clear(folder: Path) -> None:
    """Remove what another run left."""
    for name in NAMES:
        shutil.rmtree(folder / name, ignore_errors=True)


def _restore(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Fill network and optimizer; gives the best weights."""
    values = load_file(folder / TENSORS)
    network.load_state_dict(_part(values, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(values, "optimizer.").items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _part(values, "best.")


def _step(folder: Path) -> int:
    """The step that a checkpoint says it is of; -1 where nothing readable is there."""
    try:
        return int(files.read_manifest(folder).facts["step"])
    except (UserError, KeyError, TypeError, ValueError):
        return -1


def _part(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}

"""Checkpoints of the loop: weights, optimizer, best weights so far, and where the loop stood.

The newest two are kept. They are written beside the training: the loop waits only for a copy in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autolect.core import files, slots

KIND = "checkpoint"
TENSORS = "tensors.safetensors"
COPIES = 12
"""How often the weights are on disk at worst: network, best, and the optimizer's two moments, in two
checkpoints and in a third one that is being written."""
MOST_SAVING = 0.02
"""Share of the time that the loop may wait for checkpoints."""


class Found(NamedTuple):
    """A checkpoint that was restored: the best weights so far, and the facts it was saved with."""

    best: dict[str, Tensor]
    facts: dict[str, Any]


class Saver:
    """Writes checkpoints into a folder, or none where there is no folder.

    One is due after ``seconds``, so that little is redone after a kill; later only where the last one is
    still being written, or where more of them would take over `MOST_SAVING` of the time: that for which the
    loop waited, and that which the writer took from the processor. With 0 one is due at each step. UserError
    when the disk has no room for them, or refuses one: that is heard at the next step, or in the end.
    """

    def __init__(self, folder: Path | None, network: nn.Module, *, seconds: float, what: str) -> None:
        self._slots = None if folder is None else slots.Slots(folder, KIND)
        self.seconds = seconds
        self._saved, self._cost = time.monotonic(), 0.0
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[float] | None = None
        if folder is not None:
            size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
            files.need_space(folder, COPIES * size, what=f"{what} with its checkpoints")

    def due(self) -> bool:
        """Whether it is time for the next one."""
        if self._slots is None:
            return False
        if not self.seconds:
            return True
        if self._writing is not None:
            if not self._writing.done():
                return False
            self._wait()
        return time.monotonic() - self._saved >= max(self.seconds, self._cost / MOST_SAVING)

    def save(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        best: dict[str, Tensor],
        facts: dict[str, Any],
    ) -> None:
        """Write one over the older of the two that are kept. facts has ``key`` and ``step``.

        best is not copied: it may not change afterwards.
        """
        if self._slots is None:
            return
        started = time.monotonic()
        self._wait()
        values = {f"network.{name}": _copy(value) for name, value in network.state_dict().items()}
        for number, state in optimizer.state_dict()["state"].items():
            values |= {f"optimizer.{number}.{name}": _copy(value) for name, value in state.items()}
        values |= {f"best.{name}": value.cpu().contiguous() for name, value in best.items()}
        self._writing = self._writer.submit(_write, self._slots, values, facts)
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def close(self) -> None:
        """Wait for the last one."""
        try:
            self._wait()
        finally:
            self._writer.shutdown()

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._cost += writing.result()


def load(
    folder: Path,
    *,
    key: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    complain: Callable[[dict[str, Any]], str],
) -> tuple[Found | None, list[str]]:
    """Restore network and optimizer from the newest whole checkpoint of this run (``key``).

    complain: says what is wrong with something beside a checkpoint that its facts tell of; "" is nothing.
    Gives what was found, None where there is nothing to resume, and what is to be said of damaged ones.
    """
    whole, complaints = slots.Slots(folder, KIND).whole(key)
    for saved in whole:
        wrong = complain(saved.facts)
        if not wrong:
            return Found(_restore(saved.place, network, optimizer), saved.facts), complaints
        complaints.append(slots.complaint(str(saved.place), wrong))
    return None, complaints


def clear(folder: Path) -> None:
    """Remove what another run left."""
    slots.Slots(folder, KIND).clear()


def _write(places: slots.Slots, values: dict[str, Tensor], facts: dict[str, Any]) -> float:
    """Gives the seconds that this thread took from the processor."""
    began = time.thread_time()
    with places.saving(facts) as beside:
        save_file(values, beside / TENSORS)
    return time.thread_time() - began


def _copy(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


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


def _part(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}

"""What this machine can do: device, number format, threads."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError
from autolect.core.goal import Tensors

COMPILED = "COMPILED"
"""A part of a network that has this attribute, and it is true, is compiled where that pays."""
_NARROW, _GPU = {"amx_bf16": 6.0, "avx512_bf16": 3.6}, 1000.0
"""What a processor's instructions for bfloat16 count for, as measured, and a GPU, a guess."""
_MAPPED, _HELD = (-3, (1 << 30, 1 << 25)), {-1: 1 << 30, -2: 1 << 26}
"""Of malloc.h, in bytes: from what size on a block is mapped alone (M_MMAP_THRESHOLD; what glibc takes),
how much may lie free at the end of the heap (M_TRIM_THRESHOLD), and by how much it grows (M_TOP_PAD)."""
_COMPILES = 64
"""So many variants of a part (shapes, training or not) are compiled before the rest runs as it is."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where tensors live and in which format matrices are multiplied; weights stay float32."""

    place: torch.device
    dtype: torch.dtype

    @property
    def apart(self) -> bool:
        """Whether it computes while the program goes on."""
        return self.place.type != "cpu"

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Multiply matrices in this device's format."""
        with torch.autocast(self.place.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            yield


def choose(dtype: DtypeName = "auto") -> Device:
    """CUDA if there is one, else the processor; bfloat16 where it multiplies faster than float32."""
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if dtype == "auto":
        fast = fast_bfloat16(place)
        return Device(place, torch.bfloat16 if fast else torch.float32)
    return Device(place, torch.bfloat16 if dtype == "bfloat16" else torch.float32)


def fast_bfloat16(place: torch.device) -> bool:
    """Whether the device has bfloat16 matrix instructions."""
    if place.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not processor_flags().isdisjoint(_NARROW)


@functools.cache
def recurrent_bfloat16() -> bool:
    """Whether the processor has a kernel for an LSTM in bfloat16: oneDNN has none before AVX-512."""
    return bool({"avx512bw", "amx_bf16"} & processor_flags())


def power() -> float:
    """How many times as fast as two plain cores this machine trains: a guess by its kind, nothing is run."""
    place = choose().place
    if place.type == "cuda":
        return _GPU
    cores = len(os.sched_getaffinity(0)) / 2
    return cores * next((worth for flag, worth in _NARROW.items() if flag in processor_flags()), 1.0)


@functools.cache
def compiles(place: torch.device) -> bool:
    """Whether parts are compiled: on a GPU, where Triton and a C compiler are there to do it."""
    if place.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    return any(shutil.which(name) for name in (os.environ.get("CC", "cc"), "gcc", "clang"))


def compile_parts(network: nn.Module, device: Device) -> None:
    """Compile the parts of a network that ask for it, in place; names and weights stay what they are."""
    if not compiles(device.place):
        return
    torch._dynamo.config.recompile_limit = _COMPILES
    for part in network.modules():
        if getattr(part, COMPILED, False):
            part.compile()


@functools.cache
def processor_flags() -> frozenset[str]:
    """The processor's feature names on Linux, e.g. avx2, avx512_bf16, amx_bf16."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def on(batch: Tensors, device: Device) -> Tensors:
    """A batch on a device."""
    if not device.apart:
        return batch
    return {name: value.to(device.place, non_blocking=True) for name, value in batch.items()}


def threads() -> int:
    """OMP_NUM_THREADS if it is set, else the number of processors that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked and not asked.isdigit():
        raise UserError(f"is {asked!r}, not a number", where="OMP_NUM_THREADS", fix="unset it")
    return int(asked) if asked and int(asked) > 0 else len(os.sched_getaffinity(0))


def hold_memory() -> None:
    """Let this process keep what it frees: each step would ask the system for the same pages again.

    With glibc alone (2.36 was tried); elsewhere it does nothing.
    """
    call = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if call is None or not any(call(_MAPPED[0], size) for size in _MAPPED[1]):
        return
    for option, value in _HELD.items():
        call(option, value)


def set_threads() -> int:
    """Use so many `threads`."""
    count = threads()
    torch.set_num_threads(count)
    return count

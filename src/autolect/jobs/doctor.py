"""What this machine can do for training: processor, memory, number formats, disk, tools, speed."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from autolect.core import device

Value = str | int | float | bool
"""A fact as JSON holds it."""

_SIZE = 1024
_SECONDS = 0.4
_FEW_GB = 5.0
_BF16 = ("amx_bf16", "avx512_bf16", "bf16")
_TOOLS = {"strace": "faults tests", "chromium": "page tests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One fact: its name, its value, how it is shown, and what to do if it is not good."""

    name: str
    value: Value
    shown: str
    advice: str = ""


def doctor(*, seconds: float = _SECONDS) -> tuple[Check, ...]:
    """Look at the machine; ``seconds`` is how long each matrix rate is measured."""
    threads = device.set_threads()
    chosen = device.choose("auto")
    rates = {dtype: matrix_rate(chosen.place, dtype, seconds=seconds) for dtype in _DTYPES}
    return (
        *_processor(threads),
        *_memory(),
        *_torch(),
        *(
            Check(name=f"matrix {_name(dtype)}", value=round(rate, 1), shown=f"{rate:,.0f} GFLOP/s")
            for dtype, rate in rates.items()
        ),
        _auto(chosen, rates),
        *_tools(),
    )


def matrix_rate(place: torch.device, dtype: torch.dtype, *, seconds: float) -> float:
    """GFLOP/s of square matrix products of width 1024, the best of the rounds that fit into ``seconds``."""
    one = torch.ones(_SIZE, _SIZE, dtype=dtype, device=place)
    best, end = 0.0, time.perf_counter() + seconds
    torch.mm(one, one)
    while best == 0.0 or time.perf_counter() < end:
        started = time.perf_counter()
        torch.mm(one, one)
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        best = max(best, 2 * _SIZE**3 / (time.perf_counter() - started) / 1e9)
    return best


_DTYPES = (torch.float32, torch.bfloat16)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _processor(threads: int) -> tuple[Check, ...]:
    cores = len(os.sched_getaffinity(0))
    found = [flag for flag in _BF16 if flag in device.processor_flags()]
    model = _processor_name()
    advice = "" if threads <= cores else f"{threads} threads on {cores} cores is slow: unset OMP_NUM_THREADS"
    return (
        Check(name="processor", value=model, shown=model),
        Check(name="cores", value=cores, shown=f"{cores} that this process may use"),
        Check(name="threads", value=threads, shown=str(threads), advice=advice),
        Check(name="bf16 instructions", value=" ".join(found), shown=", ".join(found) or "none"),
    )


def _processor_name() -> str:
    text = ""
    if Path("/proc/cpuinfo").is_file():
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> tuple[Check, ...]:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    memory, free = pages * size / 1e9, shutil.disk_usage(Path.cwd()).free / 1e9
    advice = "" if free >= _FEW_GB else "runs keep checkpoints: free some space, or use --out on another disk"
    return (
        Check(name="memory", value=round(memory, 1), shown=f"{memory:.1f} GB"),
        Check(name="disk free", value=round(free, 1), shown=f"{free:.1f} GB here", advice=advice),
    )


def _torch() -> tuple[Check, ...]:
    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    built = torch.version.cuda is not None
    absent = "none" if not built else "none found, though torch is built for it"
    version = str(torch.__version__)
    return (
        Check(name="torch", value=version, shown=version),
        Check(name="CUDA", value=cuda, shown=cuda or absent),
    )


def _auto(chosen: device.Device, rates: dict[torch.dtype, float]) -> Check:
    name = _name(chosen.dtype)
    faster = max(rates, key=lambda dtype: rates[dtype])
    advice = ""
    if faster is not chosen.dtype and rates[faster] > 1.2 * rates[chosen.dtype]:
        advice = f"{_name(faster)} was faster here: try --set train.dtype={_name(faster)}"
    shown = f"{name} on {chosen.place.type}"
    return Check(name='dtype "auto"', value=name, shown=shown, advice=advice)


def _tools() -> tuple[Check, ...]:
    checks = []
    for name, use in _TOOLS.items():
        path = shutil.which(name) or ""
        checks.append(Check(name=name, value=path, shown=path or f"not found (only for {use})"))
    return tuple(checks)

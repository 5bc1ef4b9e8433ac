"""A fork of this process whose system calls strace watches, or makes to fail."""

from __future__ import annotations

import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from autolect.core.errors import UserError

FAILED, REFUSED = 1, 2


class Traced(NamedTuple):
    """How it ended (0, `FAILED`, `REFUSED` by a UserError, -9), what it said, and strace's log."""

    status: int
    told: str
    log: str


def trace(strace: str, folder: Path, *options: str, work: Callable[[Path], object]) -> Traced:
    """Run ``work(folder)`` in a fork, under strace from its first line on; all imports are done by then."""
    log = folder.with_name(f"{folder.name}.strace")
    heard, speaks = os.pipe()
    waits, goes = os.pipe()
    child = os.fork()
    if not child:
        _work(work, folder, waits, speaks)
    os.close(speaks)
    os.close(waits)
    words = [strace, "-f", "-p", str(child), *options, "-o", str(log)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        os.write(goes, b"!")
        os.close(goes)
        with os.fdopen(heard) as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        tracer.wait(timeout=60)
    if "attached" not in said:
        pytest.skip(f"no process may be traced here: {said.strip()}")
    found = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    return Traced(os.waitstatus_to_exitcode(status), told, found)


def _work(work: Callable[[Path], object], folder: Path, waits: int, speaks: int) -> None:
    status = FAILED
    try:
        os.read(waits, 1)
        work(folder)
        status = 0
    except UserError:
        status = REFUSED
    except BaseException:
        os.write(speaks, traceback.format_exc().encode())
    finally:
        os._exit(status)

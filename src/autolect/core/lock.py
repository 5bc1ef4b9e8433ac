"""One writer a folder: who comes second hears who was first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from autolect.core.errors import UserError
from autolect.core.files import LOCK, disk_errors

NAMING = 50
"""Tenths of a second in which the first writer, who already holds the lock, may put its name there."""


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Be the only writer of a folder; UserError names the other one."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("a+", encoding="utf-8")
    with stream:
        if holder := _holder(stream):
            raise UserError(f"{holder} is writing here", where=str(folder), fix="wait for it, or use --out")
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


def _holder(stream: TextIO) -> str:
    """Take the lock, or say who has it: a name follows a moment after the lock; "" where it is ours."""
    for _ in range(NAMING):
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return ""
        stream.seek(0)
        if named := stream.read().strip():
            return named
        time.sleep(0.1)
    return "another process"

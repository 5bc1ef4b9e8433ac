"""A process that trains for a search, one attempt after the other; `crew.py` starts it and talks to it.

It hears (made, parent, data) once, see `attempts.py`, then attempts. For each it tells what the progress
is told, asks at each look at valid whether to go on, and ends with ("made", score) or ("failed", error).
SIGTERM lets it save a checkpoint and end, as it does a run. It does not live longer than the process that
started it: on Linux the kernel sees to that, elsewhere it ends when it next has something to hear.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from autolect.core.errors import UserError

_PR_SET_PDEATHSIG = 1


def work(handle: int, starter: int) -> None:
    """Serve a pipe until it is closed. starter: the process at its other end."""
    # Ctrl-C is heard by all processes of a terminal; the one that started this says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != starter:
        return
    with Connection(handle) as pipe, contextlib.suppress(EOFError):
        made, parent, data = pipe.recv()
        while True:
            _serve(pipe, made, pipe.recv(), parent, data)


def _serve(pipe: Connection, made: Any, one: Any, parent: Any, data: Any) -> None:
    told = _Told(pipe)
    answer: tuple[str, Any]
    try:
        answer = "made", made(one, parent, data, progress=told, hopeless=told.hopeless)
    except UserError as error:
        answer = "failed", error
    except Exception:
        answer = "failed", RuntimeError(f"in a worker:\n{traceback.format_exc()}")
    told.tell(*answer)


class _Told:
    """The progress, and the judge of trainings, at the other end of a pipe that may be closed."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, *message: Any) -> None:
        """Send it; nobody may be there any more, and SIGTERM is under way then."""
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def say(self, text: str) -> None:
        """One line."""
        self.tell("say", text)

    def advance(self, what: str, done: float, total: float | None, note: str = "") -> None:
        """How far it is."""
        self.tell("advance", what, done, total, note)

    def hopeless(self, score: float) -> bool:
        """Ask whether to break off; no where nobody answers, so that a checkpoint can be saved."""
        self.tell("look", score)
        try:
            return bool(self._pipe.recv())
        except (EOFError, OSError):
            return False


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))

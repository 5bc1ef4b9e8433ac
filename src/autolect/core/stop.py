"""Orderly stops: the first SIGINT or SIGTERM waits for a safe place, the second one is obeyed at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from autolect.core.errors import UserError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        """The signal that waits."""

    @property
    def asked(self) -> bool:
        """Whether a signal waits."""
        return self.number is not None


@contextlib.contextmanager
def deferred() -> Iterator[Stop]:
    """While this is open the first signal waits; leave it where stopping is safe, and it acts then.

    It never ends as if nothing had been asked, since what is inside may be half done: where the signal's own
    handler comes back, KeyboardInterrupt is raised. A signal that was ignored stays ignored (SIGINT is, in
    what a shell script starts with ``&``). Signals are Python's main thread's alone: elsewhere this does
    nothing.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in found.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        if stop.asked:
            restore()
            signal.raise_signal(number)
        stop.number = signal.Signals(number)

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    except UserError:
        raise
    except Exception:
        # Something else ended it as well, such as a trial that is pruned: without this the next would begin.
        if not stop.asked:
            raise
    finally:
        restore()
    if stop.number is not None:
        signal.raise_signal(stop.number)
        raise KeyboardInterrupt

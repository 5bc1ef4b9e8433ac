"""Those who train for a search: this process, or several of their own that share its threads."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import Any

from autolect.core.device import threads
from autolect.core.errors import UserError
from autolect.core.progress import Progress
from autolect.jobs.tuning import attempts
from autolect.jobs.tuning.attempts import Attempt
from autolect.jobs.tuning.finetune import Data

Hopeless = Callable[[Attempt, float], bool]
"""Told each score of an attempt on valid: whether to break it off."""
Work = Callable[[Sequence[Attempt], Hopeless], Iterator[tuple[Attempt, float | None]]]
"""Attempts -> each with its score as it ends, None where it was broken off. No two may have one key."""


@contextlib.contextmanager
def crew(size: int, parent: Path, data: Data, progress: Progress) -> Iterator[Work]:
    """Gives what trains ``size`` attempts at once, each with so many threads less.

    What a worker raises is raised here; the others then save their checkpoints, as they do on SIGINT and
    SIGTERM.
    """
    if size == 1:
        yield functools.partial(_alone, parent, data, progress)
        return
    workers = _Crew(size, parent, data, progress)
    try:
        yield workers.work
    finally:
        workers.close()


def share_of_threads(size: int) -> int:
    """Threads of each of so many workers."""
    return max(1, threads() // size)


def _alone(
    parent: Path, data: Data, progress: Progress, asked: Sequence[Attempt], hopeless: Hopeless
) -> Iterator[tuple[Attempt, float | None]]:
    for one in asked:
        yield (
            one,
            attempts.made(one, parent, data, progress=progress, hopeless=functools.partial(hopeless, one)),
        )


class _Crew:
    """Processes, started when there is work for them."""

    def __init__(self, size: int, parent: Path, data: Data, progress: Progress) -> None:
        self._size, self._parent, self._data, self._progress = size, parent, data, progress
        self._workers: list[_Worker] = []

    def work(self, asked: Sequence[Attempt], hopeless: Hopeless) -> Iterator[tuple[Attempt, float | None]]:
        """See `Work`."""
        while len(self._workers) < min(self._size, len(asked)):
            self._workers.append(_Worker(share_of_threads(self._size)))
            self._workers[-1].tell((attempts.made, self._parent, self._data))
        left, idle = list(asked), list(self._workers)
        busy: dict[Any, tuple[_Worker, Attempt]] = {}
        together = _Together(self._progress, len(asked))
        while left or busy:
            while left and idle:
                worker, one = idle.pop(), left.pop(0)
                worker.tell(one)
                busy[worker.pipe] = worker, one
            for pipe in wait(list(busy)):
                worker, one = busy[pipe]
                match worker.heard():
                    case ("made", score):
                        idle.append(busy.pop(pipe)[0])
                        yield one, score
                    case ("failed", error):
                        raise error
                    case ("look", score):
                        worker.tell(hopeless(one, score))
                    case ("say", text):
                        self._progress.say(text)
                    case ("advance", *far):
                        together.advance(*far)

    def close(self) -> None:
        """Let all save what they are at, and wait for them; a second signal ends them at once."""
        try:
            for worker in self._workers:
                worker.stop()
            for worker in self._workers:
                worker.process.wait()
        finally:
            for worker in self._workers:
                worker.process.kill()
                worker.process.wait()


class _Worker:
    """A process of `jobs/tuning/worker.py`, and the pipe to it."""

    def __init__(self, num_threads: int) -> None:
        self.pipe, there = Pipe()
        # Its own code is found where ours is; no folder that it is started in may hide a module (-P).
        known = os.pathsep.join(place for place in sys.path if place)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "autolect.jobs.tuning.worker",
                str(there.fileno()),
                str(os.getpid()),
            ],
            env={**os.environ, "OMP_NUM_THREADS": str(num_threads), "PYTHONPATH": known},
            pass_fds=(there.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        there.close()

    def tell(self, message: Any) -> None:
        """Send it; UserError where the process is gone."""
        try:
            self.pipe.send(message)
        except OSError:
            raise self._gone() from None

    def heard(self) -> tuple[Any, ...]:
        """The next message; UserError where the process is gone."""
        try:
            message: tuple[Any, ...] = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        return message

    def stop(self) -> None:
        """Ask it to save and end. The pipe is closed, so that it waits for no answer."""
        self.process.terminate()
        self.pipe.close()

    def _gone(self) -> UserError:
        status = self.process.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        fix = "the same command goes on; where memory ran out, with fewer workers (then it begins anew)"
        return UserError(f"a worker ended ({how})", where="search.workers", fix=fix)


class _Together:
    """How far several trainings are, as one."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._what = progress, f"{count} trainings"
        self._far: dict[str, tuple[float, float]] = {}

    def advance(self, what: str, done: float, total: float | None, note: str) -> None:
        """One of them is so far."""
        self._far[what] = done, total or 0.0
        sums = [sum(parts) for parts in zip(*self._far.values(), strict=True)]
        self._progress.advance(
            self._what, sums[0], sums[1] if all(t for _, t in self._far.values()) else None, note
        )

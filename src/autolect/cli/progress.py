"""Progress for a person: one live bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autolect.cli import show
from autolect.core.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

LOG_SECONDS = 10.0
"""How often a log that is no terminal hears of progress."""
_FRAME_SECONDS = 0.1


@contextlib.contextmanager
def opened(*, quiet: bool) -> Iterator[Progress]:
    """What jobs report to: nobody when quiet, a bar in a terminal, else lines on standard error."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with _rich() as bars:
            yield Bar(bars)
    else:
        yield Lines()


class Lines:
    """Lines on standard error: what is said at once, progress every `LOG_SECONDS`.

    Speed counts from where a job began: a resumed one begins in the middle, and one name may come again.
    """

    def __init__(self, *, seconds: float = LOG_SECONDS) -> None:
        self._seconds = seconds
        self._what, self._first, self._done = "", 0.0, 0.0
        self._began = self._told = time.monotonic()

    def say(self, text: str) -> None:
        """Write the line."""
        show.tell(show.safe(text))

    def advance(self, what: str, done: float, total: float | None, note: str = "") -> None:
        """Write where it stands, how fast it goes and how long it will take, if it is time to."""
        now = time.monotonic()
        if what != self._what or done < self._done:
            self._what, self._first, self._began, self._told = what, done, now, now
        self._done = done
        if now - self._told < self._seconds:
            return
        self._told = now
        rate = (done - self._first) / max(1e-9, now - self._began)
        show.tell(show.safe(_line(what, done, total, note, rate=rate)))


class Bar:
    """One live bar with rate and time left; a new ``what`` takes the place of the old one."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: int | None = None
        self._what, self._done = "", 0.0
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """Write the line above the bar."""
        self._bars.console.print(show.safe(text), markup=False, highlight=False, soft_wrap=True)

    def advance(self, what: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar."""
        from rich.progress import TaskID

        now = time.monotonic()
        if self._task is None or what != self._what or done < self._done:
            if self._task is not None:
                self._bars.remove_task(TaskID(self._task))
            self._task = self._bars.add_task(show.safe(what), total=total, note="")
            self._what = what
        elif now - self._drawn < _FRAME_SECONDS and done != total:
            return
        self._drawn, self._done = now, done
        self._bars.update(TaskID(self._task), completed=done, total=total, note=show.safe(note))


def _rich() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )


def _line(what: str, done: float, total: float | None, note: str, *, rate: float) -> str:
    share = f" of {total:,.0f} ({done / total:.0%})" if total else ""
    left = f", {span((total - done) / rate)} left" if total and rate > 0 else ""
    return f"{what}: {done:,.0f}{share}, {rate:,.1f}/s{left}{f', {note}' if note else ''}"


def span(seconds: float) -> str:
    """As people say it: 12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(max(0.0, seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return (
        f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
    )

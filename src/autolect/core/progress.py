"""How a job tells what it is doing without printing: the caller decides what becomes of it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What jobs report to. The CLI draws it with rich; tests and programs pass `Silent`."""

    def say(self, text: str) -> None:
        """One line that a person may want to read."""

    def advance(self, what: str, done: float, total: float | None, note: str = "") -> None:
        """``done`` of ``total`` units of ``what``; total None when it is not known."""


class Silent:
    """Reports to nobody."""

    def say(self, text: str) -> None:
        """Drop it."""

    def advance(self, what: str, done: float, total: float | None, note: str = "") -> None:
        """Drop it."""

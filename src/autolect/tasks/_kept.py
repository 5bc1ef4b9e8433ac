"""What was fitted last: the trials and seeds of a search fit the same sparse features again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Fitted = TypeVar("Fitted")
KEPT = 2
"""Results that are kept: one fitted to train, and one to train with valid."""


class Kept(Generic[Fitted]):
    """The last few results, by a digest of what they were fitted to."""

    def __init__(self) -> None:
        self._last: dict[str, Fitted] = {}

    def get(self, digest: str, make: Callable[[], Fitted]) -> Fitted:
        """The result of this digest, made if it is not there."""
        if digest not in self._last:
            self._last[digest] = make()
            while len(self._last) > KEPT:
                del self._last[next(iter(self._last))]
        return self._last[digest]

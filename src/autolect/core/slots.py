"""Two places for a thing that is saved again and again: the newest two are kept, whatever happens.

A damaged one is said aloud, and the one before it is used.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from autolect.core import files
from autolect.core.errors import DamagedError


class Saved(NamedTuple):
    """One that is whole: its folder, and the facts it was saved with."""

    place: Path
    facts: dict[str, Any]


class Slots:
    """The places ``KIND-0`` and ``KIND-1`` of a folder.

    What is saved carries two facts: ``key``, which says to what run it belongs, and ``step``, by which the
    newer is known.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind = kind
        self.places = (folder / f"{kind}-0", folder / f"{kind}-1")

    @contextlib.contextmanager
    def saving(self, facts: dict[str, Any]) -> Iterator[Path]:
        """A temporary folder to fill; in the end it takes the place of the older one, as `files.saving`."""
        with files.disk_errors(self.places[0]):
            for place in self.places:
                files.sweep(place)
        # A place that cannot be read now is no place to write to: it may hold the newer one.
        with files.saving(min(self.places, key=_step), kind=self.kind, facts=facts) as beside:
            yield beside

    def whole(self, key: str) -> tuple[list[Saved], list[str]]:
        """Those of a run that match their manifests, newest first, and what is to be said of damaged ones."""
        found, complaints = [], []
        for place in self.places:
            if not place.exists():
                continue
            try:
                facts = dict(files.verify(place, kind=self.kind).facts)
            except DamagedError as error:
                complaints.append(complaint(error.where, error.what))
            else:
                if facts["key"] == key:
                    found.append(Saved(place, facts))
        return sorted(found, key=lambda one: -int(one.facts["step"])), complaints

    def clear(self) -> None:
        """Remove both."""
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)


def complaint(where: str, what: str) -> str:
    """What is said of one that cannot be used."""
    return f"{where}: {what}; it is not used, an older one is if there is one"


def _step(place: Path) -> int:
    """The step that a place says it is of; -1 where nothing whole is there."""
    try:
        return int(files.read_manifest(place).facts["step"]) if place.exists() else -1
    except (DamagedError, KeyError, TypeError, ValueError):
        return -1

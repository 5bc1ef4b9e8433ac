"""A run: one folder with a sub-folder a stage. A stage whose inputs have not changed is not done again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autolect.core import files
from autolect.core.errors import DamagedError, UserError
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe
from autolect.train.history import EVENTS

CODE_SCHEMA = {
    "corpus": 18,
    "tokens": 18,
    "vectors": 18,
    "pretrained": 18,
    "finetuned": 19,
    "curve": 18,
    "evaluation": 19,
}
"""Raised for a stage whose output would differ for the same inputs, so that old folders of it are made anew;
what follows goes by what was made."""

Make = Callable[[Path, dict[str, Any]], None]
"""Fills a new folder, and facts to keep in its manifest."""


@dataclass
class Run:
    """The working folder of one recipe."""

    folder: Path
    recipe: Recipe
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    """Stage -> seconds its making took, this time or when it was made."""
    redone: list[str] = field(default_factory=list)
    """Stages that were made in this call."""
    others: tuple[Path, ...] = ()
    """Folders of other runs; what stands there with the same ``needs`` is taken instead of made again."""
    places: dict[str, Path] = field(default_factory=dict)
    """Stage -> the folder of its result."""

    def stage(self, name: str, *, kind: str, needs: dict[str, Any], make: Make) -> Path:
        """Give the stage's folder, made anew unless a whole one with the same ``needs`` is there."""
        folder = self.places[name] = self.folder / name
        key = files.fingerprint({"code": CODE_SCHEMA[name], "needs": needs})
        for place in (folder, *(other / name for other in self.others)):
            found = self._unchanged(place, kind, key)
            if found is not None:
                _tidy(self.work(name))
                self.seconds[name], self.places[name] = found, place
                self.progress.say(f"{name}: unchanged")
                return place
        facts: dict[str, Any] = {"key": key}
        started = time.monotonic()
        with files.saving(folder, kind=kind, facts=facts) as beside:
            make(beside, facts)
            facts["seconds"] = round(time.monotonic() - started, 2)
        # Only now: a kill before this instant still finds the checkpoints.
        _tidy(self.work(name))
        self.seconds[name] = facts["seconds"]
        self.redone.append(name)
        self.progress.say(f"{name}: done in {facts['seconds']:.1f} s")
        return folder

    def work(self, name: str) -> Path:
        """Where a stage keeps what it needs to be resumed; not part of its result."""
        return self.folder / "work" / name

    def _unchanged(self, folder: Path, kind: str, key: str) -> float | None:
        if not folder.exists():
            return None
        try:
            manifest = files.read_manifest(folder)
            if manifest.kind != kind or manifest.facts.get("key") != key:
                return None
            files.verify(folder, kind=kind)
        except DamagedError as error:
            self.progress.say(f"{error}; it is made again")
            return None
        except UserError:
            return None
        return float(manifest.facts.get("seconds", 0.0))


def _tidy(work: Path) -> None:
    """Remove what a finished stage needs no more; TensorBoard's events stay to be looked at."""
    for path in sorted(work.rglob("*"), reverse=True):
        if EVENTS in path.relative_to(work).parts:
            continue
        if path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()
        else:
            path.unlink()


def section(recipe: Recipe, *names: str) -> dict[str, Any]:
    """The named sections as plain values, for a stage's needs."""
    dump = recipe.model_dump(mode="json")
    return {name: dump[name] for name in names}

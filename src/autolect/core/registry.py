"""Finds plug-ins: a plug-in is one file, its name is the name in the recipe, imported on use.

Each plug-in module exports ``PLUGIN`` (what it builds) and ``CONFIG`` (a Section with its ``kind``).
Third parties add theirs through entry points of the group ``autolect.<group>``.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from autolect.core.config import Section
from autolect.core.errors import UserError

GROUPS = {
    "encoders": "autolect.nn.encoders",
    "decoders": "autolect.nn.decoders",
    "vectors": "autolect.vectors.learners",
    "objectives": "autolect.objectives",
    "tasks": "autolect.tasks",
    "baselines": "autolect.baselines",
}
"""Group -> the package whose files are its plug-ins."""

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in after import: what it builds, and the settings it takes."""

    name: str
    build: Any
    config: type[Section]


def names(group: str) -> tuple[str, ...]:
    """The names of a group, sorted, without importing any of them."""
    return tuple(sorted({*_files(group), *_entries(group)}))


def load(group: str, name: str) -> Plugin:
    """Import one plug-in; UserError when there is none of that name."""
    if name in _files(group):
        module = importlib.import_module(f"{GROUPS[group]}.{name}")
    elif name in (entries := _entries(group)):
        module = entries[name].load()
    else:
        near = difflib.get_close_matches(str(name), names(group), n=1)
        known = f"known: {', '.join(names(group))}"
        fix = f"did you mean {near[0]!r}? {known}" if near else known
        raise UserError(f"there is no {name!r} among the {group}", fix=fix)
    return Plugin(name, module.PLUGIN, module.CONFIG)


def _files(group: str) -> set[str]:
    folder = _ROOT.joinpath(*GROUPS[group].split(".")[1:])
    return {file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")}


def _entries(group: str) -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=f"autolect.{group}")}

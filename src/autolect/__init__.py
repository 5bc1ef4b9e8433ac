"""Turns a folder of text into a language model that its owner understands, controls and can deploy.

    import autolect
    lect = autolect.load("runs/quickstart-zh")
    lect.fill(["今天天气很[MASK]。"])

Importing this package imports neither torch nor numpy: each name is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autolect.core.version import __version__

if TYPE_CHECKING:
    from autolect.core.recipe import read as read_recipe
    from autolect.jobs.run import run
    from autolect.jobs.using.use import load

__all__ = ["__version__", "load", "read_recipe", "run"]

_HOMES = {
    "load": ("autolect.jobs.using.use", "load"),
    "read_recipe": ("autolect.core.recipe", "read"),
    "run": ("autolect.jobs.run", "run"),
}


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)

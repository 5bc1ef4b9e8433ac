"""What is done to the command line before Typer sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence

EVERYWHERE = frozenset({"--json", "--quiet", "--debug"})
"""Flags that mean the same for every verb and may stand anywhere before ``--``."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][\w.-]*=.*", re.DOTALL)


def arrange(argv: Sequence[str]) -> list[str]:
    """Move `EVERYWHERE` flags to the front and give every KEY=VALUE after ``--set`` a flag of its own.

    ``run a.toml --set x.y=1 z=2 --json`` -> ``--json run a.toml --set x.y=1 --set z=2``. What follows
    ``--`` is text and stays as it is.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    front = [word for word in argv[:end] if word in EVERYWHERE]
    rest = [word for word in argv[:end] if word not in EVERYWHERE]
    return [*front, *_spread(rest), *argv[end:]]


def _spread(words: Sequence[str]) -> list[str]:
    spread: list[str] = []
    expected, more = False, False  # a value must follow; further assignments may
    for word in words:
        if more and not expected and _ASSIGNMENT.fullmatch(word):
            spread.append("--set")
        else:
            more = expected or word.startswith("--set=")
            expected = word == "--set" and not expected
        spread.append(word)
    return spread

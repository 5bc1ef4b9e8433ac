"""Trainings that take no time, for tests of a search: the score follows from settings and seed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autolect.core import bundle, files, recipe
from autolect.core.errors import UserError
from autolect.core.progress import Progress, Silent
from autolect.jobs.stages import Run
from autolect.jobs.tuning import attempts
from autolect.jobs.tuning.attempts import Attempt
from autolect.jobs.tuning.finetune import Data
from autolect.jobs.tuning.finetuned import finetune
from autolect.text.labels.split import Parts

SETTINGS = ("start=somewhere", "task.train=nothing", "seed=5", "task.refit=false")
LOOKS = 6
DATA = Data(parts=Parts(train=(), valid=(), test=()), labels=(), overlaps=(), num_conflicts=0, hashes={})


def seal(one: Attempt, score: float) -> None:
    """The bundle of a training that scored so."""
    with files.saving(one.place, kind=bundle.KIND, facts={"key": one.key}) as beside:
        files.save_json(beside / "model.json", {"seed": one.recipe.seed, "score": score})


def drawn(
    one: Attempt, parent: Path, data: Data, *, progress: Progress, hopeless: Callable[[float], bool]
) -> float | None:
    """A score drawn from the settings, looked at on the way; notes beside the parent that it began.

    Not from the key, which differs from machine to machine and with it what is pruned.
    """
    del data, progress
    with (parent.with_name("begun")).open("a") as log:
        log.write(f"{one.what}\n")
    settings: Any = one.recipe
    draw = random.Random(f"{settings.finetune.rate:.3g} {settings.task.dropout:.3g} {settings.seed}")
    # A process that is struck is struck at any place, and who began first need not end first.
    time.sleep(draw.uniform(0, float(os.environ.get("SLOWLY", "0"))))
    for _ in range(LOOKS):
        if hopeless(draw.random()):
            return None
    score = draw.random()
    seal(one, score)
    return score


def refused(
    one: Attempt, parent: Path, data: Data, *, progress: Progress, hopeless: Callable[[float], bool]
) -> float | None:
    """The second trial cannot be trained, the first one waits for ever."""
    del parent, data, progress, hopeless
    if one.what.startswith("trial 2"):
        raise UserError("memory is used up", where=one.what, fix="take less")
    time.sleep(600)
    return None


def endless(
    one: Attempt, parent: Path, data: Data, *, progress: Progress, hopeless: Callable[[float], bool]
) -> float | None:
    """Waits for ever."""
    del data, progress, hopeless
    with (parent.with_name("begun")).open("a") as log:
        log.write(f"{one.what}\n")
    time.sleep(600)
    return None


def quick(
    one: Attempt, parent: Path, data: Data, *, progress: Progress, hopeless: Callable[[float], bool]
) -> float | None:
    """Always the same score."""
    del one, parent, data, progress, hopeless
    return 1.0


def parent_in(folder: Path) -> Path:
    """What stands for a pretrained bundle."""
    if not folder.exists():
        with files.saving(folder, kind=bundle.KIND) as beside:
            files.save_json(beside / "model.json", {})
    return folder


def searched(folder: Path, *overrides: str, name: str = "run", progress: Progress | None = None) -> Path:
    """A search; gives the folder of its result."""
    settings = recipe.read(None, overrides=[*SETTINGS, *overrides], environment={})
    run = Run(folder=folder / name, recipe=settings, progress=progress or Silent())
    return finetune(run, parent_in(folder / "parent"), DATA)


if __name__ == "__main__":
    import sys

    from autolect.cli import main
    from tests.pipeline import stand_ins

    attempts.made = getattr(stand_ins, sys.argv[1])
    main._listen()
    searched(Path(sys.argv[2]), *sys.argv[3:])

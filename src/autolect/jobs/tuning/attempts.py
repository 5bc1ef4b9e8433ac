"""One training that a search asks for: settings in, a score on valid and a sealed bundle out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.core.goal import Score
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe
from autolect.jobs.tuning.finetune import Data, train_task, write_task_bundle
from autolect.train.trouble import calmer, finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is to be trained, and where."""

    what: str
    """As a person is told of it."""
    recipe: Recipe
    """Its seed is the training's."""
    key: str
    """Of all that its result follows from: two attempts of one key are the same."""
    work: Path
    """Folder of its log and checkpoints."""
    place: Path
    """Folder of the bundle that it makes."""


class BrokenOffError(Exception):
    """No further look at valid is worth it."""


def made(
    one: Attempt, parent: Path, data: Data, *, progress: Progress, hopeless: Callable[[float], bool]
) -> float | None:
    """Train, and seal the bundle; gives the score on valid, None where the training was broken off.

    hopeless: told each score on valid, those before a kill included; whether to break off.
    """

    def watch(_step: int, score: Score) -> None:
        if hopeless(score.value):
            raise BrokenOffError

    try:
        goal, outcome = train_task(
            one.recipe,
            parent,
            data,
            progress=progress,
            what=one.what,
            folder=one.work,
            key=one.key,
            watch=watch,
        )
    except BrokenOffError:
        return None
    score = finite(outcome.best.value)
    if score is None:
        fix = calmer(one.recipe.finetune)
        raise UserError("the score on valid is no finite number", where=one.what, fix=fix)
    with files.saving(one.place, kind=bundle.KIND, facts={"key": one.key}) as beside:
        write_task_bundle(beside, one.recipe, parent, data, goal, outcome)
    return score

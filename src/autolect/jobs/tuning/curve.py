"""labels -> what fewer of them come to on valid, with the settings of the model that was chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from autolect.core import bundle, files
from autolect.core.recipe import Recipe
from autolect.jobs.stages import Run, section
from autolect.jobs.tuning.finetune import Data, keyed, train_task
from autolect.jobs.tuning.search import FINALISTS, with_values
from autolect.jobs.tuning.self_training import FILE as SELF_TRAINING
from autolect.text.labels.split import some

FILE = "curve.json"


def curve(run: Run, parent: Path, data: Data, model: Path) -> Path | None:
    """Make the curve folder of a run: examples and score on valid for each share, and for all; or None."""
    shares = getattr(run.recipe.task, "curve", ())
    if not shares:
        return None
    needs = {**section(run.recipe, "seed"), "shares": shares, "model": bundle.digest(model)}
    needs |= {"parent": bundle.digest(parent), "data": data.hashes}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        settings, train = _settings(run.recipe, model), data.parts.train
        points = []
        for share in sorted(shares):
            fewer = some(train, share, seed=run.recipe.seed)
            part = replace(data, parts=replace(data.parts, train=fewer))
            _, outcome = train_task(
                settings,
                parent,
                part,
                progress=run.progress,
                what=f"{len(fewer):,} of {len(train):,} examples",
                folder=run.work("curve") / str(len(fewer)),
                key=keyed(facts["key"], part),
            )
            points.append([len(fewer), outcome.best.value])
        files.save_json(folder / FILE, [*points, [len(train), _score(model)]])

    return run.stage("curve", kind="curve", needs=needs, make=make)


def _settings(recipe: Recipe, model: Path) -> Recipe:
    """Those that the model was made with."""
    if not (model / FINALISTS).exists():
        return recipe
    return with_values(recipe, files.read_json(model / FINALISTS)[0]["params"])


def _score(model: Path) -> float:
    """On valid, of the model that learned from all examples, and from nothing else."""
    if (model / SELF_TRAINING).exists():
        return float(files.read_json(model / SELF_TRAINING)["before"])
    return float(bundle.open_bundle(model).metrics["valid_score"])

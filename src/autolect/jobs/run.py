"""The whole way of a recipe: from files to a served model, each stage only where something changed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.core.lock import lock
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe, to_table
from autolect.jobs import report
from autolect.jobs.evaluate import evaluate
from autolect.jobs.prepare import prepare, tokenize
from autolect.jobs.pretrain import pretrain
from autolect.jobs.stages import Run
from autolect.jobs.tuning.curve import curve
from autolect.jobs.tuning.finetune import read_data
from autolect.jobs.tuning.finetuned import finetune
from autolect.jobs.vectors import learn_vectors
from autolect.report import summary

STAGES = ("corpus", "tokens", "vectors", "pretrained", "finetuned", "curve", "evaluation", "report")


@dataclass(frozen=True, slots=True)
class SummaryTable:
    """A table to show at the end."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    folder: Path
    rows: tuple[tuple[str, str], ...]
    tables: tuple[SummaryTable, ...]
    command: str
    figures: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """As JSON values, for programs."""
        return {"folder": str(self.folder), "command": self.command, **self.figures}


def run(recipe: Recipe, *, folder: Path, progress: Progress, until: str = "report") -> Summary:
    """Walk the way of a recipe up to a stage. The same call goes on where a killed one stopped."""
    assert until in STAGES
    with lock(folder):
        files.save_json(folder / "recipe.json", to_table(recipe))
        work = Run(folder=folder, recipe=recipe, progress=progress)
        walk(work, until=until)
        facts = report.gather(work)
        model = next((n for n in ("finetuned", "pretrained") if (folder / n).is_dir()), "")
        command = f"autolect serve {shlex.quote(str(folder / model))}" if model else ""
        if until == "report":
            report.write(work, facts, command=command)
        return Summary(
            folder=folder,
            rows=summary.rows(facts),
            tables=tuple(SummaryTable(*table) for table in summary.tables(facts)),
            command=command,
            figures=facts,
        )


def walk(work: Run, *, until: str, alone: bool = False) -> None:
    """Make the stages of a recipe up to one of them.

    alone: for a comparison: no curve is drawn, no baselines are fitted, and where the budget is in minutes
    the time that the vectors took is taken from it.
    """
    recipe, last = work.recipe, STAGES.index(until)
    # Labels are read before hours of pretraining, so that a bad line is heard of now.
    data = None
    if recipe.task is not None and last >= STAGES.index("finetuned"):
        data = read_data(recipe, work.progress)
    parent = _parent(work, last=last, alone=alone)
    if parent is None or data is None:
        return
    model = finetune(work, parent, data)
    if last >= STAGES.index("curve") and not alone:
        curve(work, parent, data, model)
    if last >= STAGES.index("evaluation"):
        evaluate(work, model, data, beside=not alone)


def given(recipe: Recipe) -> Path | None:
    """The bundle of a recipe without text, None where there is text.

    UserError where the bundle is none, or there is nothing to do with it.
    """
    if recipe.start is None:
        return None
    start = Path(recipe.start)
    bundle.open_bundle(start)
    if recipe.corpus is None and recipe.task is None:
        fix = "add [task] to fine-tune it, or [corpus] to pretrain it further"
        raise UserError("there is nothing to do with a bundle alone", where="recipe", fix=fix)
    return start if recipe.corpus is None else None


def _parent(work: Run, *, last: int, alone: bool) -> Path | None:
    """The bundle that the task starts from: given, or made from the corpus; None where the way ends."""
    if (start := given(work.recipe)) is not None:
        return start
    corpus = prepare(work)
    if last < STAGES.index("tokens"):
        return None
    tokens = tokenize(work, corpus)
    if last < STAGES.index("vectors"):
        return None
    vectors = None if work.recipe.start else learn_vectors(work, corpus, tokens)
    if last < STAGES.index("pretrained"):
        return None
    if alone:
        work.recipe = _charged(work.recipe, work.seconds.get("vectors", 0.0))
    return pretrain(work, corpus, tokens, vectors)


def _charged(recipe: Recipe, seconds: float) -> Recipe:
    """The recipe with so many seconds less to train; at least a tenth of its minutes stays."""
    minutes = recipe.train.minutes
    if minutes is None:
        return recipe
    left = max(minutes / 10, minutes - seconds / 60)
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"minutes": left})})

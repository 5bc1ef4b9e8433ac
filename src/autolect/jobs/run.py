"""The whole way of a recipe: from files to a served model, each stage only where something changed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe, to_table
from autolect.jobs import report
from autolect.jobs.evaluate import evaluate
from autolect.jobs.finetune import read_data
from autolect.jobs.prepare import prepare, tokenize
from autolect.jobs.pretrain import pretrain
from autolect.jobs.search import finetune
from autolect.jobs.stages import Run
from autolect.jobs.vectors import learn_vectors
from autolect.report import summary

STAGES = ("corpus", "tokens", "vectors", "pretrained", "finetuned", "evaluation", "report")


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
    with files.lock(folder):
        files.save_json(folder / "recipe.json", to_table(recipe))
        work = Run(folder=folder, recipe=recipe, progress=progress)
        _walk(work, last=STAGES.index(until))
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


def _walk(work: Run, *, last: int) -> None:
    recipe = work.recipe
    if recipe.start is not None:
        parent = Path(recipe.start)
        bundle.open_bundle(parent)
        if recipe.task is None:
            raise UserError("there is nothing to do with a bundle alone", where="recipe", fix="add [task]")
    else:
        # Labels are read before hours of pretraining, so that a bad line is heard of now.
        if recipe.task is not None and last >= STAGES.index("finetuned"):
            read_data(recipe, work.progress)
        corpus = prepare(work)
        if last < STAGES.index("tokens"):
            return
        tokens = tokenize(work, corpus)
        if last < STAGES.index("vectors"):
            return
        vectors = learn_vectors(work, corpus, tokens)
        if last < STAGES.index("pretrained"):
            return
        parent = pretrain(work, corpus, tokens, vectors)
    if recipe.task is None or last < STAGES.index("finetuned"):
        return
    data = read_data(recipe, work.progress)
    model = finetune(work, parent, data)
    if last >= STAGES.index("evaluation"):
        evaluate(work, model, data)

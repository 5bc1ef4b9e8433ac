"""Verbs that walk the way of a recipe: run, and its beginnings up to a stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autolect.cli import options, progress, show
from autolect.core import registry
from autolect.core.errors import UserError

if TYPE_CHECKING:
    from autolect.core.recipe import Recipe
    from autolect.jobs.run import Summary

RESUMABLE = ("run", "prepare", "vectors", "pretrain", "finetune", "search", "evaluate", "compare")
"""Verbs that go on where they were stopped."""


def run(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
    start: options.Start = None,
) -> None:
    """Walk the whole way of a recipe: files to a measured, servable model and its report."""
    walk(ctx, read(recipe, assignments, start), out=out, until="report")


def prepare(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
) -> None:
    """Read, clean, deduplicate and split the text, and tokenize it."""
    walk(ctx, read(recipe, assignments), out=out, until="tokens")


def vectors(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
) -> None:
    """Learn word vectors from the text."""
    walk(ctx, read(recipe, assignments), out=out, until="vectors")


def pretrain(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="BUNDLE", help="Go on from this bundle, with its tokenizer."),
    ] = None,
) -> None:
    """Train encoder and decoder to reconstruct the text; with --from, a bundle on new text."""
    given = [] if start is None else [f"start={json.dumps(str(options.bundle_folder(start).resolve()))}"]
    walk(ctx, read(recipe, [*(assignments or []), *given]), out=out, until="pretrained")


def finetune(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
    start: options.Start = None,
) -> None:
    """Fine-tune the model for the recipe's task, with its search if it has one."""
    chosen = read(recipe, assignments, start)
    _needs_task(chosen, recipe)
    walk(ctx, chosen, out=out, until="finetuned")
    _test_is_closed(ctx)


def search(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
    start: options.Start = None,
) -> None:
    """Fine-tune with a search for the best settings on the valid split."""
    chosen = read(recipe, assignments, start)
    _needs_task(chosen, recipe)
    if chosen.search is None:
        fix = "add [search] to the recipe, or --set search.trials=8"
        raise UserError("the recipe has no [search]", where=str(recipe), fix=fix)
    walk(ctx, chosen, out=out, until="finetuned")
    _test_is_closed(ctx)


def read(path: Path, assignments: list[str] | None, start: Path | None = None) -> Recipe:
    """The recipe of a file with its --set values; start: a bundle in place of its corpus."""
    from autolect.core import recipe

    if start is not None:
        return _started(path, assignments, start)
    return recipe.read(path, overrides=assignments or [])


def _started(path: Path, assignments: list[str] | None, start: Path) -> Recipe:
    """The recipe with ``start`` in place of its corpus."""
    from autolect.core import config, recipe

    table = config.read_toml(path)
    bundle = str(options.bundle_folder(start).resolve())
    if "corpus" not in table:
        return recipe.read(path, overrides=[*(assignments or []), f"start={json.dumps(bundle)}"])
    resolved = recipe.to_table(recipe.read(path, overrides=assignments or []))
    del resolved["corpus"]
    return recipe.from_table({**resolved, "start": bundle})


def folder_of(name: str, out: Path | None) -> Path:
    """Where a run goes: what --out names, else runs/NAME."""
    if out is None and Path(name).name != name:
        raise UserError(f"{name!r} is no folder name", where="name", fix="use letters, or --out FOLDER")
    return Path("runs") / name if out is None else out


def _needs_task(recipe: Recipe, path: Path) -> None:
    if recipe.task is None:
        kinds = ", ".join(registry.names("tasks"))
        fix = f"add [task] with a kind, one of {kinds}, and train = a file of examples"
        raise UserError("the recipe has no [task]", where=str(path), fix=fix)


def _test_is_closed(ctx: typer.Context) -> None:
    if not options.voice_of(ctx).json:
        verb = show.paint("autolect run", "cyan")
        show.write(
            f"The test examples were not looked at: {verb} with the same words measures, and writes a report."
        )


def walk(ctx: typer.Context, recipe: Recipe, *, out: Path | None, until: str) -> None:
    """Make the stages of a recipe up to one of them, and show what they came to."""
    voice = options.voice_of(ctx)
    folder = folder_of(recipe.name, out)
    from autolect.jobs import run as job

    with progress.opened(quiet=voice.quiet) as told:
        summary = job.run(recipe, folder=folder, progress=told, until=until)
    if voice.json:
        show.write(show.plain_json(summary.plain()))
    else:
        _show(summary)


def _show(summary: Summary) -> None:
    for one in summary.tables:
        show.write()
        show.write(show.paint(show.safe(one.title), "bold"))
        show.write(show.table(one.rows, columns=one.columns))
    show.write()
    show.write(show.table(summary.rows))
    if summary.command:
        show.write()
        show.write(f"next: {show.paint(show.safe(summary.command), 'cyan')}")

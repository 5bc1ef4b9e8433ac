"""``autolect evaluate``: the test split of a recipe, or a suite of files for a pretrained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import options, progress, run, show
from autolect.core.errors import UserError


def evaluate(
    ctx: typer.Context,
    what: Annotated[Path, typer.Argument(metavar="RECIPE|BUNDLE", help="A recipe; with --suite, a bundle.")],
    assignments: options.Assignments = None,
    out: options.Out = None,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Ask a bundle what these files ask (TOML)."),
    ] = None,
) -> None:
    """Measure the result once on the test split, or ask a model a suite of questions."""
    if suite is None:
        if what.is_dir():
            raise UserError("is a folder", where=str(what), fix="name a recipe, or add --suite FILE")
        run.walk(ctx, run.read(what, assignments), out=out, until="evaluation")
        return
    if assignments or out:
        raise UserError("--set and --out belong to a recipe", where="--suite", fix="leave them out")
    _ask(ctx, options.bundle_folder(what), suite)


def _ask(ctx: typer.Context, folder: Path, path: Path) -> None:
    voice = options.voice_of(ctx)
    from autolect.jobs import suite
    from autolect.jobs.use import load

    asked = suite.read(path)
    with progress.opened(quiet=voice.quiet) as told:
        found = suite.measure(load(folder), asked, progress=told)
    if voice.json:
        for one in found:
            show.write(show.plain_json(one.plain()))
        return
    rows = [
        (
            one.what,
            one.file,
            f"{one.value:.4g}",
            ", ".join(f"{name} {value:.4g}" for name, value in one.beside.items()),
            f"{one.count:,}",
        )
        for one in found
    ]
    show.write(show.table(rows, columns=("measured", "file", "value", "beside", "items")))

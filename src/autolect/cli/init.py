"""``autolect init``: a recipe from a look at the files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import options, show


def init(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="Text and labelled files, folders or patterns.")
    ],
    recipe: Annotated[
        Path, typer.Option("--output", "-o", metavar="RECIPE", help="Where the recipe goes.")
    ] = Path("recipe.toml"),
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            "-m",
            min=0.1,
            help="How long it may pretrain on this machine; the network is as large as that serves.",
        ),
    ] = None,
    encoding: options.Encoding = "utf-8",
) -> None:
    """Look at files and write a commented recipe for them."""
    voice = options.voice_of(ctx)
    from autolect.jobs import init as job

    proposal = job.init(files, recipe=recipe, minutes=minutes, encoding=encoding)
    if voice.json:
        show.write(show.plain_json({"recipe": str(recipe), **dict(proposal.rows)}))
        return
    show.write(show.table(proposal.rows))
    show.write()
    show.write(f"next: {show.paint(show.safe(f'autolect run {recipe}'), 'cyan')}")

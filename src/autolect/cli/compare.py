"""``autolect compare``: arms of a recipe side by side, over several seeds."""

from __future__ import annotations

import typer

from autolect.cli import options, progress, run, show


def compare(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    out: options.Out = None,
) -> None:
    """Show whether vectors, pretraining or a setting help: the recipe's [compare] arms, with intervals."""
    voice = options.voice_of(ctx)
    chosen = run.read(recipe, assignments)
    folder = run.folder_of(f"{chosen.name}-compare", out)
    from autolect.jobs import compare as job
    from autolect.report import comparison

    with progress.opened(quiet=voice.quiet) as told:
        found = job.compare(chosen, folder=folder, progress=told)
    if voice.json:
        show.write(show.plain_json(found))
        return
    for title, columns, rows in comparison.tables(found):
        show.write()
        show.write(show.paint(show.safe(title), "bold"))
        show.write(show.table(rows, columns=columns))
    show.write()
    for line in comparison.sentences(found):
        show.write(show.safe(line))

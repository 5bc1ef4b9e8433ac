"""``autolect plan``: what a run would take, before it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from autolect.cli import options, progress, run, show

if TYPE_CHECKING:
    from autolect.jobs.plan import Plan

_GB = 1e9


def plan(
    ctx: typer.Context,
    recipe: options.RecipeFile,
    assignments: options.Assignments = None,
    start: options.Start = None,
    out: options.Out = None,
) -> None:
    """Say what a run would take in time, memory and disk: a sample of the text walks the way first.

    From a bundle without text it is the learning from the labels, search included, that is measured.
    """
    voice = options.voice_of(ctx)
    chosen = run.read(recipe, assignments, start)
    folder = run.folder_of(chosen.name, out)
    from autolect.jobs import plan as job

    with progress.opened(quiet=voice.quiet) as told:
        found = job.plan(chosen, folder=folder, progress=told)
    if voice.json:
        show.write(show.plain_json(found.plain()))
    else:
        _show(found)


def _show(found: Plan) -> None:
    rows = [(part.name, progress.span(part.seconds), _size(part.disk)) for part in found.parts]
    show.write(show.table(rows, columns=("stage", "time", "disk")))
    show.write()
    for name, one in found.paces.items():
        shares = ", ".join(f"{part} {share:.0%}" for part, share in one.parts.items())
        show.write(
            f"{name}: {one.steps:,} steps of {1000 * one.step:,.0f} ms, {one.tokens / one.step:,.0f} tokens/s"
        )
        show.write(f"  of a step: {shares}")
    show.write()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    summary = [("all of it", f"about {progress.span(found.seconds)} on this machine")]
    summary += [("memory", f"{_size(found.memory)} of {_size(memory)}")]
    summary += [("disk", f"{_size(found.disk)}, {_size(found.free)} free")]
    show.write(show.table(summary))
    show.write()
    if max(found.elsewhere.values(), default=0.0) >= 1:
        show.write("pretraining elsewhere, an estimate from rates on paper, not measured:")
        show.write(show.table([(name, progress.span(seconds)) for name, seconds in found.elsewhere.items()]))
    for what, needed, there in (("memory", found.memory, memory), ("disk", found.disk, found.free)):
        if needed > there:
            show.write(
                show.paint(f"not enough {what}: {_size(needed)} are needed, {_size(there)} are there", "red")
            )


def _size(size: float) -> str:
    return f"{size / _GB:.2f} GB" if size >= _GB / 10 else f"{size / 1e6:.1f} MB"

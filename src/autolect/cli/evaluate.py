"""``autolect evaluate``: the test split of a recipe, bundles on a file, a suite for a pretrained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import options, progress, run, show
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError


def evaluate(
    ctx: typer.Context,
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECIPE|BUNDLE...", help="A recipe; with --suite a bundle, with --test several."
        ),
    ],
    assignments: options.Assignments = None,
    out: options.Out = None,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Ask a bundle what these files ask (TOML)."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Let bundles answer a labelled file, and compare them."),
    ] = None,
    dtype: options.Dtype = "float32",
    start: options.Start = None,
) -> None:
    """Measure the result once on the test split, bundles on a labelled file, or what a model knows."""
    if suite is not None and test is not None:
        raise UserError("--suite and --test are both given", where="--suite", fix="keep one of them")
    if start is not None and (suite is not None or test is not None):
        raise UserError("--from belongs to a recipe", where="--from", fix="leave it out")
    if test is not None:
        if out:
            raise UserError("--out belongs to a recipe", where="--test", fix="leave it out")
        _compare(ctx, [options.bundle_folder(one) for one in what], test, assignments or [], dtype=dtype)
        return
    if dtype != "float32":
        raise UserError("--dtype belongs to --test", where="--dtype", fix="leave it out, or add --test FILE")
    if len(what) > 1:
        raise UserError("several are named", where=str(what[1]), fix="add --test FILE to compare bundles")
    if suite is None:
        if what[0].is_dir():
            fix = "name a recipe, or add --suite FILE or --test FILE"
            raise UserError("is a folder", where=str(what[0]), fix=fix)
        run.walk(ctx, run.read(what[0], assignments, start), out=out, until="evaluation")
        return
    if assignments or out:
        raise UserError("--set and --out belong to a recipe", where="--suite", fix="leave them out")
    _ask(ctx, options.bundle_folder(what[0]), suite)


def _compare(
    ctx: typer.Context,
    folders: list[Path],
    test: Path,
    assignments: list[str],
    *,
    dtype: DtypeName,
) -> None:
    voice = options.voice_of(ctx)
    from autolect.jobs import judge

    with progress.opened(quiet=voice.quiet) as told:
        found = judge.judge(folders, test, overrides=assignments, dtype=dtype, progress=told)
    if voice.json:
        for one in found:
            show.write(show.plain_json(one.plain()))
        return
    rows = [
        (
            str(one.folder),
            f"{one.figures['score']:.4f}",
            f"{one.figures['low']:.4f} to {one.figures['high']:.4f}",
            ""
            if one.against is None
            else f"{one.against.value:+.4f} ({one.against.low:+.4f} to {one.against.high:+.4f})",
            "" if one.against is None else f"{one.against.p:.3f}",
        )
        for one in found
    ]
    columns = ("bundle", found[0].measure, "95 % interval", "against the first", "p")
    shown = len(columns) if len(found) > 1 else 3
    show.write(show.table([row[:shown] for row in rows], columns=columns[:shown]))
    for one in found[1:]:
        assert one.against is not None
        said = "better" if one.against.value > 0 else "worse"
        said = said if one.against.shown else "no difference shown"
        show.write(f"{show.safe(str(one.folder))}: {said} on {one.examples:,} examples")


def _ask(ctx: typer.Context, folder: Path, path: Path) -> None:
    voice = options.voice_of(ctx)
    from autolect.jobs import suite
    from autolect.jobs.using.use import load

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

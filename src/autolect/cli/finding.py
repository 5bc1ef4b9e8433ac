"""``autolect index``, ``search``, ``recommend`` and ``cluster``: what many texts are about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autolect.cli import options, progress, run, show
from autolect.core.errors import UserError

if TYPE_CHECKING:
    from autolect.jobs.finding import Found

_SHOWN = 100
"""Characters of a text in a line."""

Files = Annotated[list[str], typer.Argument(metavar="FILES...", help="Text files, folders or patterns.")]
IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="What `autolect index` made.")]
Count = Annotated[int, typer.Option("--count", min=1, max=1000, help="Texts to find.")]


def index(
    ctx: typer.Context,
    bundle: options.Bundle,
    files: Files,
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="INDEX", help="Where it goes.")],
    column: options.Column = "text",
    encoding: options.Encoding = "utf-8",
) -> None:
    """Make an index of texts, to search and to recommend from."""
    voice = options.voice_of(ctx)
    from autolect.jobs import finding

    with progress.opened(quiet=voice.quiet) as told:
        model = options.bundle_folder(bundle)
        count = finding.index(folder, model, files, column=column, encoding=encoding, progress=told)
    if voice.json:
        show.write(show.plain_json({"texts": count, "index": str(folder)}))
        return
    show.write(f"{count:,} texts")
    show.write(f"next: {show.paint(show.safe(f'autolect search {folder} QUERY'), 'cyan')}")


def search(
    ctx: typer.Context,
    what: Annotated[
        Path, typer.Argument(metavar="INDEX|RECIPE", help="What `autolect index` made; or a recipe.")
    ],
    query: options.Texts = None,
    file: options.TextFile = None,
    count: Count = 10,
    assignments: options.Assignments = None,
    out: options.Out = None,
) -> None:
    """Find the texts of an index that fit a query; of a recipe, the settings that learn its task best."""
    if not what.is_dir():
        if query or file:
            fix = "name the folder that `autolect index` made, or leave the query out"
            raise UserError("is no index", where=str(what), fix=fix)
        run.search(ctx, what, assignments, out)
        return
    if assignments or out:
        raise UserError("--set and --out belong to a recipe", where=str(what), fix="leave them out")
    voice = options.voice_of(ctx)
    from autolect.jobs.finding import Index

    found = Index(what)
    for batch in options.batches(query, file, quiet=voice.quiet):
        shared = found.shared(batch)
        for one, texts, words in zip(batch, found.search(batch, count=count), shared, strict=True):
            if not words and not voice.json:
                show.write(
                    f"no text has a word of {show.safe(one)!r}; these are near it by their vectors alone"
                )
            _show(texts, json=voice.json, asked={"query": one, "words": words})


def recommend(
    ctx: typer.Context,
    folder: IndexFolder,
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", min=0, help="A text's number, as `search` shows.")
    ],
    count: Count = 10,
) -> None:
    """Find the texts that are most like one of the index."""
    voice = options.voice_of(ctx)
    from autolect.jobs.finding import Index

    _show(Index(folder).like(number, count=count), json=voice.json, asked={"number": number})


def cluster(
    ctx: typer.Context,
    bundle: options.Bundle,
    files: Files,
    folder: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where groups and page go; earlier ones are replaced."
        ),
    ],
    column: options.Column = "text",
    encoding: options.Encoding = "utf-8",
    count: Annotated[
        int | None, typer.Option("--count", min=2, help="How many groups; without, their density says.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same groups.")] = 0,
) -> None:
    """Group texts that are about the same: words that tell groups apart, a map, a group for each text."""
    voice = options.voice_of(ctx)
    from autolect.jobs import cluster as job
    from autolect.report import grouping

    with progress.opened(quiet=voice.quiet) as told:
        found = job.cluster(
            folder,
            options.bundle_folder(bundle),
            files,
            column=column,
            encoding=encoding,
            count=count,
            seed=seed,
            progress=told,
        )
    if voice.json:
        for group in found.groups:
            facts = {"cluster": group.number, "texts": group.size, "keywords": list(group.keywords)}
            show.write(show.plain_json(facts))
        return
    if found.groups:
        rows = [(str(one.number), f"{one.size:,}", ", ".join(one.keywords)) for one in found.groups]
        rows += [("none", f"{found.outside:,}", "")] if found.outside else []
        show.write(show.table(rows, columns=("group", "texts", "words that tell it apart")))
    else:
        show.write(grouping.NO_GROUPS)
    show.write(f"page: {show.safe(str(folder / job.PAGE))}")


def _show(texts: list[Found], *, json: bool, asked: dict[str, object]) -> None:
    if json:
        facts = [
            {"number": one.number, "score": one.score, "text": one.text, "where": one.where} for one in texts
        ]
        show.write(show.plain_json({**asked, "found": facts}))
        return
    rows = [
        (str(one.number), f"{one.score:.4f}", show.safe(" ".join(one.text.split())[:_SHOWN]), one.where)
        for one in texts
    ]
    show.write(show.table(rows, columns=("number", "score", "text", "where")))
    show.write()

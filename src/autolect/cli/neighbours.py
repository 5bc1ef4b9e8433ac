"""``autolect neighbours``: the words nearest to a word."""

from __future__ import annotations

from typing import Annotated

import typer

from autolect.cli import options, show


def neighbours(
    ctx: typer.Context,
    bundle: options.Bundle,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Words to look up.")],
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="SENTENCE", help="As they are meant in this sentence."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Neighbours a word.")] = 10,
) -> None:
    """Show the words whose vectors are nearest: the static ones, or with --context the contextual ones."""
    voice = options.voice_of(ctx)
    folder = options.bundle_folder(bundle)
    from autolect.jobs.using.use import load

    lect = load(folder)
    for word in words:
        found = lect.neighbours(word, context=context, count=count)
        if voice.json:
            facts = [{"word": one.word, "similarity": one.similarity} for one in found]
            show.write(show.plain_json({"word": word, "neighbours": facts}))
            continue
        show.write(show.paint(show.safe(word), "bold"))
        show.write(show.table([(f"{one.similarity:.3f}", one.word) for one in found]))

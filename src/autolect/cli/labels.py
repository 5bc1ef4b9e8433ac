"""``autolect labels check``, ``labels convert`` and ``suggest``: labelled files, and what to label next."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autolect.cli import options, progress, show
from autolect.core.errors import UserError

if TYPE_CHECKING:
    from autolect.jobs.labels.check import Findings

_BARS = 24
"""Width of the longest bar."""
_FIRST, _CHARACTERS = 10, 100
"""Texts that are shown, and how much of each."""
REFUSED = 2
"""Exit status where a run would refuse the files."""
_SHOWN = 40
"""Labels that a table shows."""


def check(
    ctx: typer.Context,
    what: Annotated[Path, typer.Argument(metavar="RECIPE|FILE", help="A recipe, or a labelled file.")],
    valid: Annotated[Path | None, typer.Option("--valid", help="Another file, to choose by.")] = None,
    test: Annotated[
        Path | None, typer.Option("--test", help="Another file, for the final measurement.")
    ] = None,
    assignments: options.Assignments = None,
    encoding: options.Encoding = "utf-8",
) -> None:
    """Say what labelled files hold: labels, repeats, contradictions, what stands in two splits.

    The status is 2 where a run would refuse them.
    """
    voice = options.voice_of(ctx)
    from autolect.jobs.labels import check as job

    given = [] if encoding == "utf-8" else [f"task.encoding={json.dumps(encoding)}"]
    config, seed = _config(what, valid, test, [*given, *(assignments or [])])
    found = job.check(config, seed=seed)
    if voice.json:
        show.write(show.plain_json(found.plain()))
    else:
        _show(found)
    if found.refusals:
        raise typer.Exit(REFUSED)


def convert(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A labelled file or folder, of any format.")],
    target: Annotated[
        Path, typer.Argument(metavar="TO", help="A file that is not there yet; .tsv .csv .jsonl .conll.")
    ],
    form: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="doccano, label-studio, or brat or folders (a folder)."),
    ] = None,
    assignments: options.Assignments = None,
    encoding: options.Encoding = "utf-8",
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Go on where something would not come back.")
    ] = False,
) -> None:
    """Write the same examples in another format; what would be lost is refused.

    With --set task.KEY=VALUE the file is read as a run would read it: columns, pairs, spans to mend.
    """
    voice = options.voice_of(ctx)
    from autolect.jobs.labels import convert as job

    task = None
    if source.suffix == ".toml":
        raise UserError("is a recipe", where=str(source), fix="name the labelled file that it names")
    if assignments:
        if odd := [one for one in assignments if not one.startswith("task.")]:
            raise UserError(
                "does not say how a file is read", where=odd[0], fix="give keys of the task alone"
            )
        task, _ = _config(source, None, None, [f"task.encoding={json.dumps(encoding)}", *assignments])
    done = job.convert(source, target, form=form, lossy=lossy, encoding=encoding, task=task)
    if voice.json:
        show.write(show.plain_json({**dataclasses.asdict(done), "file": str(target)}))
        return
    for note in done.notes:
        show.write(show.safe(note))
    show.write(f"{done.examples:,} examples, {done.format}: {show.safe(str(target))}")
    told = " ".join(done.notes)
    if beside := [name for name in done.beside if name not in told]:
        show.write(f"not written, since they are no labels: {show.safe(', '.join(beside))}")


def suggest(
    ctx: typer.Context,
    bundle: options.Bundle,
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="Texts that have no labels yet.")],
    target: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where they go.")],
    labelled: Annotated[
        list[Path] | None,
        typer.Option(
            "--labelled", metavar="FILE", help="Leave out the texts that have labels here; repeatable."
        ),
    ] = None,
    assignments: options.Assignments = None,
    column: options.Column = "text",
    encoding: options.Encoding = "utf-8",
    count: Annotated[int, typer.Option("--count", min=1, help="Texts to label next.")] = 50,
    form: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="doccano (.jsonl) or label-studio (.json)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same texts.")] = 0,
) -> None:
    """Choose the texts whose labels would teach a model most, with its guesses to correct.

    --set task.KEY=VALUE says how the --labelled files are read, where that is not as the bundle's own was.
    """
    voice = options.voice_of(ctx)
    from autolect.jobs import suggest as job

    with progress.opened(quiet=voice.quiet) as told:
        found = job.suggest(
            target,
            options.bundle_folder(bundle),
            files,
            labelled=labelled or (),
            overrides=assignments or (),
            column=column,
            encoding=encoding,
            count=count,
            form=form,
            seed=seed,
            progress=told,
        )
    if voice.json:
        for text, doubt in found:
            show.write(show.plain_json({"text": text, "doubt": doubt}))
        return
    rows = [
        (f"{doubt:.2f}", show.safe(" ".join(text.split())[:_CHARACTERS])) for text, doubt in found[:_FIRST]
    ]
    show.write(show.table(rows, columns=("doubt", "text")))
    fewer = f" ({count:,} were asked for)" if len(found) < count else ""
    show.write(f"{len(found):,} texts with guesses{fewer}: {show.safe(str(target))}")


def _config(
    what: Path, valid: Path | None, test: Path | None, assignments: list[str] | None
) -> tuple[Any, int]:
    """The task's settings of a recipe and its seed, or for files by what they hold."""
    from autolect.core import config, recipe
    from autolect.jobs.labels.look import look

    if what.suffix == ".toml":
        # Labels alone need no text; without any a recipe would be refused.
        given = [
            *config.read_toml(what),
            *(one.partition("=")[0].partition(".")[0] for one in assignments or []),
        ]
        textless = not {"corpus", "start"} & set(given)
        read = recipe.read(what, overrides=[*(assignments or []), *(['start="."'] if textless else [])])
        if read.task is None:
            raise UserError("has no [task]", where=str(what), fix="name a labelled file")
        return read.task, read.seed
    if not what.exists():
        raise UserError("no such file", where=str(what), fix="check the name")
    given = config.merge(map(config.parse_assignment, assignments or [])).get("task", {})
    seen = look(what, encoding=given.get("encoding", "utf-8"))
    named = {"train": what, "valid": valid, "test": test}
    table = {name: str(path) for name, path in named.items() if path}
    told: dict[str, Any] = {"kind": seen.kind if seen else "classify", **table}
    told |= {"several": True} if seen and seen.several else {}
    return recipe.task_from(told, overrides=assignments or []), 0


def _show(found: Findings) -> None:
    rows = [
        (name, part.file, f"{part.examples:,}", " / ".join(f"{size:,}" for size in part.characters))
        for name, part in found.parts.items()
    ]
    show.write(show.table(rows, columns=("split", "file", "examples", "characters: least / median / most")))
    show.write()
    names = list(dict.fromkeys(label for part in found.parts.values() for label in part.labels))
    most = max((count for part in found.parts.values() for count in part.labels.values()), default=1)
    counted = [
        (
            label,
            *(f"{part.labels.get(label, 0):,}" for part in found.parts.values()),
            "█" * max(1, round(_BARS * found.parts["train"].labels.get(label, 0) / most)),
        )
        for label in names[:_SHOWN]
    ]
    if counted:
        show.write(show.table(counted, columns=("label", *found.parts, "")))
    if len(names) > _SHOWN:
        show.write(f"and {len(names) - _SHOWN:,} more; --json gives all")
    for name, part in found.parts.items():
        for note in part.notes:
            show.write(f"{name}: {show.safe(note)}")
    show.write()
    for refusal in found.refusals:
        show.write(f"{show.paint('a run refuses this:', 'red')} {show.safe(refusal)}")
    for trouble in found.troubles:
        show.write(f"! {show.safe(trouble)}")
    if not found.troubles and not found.refusals:
        show.write(show.paint("nothing that stands in the way of a run", "green"))
    for step in found.plan:
        show.write(f"  {show.safe(step)}")

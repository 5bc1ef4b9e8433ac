"""Options and arguments that several verbs share."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import show
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError
from autolect.text import streams

TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".conll", ".conllu")
"""Suffixes of files whose lines are more than a text."""
BATCH = 32
"""Texts that are answered together; more would only make the first answer late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How to speak: JSON instead of text on standard output; nothing on standard error but errors."""

    json: bool
    quiet: bool


def voice_of(ctx: typer.Context) -> Voice:
    """The voice that the flags before the verb chose."""
    voice = ctx.obj
    assert isinstance(voice, Voice)
    return voice


RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a TOML file.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE...",
        help="Change the recipe; takes several, e.g. encoder.kind=gru seed=1.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="The run's folder (default: runs/NAME).")
]
Start = Annotated[
    Path | None,
    typer.Option("--from", metavar="BUNDLE", help="Start from this bundle instead of the text."),
]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, or the folder of a run.")]
Texts = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; without any, lines are read.")
]
TextFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Read one text a line from here (UTF-8).")
]
Dtype = Annotated[
    DtypeName,
    typer.Option(
        "--dtype",
        help="Multiply matrices in it; auto: bfloat16 where the processor has it, faster and less exact.",
    ),
]


Column = Annotated[str, typer.Option("--column", help="Where the text stands in jsonl, csv, tsv, parquet.")]
Encoding = Annotated[
    str, typer.Option("--encoding", help="Of files without a byte order mark, such as gb18030.")
]


def bundle_folder(folder: Path) -> Path:
    """The bundle that a folder is or, if it is a run, holds: the fine-tuned one before the pretrained one."""
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder), fix="name a bundle or the folder of a run")
    if (folder / "MANIFEST.json").exists():
        return folder
    for name in ("finetuned", "pretrained"):
        if (folder / name).is_dir():
            return folder / name
    raise UserError(
        "holds no model yet", where=str(folder), fix="`autolect run RECIPE` makes one, or name another folder"
    )


def batches(texts: list[str] | None, file: Path | None, *, quiet: bool) -> Iterator[list[str]]:
    """What was asked, some texts at a time: arguments, or lines of a file or of standard input.

    Unless ``quiet`` it is told what of a file may be meant otherwise.
    """
    if texts and file:
        raise UserError("texts and --file are both given", where="--file", fix="keep one of them")
    if file is not None and not file.is_file():
        raise UserError("no such file", where=str(file), fix="check the name")
    if any(not text.strip() for text in texts or ()):
        raise UserError("is empty", where="TEXT", fix="say something, or leave it out")
    if file is not None and not quiet and streams.suffix(file) in TABLES:
        show.tell(f"{file}: each line of it is taken for a text, with all that stands there")
    return _batches(texts or _lines(file, quiet=quiet))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    # A person who types gets an answer after every line.
    size = 1 if sys.stdin.isatty() else BATCH
    source = iter(texts)
    while batch := list(itertools.islice(source, size)):
        yield batch


def _lines(file: Path | None, *, quiet: bool) -> Iterator[str]:
    """Lines of a file or of standard input that are not blank; UserError with the line that is not UTF-8."""
    blank = 0
    if file is None and sys.stdin.isatty():
        show.tell("one text a line, Ctrl-D ends")
    with sys.stdin.buffer if file is None else file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                where = f"{'standard input' if file is None else file}:{number}"
                what = f"byte {error.start + 1} of the line is not UTF-8"
                raise UserError(what, where=where, fix="convert it to UTF-8") from None
            blank += not line.strip()
            if line.strip():
                yield line
    if blank and not quiet:
        show.tell(f"{blank:,} blank line(s) have no answer")

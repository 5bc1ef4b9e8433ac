"""Options and arguments that several verbs share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autolect.core.errors import UserError


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
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, or the folder of a run.")]
Texts = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; without any, lines are read.")
]
TextFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Read one text a line from here (UTF-8).")
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

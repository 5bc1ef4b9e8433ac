"""``autolect verify``: check every byte of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import options, show
from autolect.core.errors import UserError


def verify(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A bundle, a stage, or a run.")],
) -> None:
    """Check every file against the manifest; a run's folder means each of its stages."""
    voice = options.voice_of(ctx)
    from autolect.core import files

    for one in _finished(folder):
        manifest = files.verify(one)
        size = sum(int(facts["size"]) for facts in manifest.files.values())
        if voice.json:
            facts = {"folder": str(one), "kind": manifest.kind, "files": len(manifest.files), "bytes": size}
            show.write(show.plain_json(facts))
        else:
            what = f"{manifest.kind}, {len(manifest.files)} files, {size:,} bytes"
            show.write(f"{show.paint('whole', 'green')}  {show.safe(str(one))}  ({what})")


def _finished(folder: Path) -> list[Path]:
    """The folder itself, or those inside that carry a manifest."""
    if not folder.is_dir() or (folder / "MANIFEST.json").exists():
        return [folder]
    found = sorted(path.parent for path in folder.glob("*/MANIFEST.json"))
    if not found:
        raise UserError("holds nothing that autolect finished", where=str(folder), fix="name another folder")
    return found

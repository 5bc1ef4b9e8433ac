"""``autolect serve``: a model behind HTTP, with a page to try it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from autolect.cli import options, progress
from autolect.core.errors import UserError

KEYS = "AUTOLECT_API_KEYS"
"""Environment variable with keys, parted by commas or blanks."""


def serve(
    ctx: typer.Context,
    bundle: options.Bundle,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help=f"Keys that clients must send, one a line; also {KEYS}."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others in without a key (not on loopback: refused).")
    ] = False,
    dtype: options.Dtype = "float32",
) -> None:
    """Answer HTTP requests until Ctrl-C or SIGTERM."""
    voice = options.voice_of(ctx)
    folder = options.bundle_folder(bundle)
    given = read_keys(keys, environment=os.environ)
    from pydantic import ValidationError

    from autolect.core.config import complaint
    from autolect.jobs import serve as job
    from autolect.serve.limits import ServeSettings

    try:
        settings = ServeSettings(api_keys=given, insecure=insecure)
    except ValidationError as error:
        problem = complaint(error, where="serve", section=ServeSettings)
        raise UserError(problem.what, where=str(keys or KEYS), fix=problem.fix) from None
    with progress.opened(quiet=voice.quiet) as told:
        job.serve(folder, dtype=dtype, host=host, port=port, settings=settings, progress=told)


def read_keys(file: Path | None, *, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of the environment and of a file's lines; blank lines and those with # in front are left out."""
    found = environment.get(KEYS, "").replace(",", " ").split()
    if file is not None:
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not UTF-8"
            raise UserError(what, where=str(file), fix="name a text file with one key a line") from None
        listed = [line for line in lines if line and not line.startswith("#")]
        if not listed:
            raise UserError("holds no key", where=str(file), fix="write one key a line")
        found += listed
    return tuple(dict.fromkeys(found))

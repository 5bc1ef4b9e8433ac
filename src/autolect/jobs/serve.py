"""bundle -> HTTP: the model behind the server and its page."""

from __future__ import annotations

from pathlib import Path

from autolect.core.dtype import DtypeName
from autolect.core.progress import Progress
from autolect.jobs.using.use import load
from autolect.serve import app
from autolect.serve.limits import ServeSettings


def serve(
    folder: Path, *, dtype: DtypeName, host: str, port: int, settings: ServeSettings, progress: Progress
) -> None:
    """Answer until SIGTERM or SIGINT."""
    app.serve(load(folder, dtype=dtype), host=host, port=port, settings=settings, progress=progress)

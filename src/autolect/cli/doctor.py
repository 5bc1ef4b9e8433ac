"""``autolect doctor``: what this machine can do."""

from __future__ import annotations

import typer

from autolect.cli import options, show


def doctor(ctx: typer.Context) -> None:
    """Look at processor, memory, disk and tools, and measure how fast matrices are multiplied."""
    voice = options.voice_of(ctx)
    from autolect.jobs import doctor as job

    checks = job.doctor()
    if voice.json:
        show.write(show.plain_json({check.name: check.value for check in checks}))
        return
    show.write(show.table([(check.name, check.shown) for check in checks]))
    for check in checks:
        if check.advice:
            show.write(f"{show.paint(check.name, 'bold')}: {show.safe(check.advice)}")

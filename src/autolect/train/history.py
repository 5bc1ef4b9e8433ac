"""The log of a run: one JSON record a step in ``metrics.jsonl``, and TensorBoard events."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any, Literal

LOG, EVENTS = "metrics.jsonl", "tensorboard"
CLOCK = "seconds"
"""The field of a record that differs each time."""


class History:
    """Writes a run's records; without a folder it writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._log: IO[bytes] | None = None
        self._events: Any = None

    def start(self) -> None:
        """Begin an empty log."""
        self._open("wb")

    def resume(self, size: int) -> int:
        """Cut the log to the size that a checkpoint knew; gives the number of records cut off."""
        if self._folder is None:
            return 0
        path = self._folder / LOG
        self._folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as log:
            log.seek(min(size, path.stat().st_size))
            lost = log.read().count(b"\n")
            log.truncate(size)
        self._open("ab")
        return lost

    def add(self, record: dict[str, Any]) -> None:
        """One step."""
        if self._log is None:
            return
        self._log.write(json.dumps(record, allow_nan=True).encode() + b"\n")
        for name, value in record.items():
            if name != "step":
                self._events.add_scalar(name, value, record["step"])

    def sync(self) -> int:
        """Make the log durable; gives its size in bytes."""
        if self._log is None:
            return 0
        self._log.flush()
        os.fsync(self._log.fileno())
        return self._log.tell()

    def close(self) -> None:
        """Finish."""
        if self._log is not None:
            self.sync()
            self._log.close()
            self._events.close()

    def _open(self, mode: Literal["wb", "ab"]) -> None:
        if self._folder is None:
            return
        from tensorboardX import SummaryWriter

        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = (self._folder / LOG).open(mode)
        self._events = SummaryWriter(str(self._folder / EVENTS), flush_secs=30)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The records of a run, in order."""
    path = folder / LOG
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def copy_timeless(source: Path, target: Path) -> None:
    """Copy a finished run's log without its clock, so that the same training gives the same bytes."""
    records = [{k: v for k, v in record.items() if k != CLOCK} for record in read_log(source)]
    (target / LOG).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

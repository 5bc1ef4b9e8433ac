"""The log of a run: one JSON record a step in ``metrics.jsonl``, and TensorBoard events."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

from autolect.core import files

LOG, EVENTS = "metrics.jsonl", "tensorboard"
CLOCK = "seconds"
"""The field of a record that differs each time."""
_CHUNK = 1 << 20


class History:
    """Writes a run's records; without a folder it writes nothing. What is not finite is null."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._log: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._events: Any = None

    def start(self) -> None:
        """Begin an empty log."""
        self._open("wb")

    def complain(self, facts: Mapping[str, Any]) -> str:
        """What is wrong with the log that a checkpoint's facts tell of; "" is nothing."""
        if self._folder is None:
            return ""
        path, seen = self._folder / LOG, hashlib.sha256()
        try:
            with path.open("rb") as log:
                left = int(facts["log_bytes"])
                while block := log.read(min(left, _CHUNK)):
                    seen.update(block)
                    left -= len(block)
        except FileNotFoundError:
            return f"its log {LOG!r} is missing"
        return "" if left == 0 and seen.hexdigest() == facts["log_sha256"] else f"its log {LOG!r} was altered"

    def resume(self, facts: Mapping[str, Any]) -> int:
        """Cut the log to what a checkpoint knew, see `complain`; gives the number of records cut off."""
        if self._folder is None:
            return 0
        with (self._folder / LOG).open("r+b") as log:
            self._hash = hashlib.sha256(log.read(facts["log_bytes"]))
            lost = log.read().count(b"\n")
            log.truncate(facts["log_bytes"])
        self._open("ab")
        return lost

    def add(self, record: dict[str, Any]) -> None:
        """One step."""
        if self._log is None:
            return
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self._disk():
            self._log.write(line)
        self._hash.update(line)
        for name, value in record.items():
            if name != "step" and value is not None:
                self._events.add_scalar(name, value, record["step"])

    def sync(self) -> dict[str, Any]:
        """Make the log durable; gives its ``log_bytes`` and their ``log_sha256``."""
        if self._log is None:
            return {}
        with self._disk():
            self._log.flush()
            os.fsync(self._log.fileno())
        return {"log_bytes": self._log.tell(), "log_sha256": self._hash.hexdigest()}

    def close(self) -> None:
        """Finish."""
        if self._log is None:
            return
        self._events.close()
        try:
            self.sync()
        finally:
            with contextlib.suppress(OSError):
                self._log.close()

    def _open(self, mode: Literal["wb", "ab"]) -> None:
        if self._folder is None:
            return
        from tensorboardX import SummaryWriter

        with self._disk():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._events = SummaryWriter(str(self._folder / EVENTS), flush_secs=30)
            self._log = (self._folder / LOG).open(mode)

    def _disk(self) -> contextlib.AbstractContextManager[None]:
        return files.disk_errors(self._folder or Path())


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

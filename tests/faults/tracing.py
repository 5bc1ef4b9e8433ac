"""A process whose system calls strace watches, or makes to fail; it has done all its imports before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

CHILD = """
import os, sys
from pathlib import Path
from autolect.core import files
from autolect.core.errors import UserError
folder = Path(sys.argv[1])
{prepare}
print("ready", flush=True)
sys.stdin.readline()
try:
    {work}
except UserError as error:
    os.write(2, str(error).encode())
    os._exit(2)
os._exit(0)
"""


class Traced(NamedTuple):
    """How it ended, what it said on its error stream, and strace's log."""

    status: int
    told: str
    log: str


def trace(strace: str, folder: Path, *options: str, work: str, prepare: str = "") -> Traced:
    """Run ``work``, Python that knows ``folder`` and ``files``, under strace; ``prepare`` runs before.

    A UserError ends it with 2, no error with 0.
    """
    log = folder.with_name(f"{folder.name}.strace")
    code = CHILD.format(prepare=prepare, work=work.strip().replace("\n", "\n    "))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        words = [strace, "-f", "-p", str(child.pid), *options, "-o", str(log)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                child.kill()
                pytest.skip(f"no process may be traced here: {said.strip()}")
            _, told = child.communicate("go\n", timeout=60)
            tracer.wait(timeout=60)
    found = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    return Traced(child.returncode, told, found)

"""Every system call of a save fails in turn: the old stays or the new is whole, never a false "saved".

strace injects the failure into a process that has done all its imports, from the first call of the save on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autolect.core import files

CALLS = ("mkdir", "openat", "write", "fsync", "renameat2", "rename", "fchmod", "unlink", "unlinkat", "rmdir")
FAULTS = ("signal=KILL", "error=ENOSPC", "error=EIO", "error=EACCES", "error=EINTR")
MOST = 60
"""No call is made so often in one save."""

CHILD = """
import os, sys
from pathlib import Path
from autolect.core import files
from autolect.core.errors import UserError
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    with files.saving(folder / "x", kind="thing", facts={"text": "new"}) as beside:
        (beside / "a.txt").write_text("new" * 5000)
        (beside / "b.txt").write_text("new")
    files.save_json(folder / "y.json", "new")
except UserError as error:
    os.write(2, str(error).encode())
    os._exit(2)
os._exit(0)
"""


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        missing = "system calls are not made to fail: `apt-get install strace` brings what does it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def prepared(folder: Path) -> None:
    with files.saving(folder / "x", kind="thing", facts={"text": "old"}) as beside:
        (beside / "a.txt").write_text("old" * 5000)
        (beside / "b.txt").write_text("old")
    files.save_json(folder / "y.json", "old")


def attempt(strace: str, folder: Path, call: str, fault: str, number: int) -> tuple[int, str, bool]:
    """The save's exit status, what it said, and whether the fault was injected."""
    log = folder / "strace.log"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        inject = f"inject={call}:{fault}:when={number}"
        words = [strace, "-p", str(child.pid), "-e", f"trace={call}", "-e", inject, "-o", str(log)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                child.kill()
                pytest.skip(f"no process may be traced here: {said.strip()}")
            _, told = child.communicate("go\n", timeout=60)
            tracer.wait(timeout=60)
    injected = log.exists() and any(mark in log.read_text() for mark in ("(INJECTED)", "+++ killed"))
    log.unlink(missing_ok=True)
    return child.returncode, told, injected


@pytest.mark.timeout(900)
@pytest.mark.parametrize("call", CALLS)
def test_a_save_whose_system_calls_fail_leaves_the_old_or_the_new(
    strace: str, tmp_path: Path, call: str
) -> None:
    for fault in FAULTS:
        for number in range(1, MOST):
            folder = tmp_path / f"{fault}-{number}"
            folder.mkdir()
            prepared(folder)
            status, told, injected = attempt(strace, folder, call, fault, number)
            facts = files.verify(folder / "x", kind="thing").facts
            other = files.read_json(folder / "y.json")
            assert {facts["text"], other} <= {"old", "new"}
            if status == 0:
                assert (facts["text"], other) == ("new", "new"), f"a false saved: {call} {fault} {number}"
            else:
                assert status in (2, -9), f"{call} {fault} {number}: {told}"
                assert status == -9 or "Traceback" not in told
            prepared(folder)
            assert files.verify(folder / "x").facts["text"] == "old"
            assert sorted(path.name for path in folder.iterdir()) == ["x", "y.json"]
            shutil.rmtree(folder)
            if not injected:
                break
        else:
            pytest.fail(f"{call} is called more than {MOST} times")

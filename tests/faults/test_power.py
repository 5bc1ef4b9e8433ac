"""Power fails: the disk then holds what was synced, and no more. What was told to be saved must be there.

A file system in a file is mounted with its journal at rest; the file is copied while a process saves into it;
the copy is what a disk holds after the power went. Needs the right to mount; elsewhere it is skipped.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autolect.core import files
from autolect.core.slots import Slots

CUTS = int(os.environ.get("AUTOLECT_CUTS", "25"))
"""How often the power fails."""

WRITER = """
import sys
from pathlib import Path
from autolect.core import files
from autolect.core.slots import Slots
folder = Path(sys.argv[1])
for step in range(1_000_000):
    with Slots(folder, "checkpoint").saving({"key": "k", "step": step}) as beside:
        (beside / "tensors").write_bytes(step.to_bytes(4, "little") * 20_000)
    files.save_json(folder / "step.json", step)
    print(step, flush=True)
"""


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    run("mount", "-o", "loop,commit=600", str(image), str(place))
    try:
        yield place
    finally:
        # A process that was killed a moment ago may still hold it.
        for _ in range(100):
            with contextlib.suppress(OSError):
                run("umount", str(place))
                break
            time.sleep(0.05)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as stream:
        stream.truncate(24 << 20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("the power does not fail here: there is no mkfs.ext4")
    run("mkfs.ext4", "-q", str(path))
    try:
        with mounted(path, tmp_path / "disk"):
            pass
    except OSError as error:
        pytest.skip(f"the power does not fail here: {error}")
    return path


@pytest.mark.timeout(max(600, 10 * CUTS))
def test_what_was_told_to_be_saved_is_there_after_the_power_failed(image: Path, tmp_path: Path) -> None:
    draw, copy = random.Random(3), tmp_path / "copy.img"
    with mounted(image, tmp_path / "disk") as disk:
        words = [sys.executable, "-c", WRITER, str(disk)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            os.set_blocking(writer.stdout.fileno(), False)
            told, heard = -1, b""
            try:
                for _ in range(CUTS):
                    time.sleep(draw.uniform(0.05, 0.3))
                    while heard.count(b"\n") < 2:
                        heard += writer.stdout.read() or b""
                    os.kill(writer.pid, signal.SIGSTOP)
                    heard += writer.stdout.read() or b""
                    told = heard.count(b"\n") - 1
                    shutil.copyfile(image, copy)
                    os.kill(writer.pid, signal.SIGCONT)
                    with mounted(copy, tmp_path / "after") as after:
                        whole, complaints = Slots(after, "checkpoint").whole("k")
                        assert complaints == []
                        step = whole[0].facts["step"]
                        assert step in (told, told + 1)
                        assert (whole[0].place / "tensors").read_bytes()[:4] == step.to_bytes(4, "little")
                        assert files.read_json(after / "step.json") in (told, told + 1)
            finally:
                writer.kill()

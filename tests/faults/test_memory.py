"""Memory is used up in the middle of a run: the message names the batch, and what it advises helps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.pipeline.conftest import TINY, write_corpus

ROOM = 160 << 20
"""Bytes that the run may take beyond what it has when the training starts."""

CHILD = """
import resource, sys
from autolect.train import loop
from autolect.cli.main import main

begin = loop._Loop.begin

def tight(self, *given):
    found = begin(self, *given)
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * resource.getpagesize() + int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return found

loop._Loop.begin = tight
main(sys.argv[2:])
"""


def walk(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    assignments = [part for one in (*TINY, *settings) for part in ("--set", one)]
    recipe = folder / "tight.toml"
    recipe.write_text("")
    words = ["pretrain", str(recipe), "--out", str(folder / "run"), "--quiet", *assignments]
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOM), *words], capture_output=True, text=True, check=False
    )


def test_a_batch_that_does_not_fit_is_named_and_parts_of_it_do(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    wide = (f"corpus.files=['{corpus}']", "train.steps=2", "train.batch_tokens=8192", "encoder.width=256")
    done = walk(tmp_path, *wide)
    assert done.returncode == 2, done.stderr
    assert "memory is used up by a batch of" in done.stderr
    assert "train.micro_batches = 2" in done.stderr
    again = walk(tmp_path, *wide, "train.micro_batches=64")
    assert again.returncode == 0, again.stderr

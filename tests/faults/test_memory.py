"""Memory is used up in the middle of a run: the message names the batch, and what it advises helps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.pipeline.conftest import TINY, write_corpus

ROOM = 100 << 20
"""Bytes that a step may take beyond what the run has before it."""

CHILD = """
import resource, sys
from autolect.train import loop
from autolect.cli.main import main

backward = loop._Loop._backward

def tight(self, step):
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * resource.getpagesize() + int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    try:
        return backward(self, step)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

loop._Loop._backward = tight
main(sys.argv[2:])
"""


def walk(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    assignments = [part for one in (*TINY, *settings) for part in ("--set", one)]
    recipe = folder / "tight.toml"
    recipe.write_text("")
    words = ["pretrain", str(recipe), "--out", str(folder / "run"), "--quiet", *assignments]
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOM), *words],
        capture_output=True,
        text=True,
        check=False,
        # Else the first allocation of each thread takes 128 MB of addresses.
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
    )


def test_a_batch_that_does_not_fit_is_named_and_parts_of_it_do(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    wide = (
        f"corpus.files=['{corpus}']",
        "train.steps=2",
        "train.dtype=float32",
        "train.batch_tokens=8192",
        "encoder.width=256",
    )
    done = walk(tmp_path, *wide)
    assert done.returncode == 2, done.stderr
    assert "memory is used up by a batch of" in done.stderr
    assert "train.micro_batches = 2" in done.stderr
    again = walk(tmp_path, *wide, "train.micro_batches=64")
    assert again.returncode == 0, again.stderr

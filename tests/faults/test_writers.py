"""Two writers of one folder: one goes on, the other leaves and names the first."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from autolect.core import files
from tests.pipeline.conftest import TINY, write_corpus

RACERS = 4


@pytest.mark.parametrize("race", range(3))
def test_of_runs_that_start_at_once_one_ends_and_the_others_name_it(tmp_path: Path, race: int) -> None:
    corpus = write_corpus(tmp_path)
    recipe = tmp_path / "race.toml"
    recipe.write_text(f"seed = {race}\n[corpus]\nfiles = ['{corpus.name}']\n")
    assignments = [part for one in TINY for part in ("--set", one)]
    words = [sys.executable, "-m", "autolect", "pretrain", str(recipe), "--out", str(tmp_path / "run")]
    racers = [
        subprocess.Popen([*words, "--quiet", *assignments], stderr=subprocess.PIPE, text=True)
        for _ in range(RACERS)
    ]
    told = [racer.communicate()[1] for racer in racers]
    statuses = [racer.returncode for racer in racers]
    assert statuses.count(0) >= 1, told
    assert set(statuses) == {0, 2}, told
    for racer, said in zip(racers, told, strict=True):
        if racer.returncode == 2:
            named = re.search(r"process (\d+) on \S+ is writing here", said)
            assert named, said
            assert int(named.group(1)) in {other.pid for other in racers} - {racer.pid}
    files.verify(tmp_path / "run" / "pretrained")

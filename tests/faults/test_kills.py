"""Whatever strikes a run, at any instant, changes nothing: the same command ends with the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = int(os.environ.get("AUTOLECT_KILLS", "20"))
"""For each of two seeds; `make faults KILLS=5000` asks for more."""
SECONDS_A_KILL = 4


@pytest.mark.timeout(max(600, KILLS * SECONDS_A_KILL))
@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_struck_anywhere_ends_as_one_that_is_not(seed: int) -> None:
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run(
        [sys.executable, str(script), "--kills", str(KILLS), "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["kills"] >= KILLS
    assert found["differ"] == []

"""The generated page says what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_recipe_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "recipe.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

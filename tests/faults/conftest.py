"""Where strace is."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        missing = (
            "system calls are neither watched nor made to fail: `apt-get install strace` brings what does it"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found

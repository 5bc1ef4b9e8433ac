"""One writer a folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autolect.core.errors import UserError
from autolect.core.files import LOCK
from autolect.core.lock import lock


def test_the_second_writer_hears_who_the_first_one_is(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from autolect.core.lock import lock\n"
    code += "from autolect.core.errors import UserError\n"
    code += "try:\n with lock(Path(sys.argv[1])): pass\nexcept UserError as e: sys.exit(str(e))"
    with lock(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert f"process {os.getpid()} on " in done.stderr
    with lock(tmp_path):
        pass
    assert not (tmp_path / LOCK).read_text(), "a name that stays would be taken for the next writer's"


def test_a_writer_that_has_not_said_its_name_yet_is_waited_for(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)

        def named() -> None:
            time.sleep(0.4)
            stream.write("process 7 on elsewhere")
            stream.flush()

        thread = threading.Thread(target=named)
        thread.start()
        with pytest.raises(UserError, match="process 7 on elsewhere is writing here"), lock(tmp_path):
            pass
        thread.join()


def test_a_lock_that_is_free_again_before_a_name_was_there_is_taken(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        thread = threading.Timer(0.3, lambda: fcntl.flock(stream, fcntl.LOCK_UN))
        thread.start()
        with lock(tmp_path):
            assert str(os.getpid()) in (tmp_path / LOCK).read_text()
        thread.join()

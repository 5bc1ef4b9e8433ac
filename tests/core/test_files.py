"""The save protocol: all of it or nothing, and every altered byte is found."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.core import files
from autolect.core.errors import DamagedError, UserError


class Killed(BaseException):
    """Stands for the end of the process at one system call."""


def saved(folder: Path, text: str) -> None:
    with files.saving(folder, kind="thing", facts={"text": text}) as beside:
        (beside / "sub").mkdir()
        (beside / "a.txt").write_text(text)
        (beside / "sub" / "b.txt").write_text(text * 2)


def content(folder: Path) -> str:
    manifest = files.verify(folder, kind="thing")
    text = (folder / "a.txt").read_text()
    assert (folder / "sub" / "b.txt").read_text() == text * 2
    assert manifest.facts["text"] == text
    return text


def left_beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path != folder)


def test_what_was_saved_verifies_and_nothing_is_left_beside(tmp_path: Path) -> None:
    for text in ("one", "two"):
        saved(tmp_path / "x", text)
        assert content(tmp_path / "x") == text
    assert left_beside(tmp_path / "x") == []


def test_facts_may_be_filled_until_the_end(tmp_path: Path) -> None:
    facts: dict[str, object] = {}
    with files.saving(tmp_path / "x", kind="thing", facts=facts):
        facts["score"] = 0.5
    assert files.verify(tmp_path / "x").facts == {"score": 0.5}


def test_an_error_while_filling_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    saved(tmp_path / "x", "old")
    with pytest.raises(IsADirectoryError), files.saving(tmp_path / "x", kind="thing") as beside:
        beside.write_text("half")
    assert content(tmp_path / "x") == "old"
    assert left_beside(tmp_path / "x") == []


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from autolect.core import files
from test_files import saved
left = {calls}
def dying(name, real):
    def call(*words, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **named)
    setattr(files.os, name, call)
for name in ("fsync", "rename", "replace", "open"):
    dying(name, getattr(os, name))
real = files._exchange
def exchange(one, other):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(one, other)
files._exchange = exchange
saved(Path({folder!r}), "new")
"""


def test_a_kill_at_any_system_call_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    """SIGKILL before the 1st, 4th, 7th ... call of a save, then the next save over what is left."""
    folder, here = tmp_path / "x", str(Path(__file__).resolve().parent)
    states, done = set(), False
    for calls in range(1, 60, 3):
        shutil.rmtree(folder, ignore_errors=True)
        saved(folder, "old")
        code = CHILD.format(tests=here, calls=calls, folder=str(folder))
        status = subprocess.run([sys.executable, "-c", code], check=False).returncode
        assert status in (0, -signal.SIGKILL)
        states.add(content(folder))
        saved(folder, "next")
        assert content(folder) == "next"
        assert left_beside(folder) == []
        if status == 0:
            done = True
            break
    assert done
    assert states == {"old", "new"}


@pytest.mark.parametrize("existing", [True, False])
def test_without_exchange_a_kill_between_the_renames_is_mended_by_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    folder = tmp_path / "x"
    if existing:
        saved(folder, "old")
    rename, calls = os.rename, 0

    def second_kills(*names: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == (2 if existing else 1):
            raise Killed
        rename(*names)

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: _NoExchange())
    monkeypatch.setattr(ctypes, "get_errno", lambda: errno.ENOSYS)
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", second_kills)
        with pytest.raises(Killed):
            saved(folder, "new")
    assert not folder.exists()
    with pytest.raises(RuntimeError), files.saving(folder, kind="thing"):
        raise RuntimeError
    if existing:
        assert content(folder) == "old"
    saved(folder, "next")
    assert content(folder) == "next"


class _NoExchange:
    @staticmethod
    def renameat2(*_: object) -> int:
        return -1


def alter(folder: Path, how: str) -> None:
    if how == "altered":
        (folder / "a.txt").write_text("sAme")
    elif how == "longer":
        (folder / "a.txt").write_text("same and more")
    elif how == "missing":
        (folder / "a.txt").unlink()
    elif how == "extra":
        (folder / "sub" / "c.txt").write_text("new")
    elif how == "manifest":
        text = (folder / files.MANIFEST).read_text()
        (folder / files.MANIFEST).write_text(text.replace('"same"', '"sane"'))
    else:
        (folder / files.MANIFEST).unlink()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("altered", "SHA-256 mismatch in 'a.txt'"),
        ("longer", "'a.txt' has 13 bytes, 4 expected"),
        ("missing", "'a.txt' is missing"),
        ("extra", "'sub/c.txt' is not in the manifest"),
        ("manifest", "MANIFEST.json was altered"),
        ("none", "has no MANIFEST.json"),
    ],
)
def test_what_was_changed_is_found_and_named(tmp_path: Path, how: str, told: str) -> None:
    saved(tmp_path / "x", "same")
    alter(tmp_path / "x", how)
    with pytest.raises(DamagedError, match=told.replace(".", r"\.")):
        files.verify(tmp_path / "x")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("flip") / "x"
    saved(folder, "some text")
    path = folder / data.draw(st.sampled_from(["a.txt", "sub/b.txt", files.MANIFEST]))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(raw))
    try:
        manifest = files.verify(folder)
    except UserError:
        return
    # White space between the manifest's values may change; what it says may not.
    assert path.name == files.MANIFEST
    assert manifest.facts == {"text": "some text"}


def test_a_newer_manifest_is_refused_and_a_wrong_kind_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "x", "a")
    with pytest.raises(UserError, match="is a thing, not an index") as told:
        files.verify(tmp_path / "x", kind="index")
    assert told.value.fix == "name a folder that is an index"
    raw = json.loads((tmp_path / "x" / files.MANIFEST).read_text())
    raw["manifest_version"] = files.MANIFEST_VERSION + 1
    del raw["digest"]
    raw["digest"] = files.fingerprint(raw)
    (tmp_path / "x" / files.MANIFEST).write_text(json.dumps(raw))
    with pytest.raises(UserError, match="newer"):
        files.verify(tmp_path / "x")


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """The system refuses files larger than this, as a full disk refuses any."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_the_system_refuses_names_the_cause_and_keeps_the_old(tmp_path: Path) -> None:
    saved(tmp_path / "x", "old")
    files.save_file(tmp_path / "y", "old")
    with small_files(4096):
        with pytest.raises(UserError, match=r"cannot write \(File too large\)"):
            saved(tmp_path / "x", "n" * 10_000)
        with pytest.raises(UserError, match="File too large"):
            files.save_file(tmp_path / "y", "n" * 10_000)
    assert content(tmp_path / "x") == "old"
    assert (tmp_path / "y").read_text() == "old"
    assert left_beside(tmp_path / "x") == ["y"]


def test_a_full_disk_that_a_library_tells_in_words_is_a_users_error(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"cannot write \(No space left on device; .* free\)"),
        files.saving(tmp_path / "x", kind="thing"),
    ):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where no folder can be made")
def test_a_place_that_cannot_be_made_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file") as told:
        files.save_file(Path("/proc/nowhere/x"), "text")
    assert told.value.fix
    with pytest.raises(UserError, match="too long"):
        files.save_file(tmp_path / ("x" * 300), "text")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_sync_that_fails_is_a_users_error_and_never_a_false_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    saved(tmp_path / "x", "old")

    def refusing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refusing)
        with pytest.raises(UserError, match=os.strerror(number)) as told:
            saved(tmp_path / "x", "new")
    assert told.value.fix
    assert content(tmp_path / "x") == "old"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_a_fingerprint_depends_on_the_value_alone(value: object) -> None:
    again = json.loads(json.dumps(value))
    if isinstance(again, dict):
        again = dict(reversed(again.items()))
    assert files.fingerprint(value) == files.fingerprint(again)

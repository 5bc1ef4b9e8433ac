"""Every system call of a save fails in turn: the old stays or the new is whole, never a false "saved"."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from autolect.core import files
from autolect.core.slots import Slots
from tests.faults.tracing import trace

CALLS = ("mkdir", "openat", "write", "fsync", "renameat2", "rename", "fchmod", "unlink", "unlinkat", "rmdir")
FAULTS = ("signal=KILL", "error=ENOSPC", "error=EIO", "error=EACCES", "error=EINTR")
MOST = 80
"""No call is made so often in one save."""


class Save(NamedTuple):
    """Python that saves, what was saved before it, and how to tell what is there: "old" or "new"."""

    prepare: str
    work: str
    before: Callable[[Path], None]
    found: Callable[[Path], set[str]]
    left: frozenset[str]


def _folder_before(folder: Path) -> None:
    with files.saving(folder / "x", kind="thing", facts={"text": "old"}) as beside:
        (beside / "a.txt").write_text("old" * 5000)
        (beside / "b.txt").write_text("old")


def _file_before(folder: Path) -> None:
    files.save_json(folder / "y.json", "old")


def _checkpoint_before(folder: Path) -> None:
    for step, text in enumerate(("older", "old")):
        with Slots(folder, "checkpoint").saving({"key": "k", "step": step, "text": text}) as beside:
            (beside / "tensors.safetensors").write_text(text)


def _checkpoint_found(folder: Path) -> set[str]:
    whole, complaints = Slots(folder, "checkpoint").whole("k")
    assert complaints == []
    assert len(whole) == 2
    return {str(whole[0].facts["text"])}


SAVES = {
    "a folder": Save(
        "",
        """
with files.saving(folder / "x", kind="thing", facts={"text": "new"}) as beside:
    (beside / "a.txt").write_text("new" * 5000)
    (beside / "b.txt").write_text("new")
""",
        _folder_before,
        lambda folder: {str(files.verify(folder / "x", kind="thing").facts["text"])},
        frozenset({"x"}),
    ),
    "a file": Save(
        "",
        'files.save_json(folder / "y.json", "new")',
        _file_before,
        lambda folder: {files.read_json(folder / "y.json")},
        frozenset({"y.json"}),
    ),
    "a checkpoint": Save(
        """
import tempfile, torch
from autolect.train.checkpoint import Saver
network = torch.nn.Linear(2, 2)
optimizer = torch.optim.AdamW(network.parameters())
network(torch.ones(2)).sum().backward()
optimizer.step()
with tempfile.TemporaryDirectory() as elsewhere:
    saver = Saver(Path(elsewhere), network, seconds=1, what="test")
    saver.save(network, optimizer, best={}, facts={"key": "k", "step": 0})
    saver.close()
""",
        """
saver = Saver(folder, network, seconds=1, what="test")
saver.save(network, optimizer, best={}, facts={"key": "k", "step": 2, "text": "new"})
saver.close()
""",
        _checkpoint_before,
        _checkpoint_found,
        frozenset({"checkpoint-0", "checkpoint-1"}),
    ),
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", SAVES)
def test_a_save_whose_system_calls_fail_leaves_the_old_or_the_new(
    strace: str, tmp_path: Path, name: str, call: str
) -> None:
    save = SAVES[name]
    for fault in FAULTS:
        for number in range(1, MOST):
            folder = tmp_path / f"{fault}-{number}"
            folder.mkdir()
            save.before(folder)
            options = ("-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}")
            traced = trace(strace, folder, *options, prepare=save.prepare, work=save.work)
            found = save.found(folder)
            assert found <= {"old", "new"}
            if traced.status == 0:
                assert found == {"new"}, f"a false saved: {call} {fault} {number}"
            else:
                assert traced.status in (2, -9), f"{call} {fault} {number}: {traced.told}"
                assert traced.status == -9 or "Traceback" not in traced.told
            save.before(folder)
            assert {path.name for path in folder.iterdir()} == save.left
            shutil.rmtree(folder)
            if not any(mark in traced.log for mark in ("(INJECTED)", "+++ killed")):
                break
        else:
            pytest.fail(f"{call} is called more than {MOST} times")

"""Every system call of a save fails in turn: the old stays or the new is whole, never a false "saved"."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from autolect.core import files
from autolect.core.slots import Slots
from autolect.train.checkpoint import Saver
from tests.faults.tracing import REFUSED, trace

CALLS = ("mkdir", "openat", "write", "fsync", "renameat2", "rename", "fchmod", "unlink", "unlinkat", "rmdir")
FAULTS = ("signal=KILL", "error=ENOSPC", "error=EIO", "error=EACCES", "error=EINTR")
MOST = 80
"""No call is made so often in one save."""


class Save(NamedTuple):
    """Something that saves, what was saved before it, and how to tell what is there: "old" or "new"."""

    before: Callable[[Path], None]
    work: Callable[[Path], None]
    found: Callable[[Path], set[str]]
    left: frozenset[str]


def _save_folder(folder: Path, text: str) -> None:
    with files.saving(folder / "x", kind="thing", facts={"text": text}) as beside:
        (beside / "a.txt").write_text(text * 5000)
        (beside / "b.txt").write_text(text)


def _checkpoints(folder: Path) -> None:
    for step, text in enumerate(("older", "old")):
        with Slots(folder, "checkpoint").saving({"key": "k", "step": step, "text": text}) as beside:
            (beside / "tensors.safetensors").write_text(text)


def _save_checkpoint(folder: Path) -> None:
    saver = Saver(folder, NETWORK, seconds=1, what="test")
    saver.save(NETWORK, OPTIMIZER, best={}, facts={"key": "k", "step": 2, "text": "new"})
    saver.close()


def _newest_checkpoint(folder: Path) -> set[str]:
    whole, complaints = Slots(folder, "checkpoint").whole("k")
    assert complaints == []
    assert len(whole) == 2
    return {str(whole[0].facts["text"])}


NETWORK = nn.Linear(2, 2)
OPTIMIZER = torch.optim.AdamW(NETWORK.parameters())
SAVES = {
    "a folder": Save(
        lambda folder: _save_folder(folder, "old"),
        lambda folder: _save_folder(folder, "new"),
        lambda folder: {str(files.verify(folder / "x", kind="thing").facts["text"])},
        frozenset({"x"}),
    ),
    "a file": Save(
        lambda folder: files.save_json(folder / "y.json", "old"),
        lambda folder: files.save_json(folder / "y.json", "new"),
        lambda folder: {files.read_json(folder / "y.json")},
        frozenset({"y.json"}),
    ),
    "a checkpoint": Save(
        _checkpoints,
        _save_checkpoint,
        _newest_checkpoint,
        frozenset({"checkpoint-0", "checkpoint-1"}),
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the first save imports is imported before the forks."""
    _save_checkpoint(tmp_path_factory.mktemp("loaded"))


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
            traced = trace(strace, folder, *options, work=save.work)
            found = save.found(folder)
            assert found <= {"old", "new"}
            if traced.status == 0:
                assert found == {"new"}, f"a false saved: {call} {fault} {number}"
            else:
                assert traced.status in (REFUSED, -9), f"{call} {fault} {number}: {traced.told}"
            save.before(folder)
            assert {path.name for path in folder.iterdir()} == save.left
            shutil.rmtree(folder)
            if not any(mark in traced.log for mark in ("(INJECTED)", "+++ killed")):
                break
        else:
            pytest.fail(f"{call} is called more than {MOST} times")

"""What a save asks of the disk, in which order: nothing takes its place before it is durable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from autolect.core import files
from tests.faults.tracing import trace

CALLS = "openat,mkdir,write,pwrite64,fsync,fdatasync,rename,renameat2,unlink,unlinkat,rmdir"


class Call(NamedTuple):
    """A system call that succeeded: its name, and the paths it is about."""

    name: str
    paths: tuple[str, ...]
    text: str


def calls(log: str) -> list[Call]:
    """strace's log with ``-y``, which tells the path of each handle."""
    found = []
    for line in log.splitlines():
        parsed = re.match(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)", line)
        if parsed is None or int(parsed.group(3)) < 0:
            continue
        name, inside = parsed.group(1), parsed.group(2)
        pattern = (
            r'"([^"]*)"' if name not in ("write", "pwrite64", "fsync", "fdatasync") else r"^\d+<([^>]*)>"
        )
        found.append(Call(name, tuple(re.findall(pattern, inside)), inside))
    return found


def places(found: list[Call], name: str, end: str) -> list[int]:
    return [
        number
        for number, call in enumerate(found)
        if call.name.startswith(name) and call.paths and call.paths[-1].endswith(end)
    ]


def test_a_folder_is_durable_before_it_takes_its_place_and_its_place_before_the_call_returns(
    strace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    with files.saving(folder / "x", kind="thing") as beside:
        (beside / "a.txt").write_text("old")

    def work(place: Path) -> None:
        with files.saving(place / "x", kind="thing") as beside:
            (beside / "deep").mkdir()
            (beside / "deep" / "a.txt").write_text("new")
            (beside / "b.txt").write_text("new")

    traced = trace(strace, folder, "-y", "-e", f"trace={CALLS}", work=work)
    assert traced.status == 0, traced.told
    found = calls(traced.log)
    (swap,) = [n for n, call in enumerate(found) if call.name in ("rename", "renameat2")]
    assert "RENAME_EXCHANGE" in found[swap].text
    for name in ("a.txt", "b.txt", files.MANIFEST):
        assert max(places(found, "write", f"/{name}")) < min(places(found, "fsync", f"/{name}")) < swap
    beside_x = ".tmp-"
    synced = [
        n
        for n, call in enumerate(found)
        if call.name == "fsync" and re.search(beside_x + r"\d+$", call.paths[0])
    ]
    assert max(places(found, "fsync", "/deep")) < swap
    manifest = min(places(found, "write", f"/{files.MANIFEST}"))
    assert max(places(found, "fsync", "/a.txt") + places(found, "fsync", "/b.txt")) < manifest
    assert max(places(found, "fsync", f"/{files.MANIFEST}")) < max(synced) < swap
    parent = places(found, "fsync", "/folder")
    assert parent
    assert max(parent) > swap
    gone = [n for n, call in enumerate(found) if call.name.startswith(("unlink", "rmdir"))]
    assert min(gone) > max(parent)


def test_a_file_is_durable_before_it_takes_its_place_and_its_place_before_the_call_returns(
    strace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    files.save_json(folder / "y.json", "old")
    traced = trace(
        strace,
        folder,
        "-y",
        "-e",
        f"trace={CALLS}",
        work=lambda place: files.save_json(place / "y.json", "new"),
    )
    assert traced.status == 0, traced.told
    found = calls(traced.log)
    (swap,) = [n for n, call in enumerate(found) if call.name in ("rename", "renameat2")]
    assert max(places(found, "write", ".tmp")) < min(places(found, "fsync", ".tmp")) < swap
    assert max(places(found, "fsync", "/folder")) > swap
    assert places(found, "write", "/y.json") == []

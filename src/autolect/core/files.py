"""The one way in which autolect writes anything that must last.

A folder is written beside its final name, every file is synced, ``MANIFEST.json`` (size and
SHA-256 of each file) is written last, the folder is synced, put in place by a rename, and its
parent synced. What has no valid manifest does not exist.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autolect.core.errors import DamagedError, UserError

MANIFEST = "MANIFEST.json"
MANIFEST_VERSION = 1
LOCK = ".lock"
"""Where core/lock.py says who writes in a folder; no part of its content."""

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds. ``kind`` says what it is; ``facts`` is free for its owner."""

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@contextlib.contextmanager
def saving(folder: Path, *, kind: str, facts: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Give a temporary folder to fill; make it ``folder`` at the end, all of it or nothing.

    ``facts`` may be filled until the block ends. An older ``folder`` stays intact until the new one
    is complete. Raises UserError with path, need and free space when the disk refuses.
    """
    facts = {} if facts is None else facts
    beside = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        beside.mkdir()
    try:
        with disk_errors(folder):
            yield beside
            _seal(beside, kind, facts)
            _put_in_place(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def refuse_other(folder: Path, *, kind: str) -> None:
    """UserError where something else than a folder of that kind, which may be made anew, is there already."""
    if not folder.exists():
        return
    try:
        same = read_manifest(folder).kind == kind
    except UserError:
        same = False
    if not same:
        raise UserError(f"is there already and is no {kind}", where=str(folder), fix="name another folder")


def sweep(folder: Path) -> None:
    """Finish or clear what a killed writer left beside a folder, which nobody else may be writing."""
    for old in folder.parent.glob(f"{folder.name}.old-*"):
        if folder.exists():
            shutil.rmtree(old)
        else:
            os.rename(old, folder)
    for left in folder.parent.glob(f"{folder.name}.tmp-*"):
        shutil.rmtree(left)


def verify(folder: Path, *, kind: str | None = None) -> Manifest:
    """Check every byte of a folder against its manifest; DamagedError names the first bad file."""
    with disk_errors(folder, doing="read"):
        return _verified(folder, kind)


def _verified(folder: Path, kind: str | None) -> Manifest:
    manifest = read_manifest(folder, kind=kind)
    found = {_relative(path, folder) for path in _inside(folder) if path.is_file()}
    found -= {MANIFEST, LOCK}
    for name in sorted(found - set(manifest.files)):
        raise DamagedError(f"{name!r} is not in the manifest", where=str(folder), fix="remove it")
    for name, facts in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(f"{name!r} is missing", where=str(folder), fix=_RENEW)
        if path.stat().st_size != facts["size"]:
            raise DamagedError(
                f"{name!r} has {path.stat().st_size} bytes, {facts['size']} expected",
                where=str(folder),
                fix=_RENEW,
            )
        if sha256(path) != facts["sha256"]:
            raise DamagedError(f"SHA-256 mismatch in {name!r}", where=str(folder), fix=_RENEW)
    return manifest


def read_manifest(folder: Path, *, kind: str | None = None) -> Manifest:
    """Read a folder's manifest without checking the files it names."""
    path = folder / MANIFEST
    with disk_errors(folder, doing="read"):
        if not folder.is_dir():
            raise UserError("no such folder", where=str(folder))
        if not path.is_file():
            raise DamagedError(
                f"has no {MANIFEST}", where=str(folder), fix="it is unfinished or not autolect's"
            )
        data = path.read_bytes()
    try:
        raw = json.loads(data.decode("utf-8"))
        digest = raw.pop("digest")
        intact = digest == _digest(raw)
        manifest = Manifest(kind=raw["kind"], facts=raw["facts"], files=raw["files"])
        version = raw["manifest_version"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{MANIFEST} cannot be read", where=str(folder), fix=_RENEW) from None
    if not intact:
        raise DamagedError(f"{MANIFEST} was altered", where=str(folder), fix=_RENEW)
    if version > MANIFEST_VERSION:
        raise UserError(
            f"manifest version {version} is newer than {MANIFEST_VERSION}",
            where=str(folder),
            fix="update autolect",
        )
    if kind is not None and manifest.kind != kind:
        what, wanted = _one(manifest.kind), _one(kind)
        raise UserError(f"is {what}, not {wanted}", where=str(folder), fix=f"name a folder that is {wanted}")
    return manifest


def save_file(path: Path, data: bytes | str) -> None:
    """Write one file so that a reader sees the old content or the new, never a part."""
    data = data.encode("utf-8") if isinstance(data, str) else data
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_file(path)
        prefix = f".{path.name}.{os.getpid()}."
        handle, beside = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchmod(stream.fileno(), 0o644)
                os.fsync(stream.fileno())
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def save_json(path: Path, value: Any) -> None:
    """`save_file` for a JSON value: sorted by the caller, indented, UTF-8, no NaN."""
    save_file(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """A JSON value that `save_json` wrote, from a folder that was verified."""
    return json.loads(path.read_text(encoding="utf-8"))


def need_space(folder: Path, size: float, *, what: str) -> None:
    """UserError where less than ``size`` bytes are free, before hours of work end in a full disk."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"{what} may take {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free",
            where=str(folder),
            fix="free some space, or choose another disk with --out",
        )


@contextlib.contextmanager
def disk_errors(path: Path, *, doing: Literal["read", "write"] = "write") -> Iterator[None]:
    """Turn what the disk refuses into a UserError with the path, the reason and the free space."""
    try:
        yield
    except Exception as error:
        number = _refusal(error)
        if number not in _DISK:
            raise
        raise UserError(
            f"cannot {doing} ({os.strerror(number)}{f'; {_free(path)} free' if number in _FULL else ''})",
            where=str(getattr(error, "filename", None) or path),
            fix=_DISK[number],
        ) from error


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            total.update(block)
    return total.hexdigest()


def fingerprint(value: Any) -> str:
    """Hex SHA-256 of a JSON value, keys sorted: the same value gives the same text everywhere."""
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(plain.encode("utf-8")).hexdigest()


_RENEW = "restore the folder from a copy, or run the job that made it again"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "your disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file size limit is too small (ulimit -f)",
    errno.EIO: "the disk reports an error: check it before going on",
    errno.EINTR: "the system broke the call off: run the same command again",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another place",
    errno.ENOENT: "it is gone, or its folder cannot be made: name another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EEXIST: "a file stands where a folder is needed: choose another place",
}


def _refusal(error: Exception) -> int:
    """The number of a system error, 0 if it is none; libraries in Rust tell it in words only."""
    if isinstance(error, OSError):
        return error.errno or 0
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found.group(1)) if found else 0


def _one(kind: str) -> str:
    """A kind of folder with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _free(path: Path) -> str:
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return f"{shutil.disk_usage(place).free / 1e9:.2f} GB"
    return "unknown space"


def _digest(raw: Mapping[str, Any]) -> str:
    return fingerprint(raw)


def _inside(folder: Path) -> Iterator[Path]:
    """All files and folders below one. What cannot be listed is an error, not an absence as for `rglob`."""

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in (*folders, *names))


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _seal(folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(_inside(folder)):
        if path.is_file():
            _sync_file(path)
            files[_relative(path, folder)] = {"size": path.stat().st_size, "sha256": sha256(path)}
        else:
            _sync_folder(path)
    raw = {"manifest_version": MANIFEST_VERSION, "kind": kind, "facts": facts, "files": files}
    text = json.dumps({**raw, "digest": _digest(raw)}, ensure_ascii=False, indent=1)
    target = folder / MANIFEST
    target.write_text(text + "\n", encoding="utf-8")
    _sync_file(target)
    _sync_folder(folder)


def _put_in_place(beside: Path, folder: Path) -> None:
    if folder.exists():
        _exchange(beside, folder)
    else:
        os.rename(beside, folder)
    _sync_folder(folder.parent)


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders in one step, so that no instant lacks either (Linux renameat2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), str(other))
        old = other.with_name(f"{other.name}.old-{os.getpid()}")
        os.rename(other, old)
        os.rename(one, other)
        os.rename(old, one)


def _sweep_file(path: Path) -> None:
    """Clear what killed writers of one file left; a living one may still need its own."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        writer = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if not writer.isdigit() or not Path("/proc", writer).exists():
            left.unlink(missing_ok=True)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

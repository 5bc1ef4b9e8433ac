"""Weights on disk: safetensors, checked against the network's shapes before anything is read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from autolect.core.errors import DamagedError
from autolect.nn.keyed import Keyed

_FIX = "if another version of autolect made it, make it anew or use that version"


def save(values: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors; the caller holds the folder's save protocol."""
    save_file({name: value.detach().cpu().contiguous() for name, value in values.items()}, path)


def load(module: nn.Module, path: Path) -> None:
    """Fill a network from a file: every weight, each of its shape, nothing besides.

    How many sparse features a part knows is what the file says.
    """
    with _opened(path) as (_, shapes):
        for name, part in module.named_modules():
            if isinstance(part, Keyed) and len(rows := shapes.get(f"{name}.keys", ())) == 1:
                part.make_room(rows[0])
    module.load_state_dict(
        read(path, {name: tuple(value.shape) for name, value in module.state_dict().items()})
    )


def read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors of exactly these names and shapes; DamagedError names the first that differs."""
    with _opened(path) as (stream, found):
        for name in sorted(set(shapes) ^ set(found)):
            what = "is missing" if name in shapes else "does not belong to this network"
            raise DamagedError(f"weight {name!r} {what}", where=str(path), fix=_FIX)
        for name, shape in shapes.items():
            if found[name] != shape:
                what = f"weight {name!r} has shape {found[name]}, {shape} expected"
                raise DamagedError(what, where=str(path), fix=_FIX)
        return {name: stream.get_tensor(name) for name in shapes}


def some(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """Tensors of these names; DamagedError where one is missing."""
    with _opened(path) as (stream, _):
        return {name: stream.get_tensor(name) for name in names}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, tuple[int, ...]]]]:
    """A file of tensors, and the shape of each."""
    try:
        with safe_open(path, framework="pt") as stream:
            yield stream, {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DamagedError(f"cannot be read ({error})", where=str(path)) from None

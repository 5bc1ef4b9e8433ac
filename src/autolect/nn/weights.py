"""Weights on disk: safetensors, checked against the network's shapes before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from autolect.core.errors import DamagedError


def save(values: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors; the caller holds the folder's save protocol."""
    save_file({name: value.detach().cpu().contiguous() for name, value in values.items()}, path)


def load(module: nn.Module, path: Path) -> None:
    """Fill a network from a file: every weight, each of its shape, nothing besides."""
    module.load_state_dict(
        read(path, {name: tuple(value.shape) for name, value in module.state_dict().items()})
    )


def read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors of exactly these names and shapes; DamagedError names the first that differs."""
    try:
        with safe_open(path, framework="pt") as stream:
            found = {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
            for name in sorted(set(shapes) ^ set(found)):
                what = "is missing" if name in shapes else "does not belong to this network"
                raise DamagedError(f"weight {name!r} {what}", where=str(path))
            for name, shape in shapes.items():
                if found[name] != shape:
                    raise DamagedError(
                        f"weight {name!r} has shape {found[name]}, {shape} expected", where=str(path)
                    )
            return {name: stream.get_tensor(name) for name in shapes}
    except (SafetensorError, OSError) as error:
        raise DamagedError(f"cannot be read ({error})", where=str(path)) from None

"""How settings are read: defaults < recipe file < environment < ``--set``; unknown keys are refused.

A *section* is a frozen pydantic model whose field docstrings are the documentation.
"""

from __future__ import annotations

import copy
import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from autolect.core.errors import UserError

ENVIRONMENT_PREFIX = "AUTOLECT__"

INHERITED = "_inherited"
"""Where `merge` keeps keys that were written for another kind of the same section."""

Table = dict[str, Any]
"""A parsed TOML table."""


class Section(BaseModel):
    """One section of a recipe, or the settings of one plug-in."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )


def read_toml(path: Path) -> Table:
    """Parse a TOML file; UserError with line and column when it is missing or malformed."""
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise UserError(
            "no such recipe", where=str(path), fix="`autolect init` writes one from your files"
        ) from None
    except IsADirectoryError:
        raise UserError(
            "is a folder, not a recipe", where=str(path), fix="name the .toml file inside"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid TOML ({error})", where=str(path)) from None


def parse_assignment(text: str) -> Table:
    """``a.b=1`` -> {"a": {"b": 1}}. The value is TOML; what is not TOML is taken as a string."""
    key, sign, value = text.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise UserError(f"{text!r} is not KEY=VALUE", where="--set", fix="write section.key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return nested(parts, parsed)


def from_environment(environment: Mapping[str, str]) -> list[Table]:
    """AUTOLECT__A__B=value -> one table each, in the order of the names."""
    found = sorted(name for name in environment if name.startswith(ENVIRONMENT_PREFIX))
    return [
        parse_assignment(f"{name[len(ENVIRONMENT_PREFIX) :].lower().replace('__', '.')}={environment[name]}")
        for name in found
    ]


def merge(layers: Iterable[Table], *, rivals: Sequence[str] = ()) -> Table:
    """Lay tables over each other; a later layer wins key by key.

    A layer that changes a section's ``kind`` keeps what the section below said for the other kind apart,
    under `INHERITED`: what the new kind knows of it still counts. Of ``rivals`` the latest one counts.
    """
    merged: Table = {}
    for layer in layers:
        _merge_into(merged, layer, rivals)
    return merged


def nested(parts: Sequence[str], value: Any) -> Table:
    """["a", "b"], 1 -> {"a": {"b": 1}}."""
    for part in reversed(parts):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def _merge_into(below: Table, above: Table, rivals: Sequence[str]) -> None:
    if set(rivals) & set(above):
        for rival in set(rivals) & set(below):
            del below[rival]
    for key, value in above.items():
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if "kind" in value and value["kind"] != old.get("kind", value["kind"]):
                inherited = {k: v for k, v in old.items() if k not in ("kind", INHERITED)}
                old = below[key] = {INHERITED: inherited} if inherited else {}
            _merge_into(old, value, rivals)
        else:
            below[key] = copy.deepcopy(value)


def complaint(error: ValidationError, *, where: str, section: type[BaseModel]) -> UserError:
    """The first problem that pydantic found, said as what, where and how."""
    first = error.errors()[0]
    place = ".".join([where, *(str(part) for part in first["loc"])]).strip(".")
    if first["type"] == "extra_forbidden":
        known = [name for name in _holder(section, first["loc"]).model_fields if name != "kind"]
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return UserError("unknown key", where=place, fix=fix)
    if first["type"] == "value_error":
        what, _, fix = str(first["ctx"]["error"]).partition("; ")
        return UserError(what, where=place, fix=fix)
    return UserError(f"{first['msg']} (got {first['input']!r})", where=place)


def _holder(section: type[BaseModel], place: tuple[str | int, ...]) -> type[BaseModel]:
    """The section inside which the last key of a place stands."""
    for part in place[:-1]:
        field = section.model_fields.get(str(part))
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        section = inner[0] if inner else section
    return section

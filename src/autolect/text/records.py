"""Records, each a set of named values: JSON Lines, a JSON array, or a folder that `datasets` saved.

Whatever the container, a record is the same to all who read on; `Record.where` says where it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.text.streams import numbered_lines, refuse, suffix

JSONL = (".jsonl", ".ndjson")
"""Suffixes of JSON Lines."""
STATE, INFO, PARTS = "state.json", "dataset_info.json", "dataset_dict.json"
"""Files of a saved dataset; the last one belongs to a folder of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record; where is "file:line", "file[7]" in an array, or "folder[7]", counted from 1."""

    values: dict[str, Any]
    where: str


def holds_records(path: Path) -> bool:
    """Whether a file or folder is one of the containers, told by its name."""
    return suffix(path) in (*JSONL, ".json") or is_saved(path)


def is_saved(path: Path) -> bool:
    """Whether a folder was written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`."""
    return path.is_dir() and ((path / STATE).is_file() or (path / PARTS).is_file())


def read_records(path: Path, *, encoding: str) -> Iterator[Record]:
    """The records of a container; UserError with the place of the first that is none."""
    if is_saved(path):
        return _saved(path)
    return _array(path, encoding) if suffix(path) == ".json" else _lines(path, encoding)


def _lines(path: Path, encoding: str) -> Iterator[Record]:
    """JSON objects, one a line."""
    for number, line, _ in numbered_lines(path, encoding=encoding):
        if line.strip():
            yield _object(line, where=f"{path}:{number}")


def _object(line: str, *, where: str) -> Record:
    values = _parsed(line, where=where, fix="write one object on each line")
    if not isinstance(values, dict):
        refuse(f"is {_named_kind(values)}, not a JSON object", where, "write {...} on each line")
    return Record(values=values, where=where)


def _array(path: Path, encoding: str) -> Iterator[Record]:
    """The objects of the array that is all of a file."""
    lines = numbered_lines(path, encoding=encoding)
    fix = "write an array of objects, or JSON Lines and name the file .jsonl"
    found = _parsed("\n".join(line.text for line in lines), where=str(path), fix=fix)
    if not isinstance(found, list):
        refuse(f"is {_named_kind(found)}, not an array of objects", str(path), fix)
    for number, values in enumerate(found, start=1):
        where = f"{path}[{number}]"
        if not isinstance(values, dict):
            refuse(f"is {_named_kind(values)}, not a JSON object", where, "write {...} for each example")
        yield Record(values=values, where=where)


def _parsed(text: str, *, where: str, fix: str) -> Any:
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        why = "a number is too long" if "int_max_str_digits" in str(error) else error
        refuse(f"is not valid JSON ({why})", where, fix)
    # Only an escape can smuggle a lone surrogate in, since decoding is strict.
    if "\\u" in text and re.search("[\ud800-\udfff]", json.dumps(found, ensure_ascii=False)):
        refuse("has half of a surrogate pair", where, "repair the \\u escape")
    return found


def _named_kind(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice")
    return values


def _saved(folder: Path) -> Iterator[Record]:
    """The rows of a saved dataset, class numbers by their names. Needs pyarrow, not `datasets`."""
    import pyarrow as arrow

    if not (folder / STATE).is_file():
        names = _described(folder / PARTS, "splits", list)
        places = ", ".join(str(folder / str(name)) for name in names)
        refuse("holds several datasets", str(folder), f"name one: {places}")
    names = _data_files(folder / STATE)
    features = _described(folder / INFO, "features", dict)
    turned = {name: turn for name, feature in features.items() if (turn := _names_of(feature)) is not None}
    number = 0
    for name in names:
        path = folder / name
        try:
            with arrow.memory_map(str(path)) as source, arrow.ipc.open_stream(source) as stream:
                for batch in stream:
                    for values in batch.to_pylist():
                        number += 1
                        where = f"{folder}[{number}]"
                        yield Record(values=_named(values, turned, where=where), where=where)
        except (OSError, arrow.ArrowException) as error:
            refuse(f"cannot be read as Arrow ({error})", str(path), "save the dataset again")


def _data_files(state: Path) -> list[str]:
    """The files that hold the rows, in order."""
    found = _described(state, "_data_files", list)
    names = [str(one.get("filename")) for one in found if isinstance(one, dict)]
    if len(names) != len(found) or any(Path(name).name != name for name in names):
        refuse("names files that are not in its folder", str(state), "save the dataset again")
    if json.loads(state.read_text(encoding="utf-8")).get("_indices_data_files"):
        what = "keeps which of its rows count in another file"
        refuse(what, str(state), "save it again after flatten_indices()")
    return names


def _described(path: Path, key: str, kind: type) -> Any:
    """What one of the folder's JSON files says under a key, of the kind that it must be."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, kind):
        what = f"does not describe a saved dataset ({key!r} is missing or wrong)"
        refuse(what, str(path), "save the dataset again")
    return found


def _names_of(feature: Any) -> Callable[[Any], Any] | None:
    """How a value of a class, or of a list of classes, becomes names; None for any other feature."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"_type": "List", "feature": feature[0]}
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel":
        names = feature["names"]
        # -1 stands for "no label" in a saved dataset.
        return lambda value: None if value is None or value < 0 else names[value]
    if feature.get("_type") in ("List", "Sequence", "LargeList"):
        inner = _names_of(feature.get("feature"))
        return None if inner is None else lambda values: [inner(value) for value in values]
    return None


def _named(values: dict[str, Any], turned: dict[str, Callable[[Any], Any]], *, where: str) -> dict[str, Any]:
    try:
        return {name: turned[name](value) if name in turned else value for name, value in values.items()}
    except (IndexError, TypeError):
        refuse("has a class number without a name", where, "save the dataset with its ClassLabel names")

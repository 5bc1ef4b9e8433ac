"""What labelling tools write, one file a tool: each knows its files, reads them and writes them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from autolect.core.errors import UserError
from autolect.text.labels.annotation import Annotation, checked
from autolect.text.records import holds_records


class Format(Protocol):
    """A file of this folder."""

    NAME: str
    SUFFIX: str
    """Of the file that it writes; empty where it writes a folder."""

    def is_mine(self, path: Path, *, encoding: str) -> bool:
        """Whether a file or folder is of this format, by its name and first record."""

    def read(self, path: Path, *, encoding: str) -> Iterator[Annotation]:
        """The annotated texts of a file or folder, in order."""

    def dump(self, annotations: Iterable[Annotation]) -> dict[str, str]:
        """What `read` gives back: contents of files by their names in a folder; of one file, by ''."""


@cache
def known() -> dict[str, Format]:
    """Every format by its name."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {module.NAME: cast("Format", module) for module in modules}


def find(path: Path, *, encoding: str) -> Format | None:
    """The format of a file or folder; None where no labelling tool wrote it."""
    return next((one for one in known().values() if one.is_mine(path, encoding=encoding)), None)


def to_write(target: Path, form: str | None) -> Format:
    """The format of a file that is to be written: the one that is named, or the one of its suffix.

    UserError where there is none of that name, or where the file would not be read as what it is.
    """
    if form is not None and form not in known():
        raise UserError(f"there is no format {form!r}", where="--to", fix=f"known: {', '.join(known())}")
    suffix = target.suffix
    found = known().get(form or next((one.NAME for one in known().values() if suffix == one.SUFFIX), ""))
    if found is None or (found.SUFFIX and suffix != found.SUFFIX):
        wanted = ", ".join(f"{one.SUFFIX} for {one.NAME}" for one in known().values() if one.SUFFIX)
        raise UserError("its name does not fit its format", where=str(target), fix=f"end it in {wanted}")
    return found


def read(path: Path, *, encoding: str, records: bool = False) -> list[Annotation] | None:
    """The annotated texts of a labelling tool's file, all sound; None where it is no such file.

    records: any records with a text are such a file, since a text may have several labels.
    """
    found = find(path, encoding=encoding) or (known()["doccano"] if records and holds_records(path) else None)
    return None if found is None else [checked(one) for one in found.read(path, encoding=encoding)]

"""A folder for each label, with the texts that have it: one file a text.

in   reviews/pos/1.txt  reviews/pos/2.txt  reviews/neg/1.txt      "pos", "pos", "neg"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from autolect.text import readers
from autolect.text.labels.annotation import Annotation
from autolect.text.records import is_saved
from autolect.text.streams import refuse

NAME, SUFFIX = "folders", ""
TEXTS = ".txt"
OTHERS = (".ann", ".conll", ".conllu", ".jsonl", ".tsv", ".csv")
"""A folder with such files is not this."""


def is_mine(path: Path, *, encoding: str) -> bool:  # noqa: ARG001 (its files say enough)
    """Whether two folders or more stand in it, each with texts in it, and texts nowhere else."""
    if not path.is_dir() or is_saved(path) or any(path.glob(f"*{TEXTS}")):
        return False
    files = [one for one in path.rglob("*") if one.is_file() and not _hidden(one, path)]
    texts = [one for one in files if one.suffix == TEXTS]
    labels = {one.parent for one in texts}
    if any(one.suffix in OTHERS for one in files) or any(one.parent != path for one in labels):
        return False
    return len(labels) > 1


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a file, in the order of the files' names, whichever folder they are in."""
    for file in sorted(path.glob(f"*/*{TEXTS}"), key=lambda file: (file.name, file.parent.name)):
        if _hidden(file, path):
            continue
        found = list(readers.read(file, encoding=encoding, document="file", section="task"))
        if not found:
            refuse("has an empty text", str(file), "fill it in or remove it")
        text = "\n".join(one.text for one in found)
        yield Annotation(text=text, where=str(file), labels=(file.parent.name,))


def passed_over(path: Path) -> int:
    """How many files in the folders of labels are not read."""
    inside = [one for one in path.glob("*/*") if one.is_file() and not _hidden(one, path)]
    return sum(one.suffix != TEXTS for one in inside)


def dump(annotations: Iterable[Annotation]) -> dict[str, str]:
    """A file for each text, named by its number, in the folder of its label."""
    found: dict[str, str] = {}
    for number, one in enumerate(annotations, start=1):
        if one.marks:
            refuse("has spans, which folders cannot hold", one.where, "write doccano, label-studio or brat")
        if len(one.labels) != 1:
            what = f"has {len(one.labels)} labels, where a folder says one"
            refuse(what, one.where, "write .jsonl, doccano or label-studio")
        (label,) = one.labels
        if Path(label).name != label or label.startswith("."):
            refuse(f"has the label {label!r}, which can name no folder", one.where, "write .jsonl")
        found[f"{label}/{number:06d}{TEXTS}"] = one.text
    return found


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)

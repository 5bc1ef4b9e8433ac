"""brat standoff: for each text NAME.txt a NAME.ann with its spans.

in   T1<tab>PER 0 3<tab>Ann        a span; "0 3;8 11" is one in pieces, such as those of two lines
     R1, E1, A1, #1, *             relations, events, attributes and notes, which no one here reads
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from autolect.text.labels.annotation import Annotation, Mark
from autolect.text.streams import MAX_BYTES, TextFile, numbered_lines, refuse

NAME, SUFFIX = "brat", ""
TEXTS, MARKS = ".txt", ".ann"
OTHERS = {
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "references",
    "*": "equivalences",
}
NOTE = "#"


def is_mine(path: Path, *, encoding: str) -> bool:  # noqa: ARG001 (its name says enough)
    """Whether it is a folder with .ann files in it, or one of these."""
    if path.is_dir():
        return next(path.rglob(f"*{MARKS}"), None) is not None
    return path.suffix == MARKS


def read(path: Path, *, encoding: str) -> Iterator[Annotation]:
    """One annotation a pair of files, in the order of their names."""
    for marks in [path] if path.is_file() else sorted(path.rglob(f"*{MARKS}")):
        beside = marks.with_suffix(TEXTS)
        if not beside.is_file():
            refuse("has no text beside it", str(marks), f"add {beside.name}")
        yield _document(beside, marks, encoding)


def passed_over(path: Path) -> int:
    """How many texts of a folder have no file of spans beside them, and so are no labelled texts."""
    return sum(not one.with_suffix(MARKS).is_file() for one in path.rglob(f"*{TEXTS}"))


def dump(annotations: Iterable[Annotation]) -> dict[str, str]:
    """A pair of files for each text, named by its number."""
    found: dict[str, str] = {}
    for number, one in enumerate(annotations, start=1):
        if one.labels:
            refuse("has a label of the whole text, which brat cannot hold", one.where, "write .jsonl")
        for mark in one.marks:
            if mark.label.split() != [mark.label]:
                what = f"has the label {mark.label!r}, and brat's have no blanks"
                refuse(what, one.where, "write doccano or label-studio")
        lines = [
            f"T{place}\t{label} {start} {end}\t{_flat(one.text[start:end])}\n"
            for place, (start, end, label) in enumerate(one.marks, start=1)
        ]
        found[f"{number:06d}{TEXTS}"] = one.text
        found[f"{number:06d}{MARKS}"] = "".join(lines)
    return found


def _document(beside: Path, marks: Path, encoding: str) -> Annotation:
    text = _whole(beside, encoding)
    found: list[Mark] = []
    lost: list[str] = []
    for number, line, _ in numbered_lines(marks, encoding=encoding):
        where = f"{marks}:{number}"
        if not line.strip() or line.startswith(NOTE):
            continue
        if not line.startswith("T"):
            if line[0] not in OTHERS:
                refuse("is no line of brat", where, "write T1<tab>LABEL START END<tab>text")
            lost.append(OTHERS[line[0]])
            continue
        found.append(_mark(line, text, where))
    return Annotation(text=text, where=str(marks), marks=tuple(found), lost=tuple(dict.fromkeys(lost)))


def _whole(path: Path, encoding: str) -> str:
    """The file as it is: brat counts the characters of line breaks too."""
    file = TextFile(path=path, encoding=encoding)
    try:
        if path.stat().st_size > MAX_BYTES:
            refuse("is larger than 1 GiB", str(path), "part it")
        return path.read_bytes().decode(file.encoding)
    except UnicodeDecodeError as error:
        refuse(f"is not {encoding} at byte {error.start + 1}", str(path), "convert it, or set task.encoding")
    except OSError as error:
        refuse(f"cannot be read ({error.strerror})", str(path), "check that it is there and may be read")


def _mark(line: str, text: str, where: str) -> Mark:
    known = re.fullmatch(r"T\S*\t(\S+) ([0-9]+) ([0-9]+)((?:;[0-9]+ [0-9]+)*)\t(.*)", line)
    if not known:
        refuse("is no span of brat", where, "write T1<tab>LABEL START END<tab>text")
    pieces = [tuple(map(int, piece.split())) for piece in f"{known[2]} {known[3]}{known[4]}".split(";")]
    for (_, end), (start, _) in itertools.pairwise(pieces):
        if text[end:start].strip():
            refuse("has a gap in its span", where, "mark its parts one by one; no tag can leave words out")
    start, end = pieces[0][0], pieces[-1][1]
    if not start < end <= len(text):
        what = f"the span {start} to {end} is not in its text of {len(text)} characters"
        refuse(what, where, "correct the offsets; they count characters from 0, line breaks too")
    there = " ".join(_flat(text[begin:stop]) for begin, stop in pieces)
    if there.split() != known[5].split():
        what = f"the span {start} to {end} is {there!r} in the text, and {known[5]!r} here"
        refuse(what, where, "the text was changed after it was labelled; correct one of them")
    return Mark(start, end, known[1])


def _flat(text: str) -> str:
    return text.replace("\r\n", "  ").replace("\n", " ").replace("\r", " ")

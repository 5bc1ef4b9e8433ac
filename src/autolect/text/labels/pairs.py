"""Pairs of texts: with a score or a label, such as paraphrases, or without, such as translations.

A table or records of two columns of text, and one more for the score or label. Without a header the texts
are the first two columns that are no numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autolect.core.errors import UserError
from autolect.text import tables
from autolect.text.labels import columns
from autolect.text.labels.formats import label_studio
from autolect.text.records import holds_records
from autolect.text.streams import refuse

FIRST_NAMES = (
    "sentence1",
    "text1",
    "text_a",
    "question1",
    "premise",
    "source",
    "src",
    "query",
    "question",
    "title",
    "first",
    "prompt",
    "s1",
    "sent1",
    "q1",
    "句子1",
    "文本1",
    "问题",
    "原文",
    "标题",
)
SECOND_NAMES = (
    "sentence2",
    "text2",
    "text_b",
    "question2",
    "hypothesis",
    "target",
    "tgt",
    "document",
    "answer",
    "paraphrase",
    "description",
    "second",
    "response",
    "s2",
    "sent2",
    "q2",
    "句子2",
    "文本2",
    "答案",
    "回答",
    "译文",
    "描述",
)
GOLD_NAMES = (
    *("score", "similarity", "label", "gold_label", "class", "is_duplicate", "similarity_score"),
    *("标签", "分数", "相似度"),
)
LANGUAGES = (
    *("en", "zh", "de", "fr", "es", "english", "chinese", "german", "french", "spanish"),
    *("中文", "英文", "中文原文", "英语", "汉语"),
)
"""Usual headers."""
TWINS = (
    *(("sentence1", "sentence2"), ("text1", "text2"), ("text_a", "text_b"), ("question1", "question2")),
    *(
        ("s1", "s2"),
        ("sent1", "sent2"),
        ("q1", "q2"),
        ("premise", "hypothesis"),
        ("句子1", "句子2"),
        ("文本1", "文本2"),
    ),
)
"""Usual headers of two texts that something is said of."""
KEYS = ("task.first_column", "task.second_column", "task.label_column")
"""Recipe keys of both texts and of what is said of them."""

_SHOWN = 80
_LARGEST = 1e15
"""Larger numbers are no scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairExample:
    """Two texts and what is said of them: a label, or a score, or nothing; where is "file:line"."""

    first: str
    second: str
    where: str
    labels: tuple[str, ...] = ()
    score: float | None = None
    slice: str = ""
    """What kind of pair it is, to tell scores apart by."""

    @property
    def text(self) -> str:
        """Both, to compare examples by."""
        return f"{self.first}\t{self.second}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPairs:
    """The examples of one file, and what a person should know of how it was read."""

    examples: tuple[PairExample, ...]
    notes: tuple[str, ...]
    columns: tuple[str, ...] = ()
    """Names of both texts' and the answers' columns, if the file has any."""
    others: tuple[str, ...] = ()
    """Names of the further columns, which are not read."""


def read_pairs(
    path: Path,
    *,
    first: str | None = None,
    second: str | None = None,
    gold: str | None = None,
    slices: str | None = None,
    answered: bool = True,
    encoding: str = "utf-8",
    keys: tuple[str, ...] = KEYS,
) -> ReadPairs:
    """Read pairs; columns by name or by number from 1, None lets them be found.

    slices: column of the kind of each pair.  answered: each pair has a score or label, which stays text in
    `labels`.  keys: what the columns are called in the recipe. Raises UserError with file and line for what
    is malformed or empty.
    """
    rows, notes = _rows(path, encoding)
    if not rows:
        refuse("has no rows", str(path), "check that this is the right file")
    header = [(cell or "").strip() for cell in rows[0].cells]
    named = holds_records(path) or _is_header(header, rows[1:], (first, second, gold, slices))
    body = rows[1:] if named else rows
    if not body:
        refuse("has a header and no rows", str(path), "check that this is the right file")
    kind = None
    if slices is not None:
        names = header if named else None
        kind = columns.place(slices, names, len(header), key=columns.SLICE_KEY, where=str(path))
    asked = (first, second, gold)[: 3 if answered else 2]
    chosen = _choose(header if named else None, body, asked, keys, aside=kind, where=str(path))
    examples = []
    for row in body:
        cells = [row.cells[at] for at in chosen]
        for at, cell in zip(chosen, cells, strict=True):
            if cell is None or not cell.strip():
                name = repr(header[at]) if named else at + 1
                refuse(f"column {name} is empty or no plain value", row.where, "fill it in")
        one, other, *rest = (cell.strip() for cell in cells if cell is not None)
        example = PairExample(first=one, second=other, where=row.where, labels=tuple(rest))
        examples.append(example if kind is None else replace(example, slice=(row.cells[kind] or "").strip()))
    shown = [repr(header[at]) if named else str(at + 1) for at in chosen]
    note = f"texts from columns {shown[0]} and {shown[1]}"
    note += f", answers from {shown[2]}" if answered else ""
    note += "" if named else f"; without a header, the first row is {' | '.join(header)[:_SHOWN]}"
    others = columns.others(header if named else None, len(header), (*chosen, kind))
    left = [f"not read: {', '.join(others)}"] if others else []
    return ReadPairs(
        examples=tuple(examples),
        notes=(note, *left, *notes),
        columns=tuple(header[at] for at in chosen) if named else (),
        others=others,
    )


def holds_pairs(header: Sequence[str]) -> bool:
    """Whether a header has the names of two texts and of what is said of them."""
    lower = {name.strip().casefold() for name in header}
    return not lower.isdisjoint(GOLD_NAMES) and any(lower.issuperset(names) for names in TWINS)


def holds_translations(header: Sequence[str]) -> bool:
    """Whether a header is the names of two languages."""
    lower = [name.strip().casefold() for name in header]
    return len(set(lower)) == len(lower) == 2 and set(lower) <= set(LANGUAGES)


def _rows(path: Path, encoding: str) -> tuple[list[tables.Row], list[str]]:
    """The rows of a table, of records or of a labelling tool's tasks, and what to tell of them."""
    if label_studio.is_mine(path, encoding=encoding):
        tasks, waiting = label_studio.answers(path, encoding=encoding)
        told = [f"{waiting} pair(s) that nobody has labelled are left out"] if waiting else []
        return list(tables.of_records(tasks, fractions=True)), told
    read = tables.read_rows(path, encoding=encoding, fractions=True)
    rows, num_quoted = tables.unquoted(list(read), path=path)
    return rows, [f"the quotes of {num_quoted} cell(s) were taken off"] if num_quoted else []


def parted(text: str) -> tuple[str, str]:
    """The two texts of a line, parted by one tab; UserError otherwise."""
    parts = text.split("\t")
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise UserError(
            f"holds {len(parts)} text(s), and two are asked for",
            where=repr(text[:40]),
            fix="part the two texts by one tab; in a shell that is $'one\\tother'",
        )
    return parts[0].strip(), parts[1].strip()


def number_of(text: str) -> float | None:
    """The number that a text is, if it is one that can be reckoned with."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None


def _is_header(header: Sequence[str], others: Sequence[tables.Row], asked: Sequence[str | None]) -> bool:
    """Whether the first row is one: a column is asked for by name, or has a usual name that no other row
    has in its place, or is all numbers but for that row.
    """
    if any(name is not None and not name.isdecimal() for name in asked):
        return True
    known = {*FIRST_NAMES, *SECOND_NAMES, *GOLD_NAMES, *LANGUAGES}
    for at, name in enumerate(header):
        cells = [(row.cells[at] or "").strip() for row in others]
        if name.casefold() in known and all(cell.casefold() != name.casefold() for cell in cells):
            return True
        if len(cells) > 1 and number_of(name) is None and all(number_of(cell) is not None for cell in cells):
            return True
    return False


def _choose(
    header: Sequence[str] | None,
    body: Sequence[tables.Row],
    asked: Sequence[str | None],
    keys: Sequence[str],
    *,
    aside: int | None,
    where: str,
) -> list[int]:
    """Positions of the two texts and, if there is one, of what is said of them."""
    width, wanted = len(body[0].cells), len(asked)
    answered, keys = wanted > 2, keys[:wanted]
    found = [
        None if name is None else columns.place(name, header, width, key=key, where=where)
        for name, key in zip(asked, keys, strict=True)
    ]
    if header is not None:
        names = ["" if at in (*found, aside) else name.casefold() for at, name in enumerate(header)]
        twins = next((both for both in TWINS if {*both} <= {*names}), None)
        if twins is not None and found[:2] == [None, None]:
            found[:2] = [names.index(name) for name in twins]
        for place, usual in enumerate((FIRST_NAMES, SECOND_NAMES, GOLD_NAMES)[:wanted]):
            if found[place] is None:
                found[place] = next((names.index(name) for name in usual if name in names), None)
    free = [at for at in range(width) if at not in found and at != aside]
    numbers = [at for at in free if _wordiness(body, at)[0] == 0]
    if answered and found[2] is None and free and len(numbers) < 2:
        gold = min(free, key=lambda at: _wordiness(body, at))
        found[2] = gold
        free.remove(gold)
    free = [at for at in free if at not in numbers]
    for place in (0, 1):
        if found[place] is None and free:
            found[place] = free.pop(0)
    if None in found or len(set(found)) < wanted:
        shown = " | ".join((cell or "")[:40] for cell in body[0].cells)
        raise UserError(
            f"{width} column(s), and {wanted} are asked for; a row is: {shown}",
            where=where,
            fix=f"set {', '.join(keys)} to names in the header, or to numbers counted from 1",
        )
    return [at for at in found if at is not None]


def _wordiness(body: Sequence[tables.Row], at: int) -> tuple[int, int]:
    """Cells of a column that are no numbers, and characters: of scores or labels there are the fewest."""
    cells = [row.cells[at] or "" for row in body]
    return sum(number_of(cell) is None for cell in cells), sum(map(len, cells))

"""Which column of a table holds the text and which the label, when nobody said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from autolect.core.errors import UserError
from autolect.text.tables import Row

TEXT_NAMES = (
    ("text", "text_a", "sentence", "content", "review", "文本", "内容", "句子", "评论"),
    (
        *("data", "tweet", "body", "message", "comment", "post", "sms", "utterance", "phrase", "description"),
        *("question", "query", "title", "正文", "问题", "标题", "描述"),
    ),
)
"""Usual headers of the text; one of the second kind counts where there is none of the first."""
LABEL_NAMES = (
    ("label", "labels", "class", "intent", "category", "sentiment", "标签", "类别"),
    (
        *("tag", "tags", "topic", "target", "rating", "stars", "polarity", "emotion", "mood"),
        *("分类", "情感", "主题", "意图"),
    ),
)
"""Usual headers of the label, likewise."""
TEXT_KEY, LABEL_KEY, SLICE_KEY = "task.text_column", "task.label_column", "task.slice_column"
"""Recipe keys that settle what cannot be told."""

_CLEAR = 10
"""So many times fewer distinct values settle which column is the label, however long its values are."""
_ENOUGH = 10
"""From so many rows on, a label must repeat; in fewer rows every label may still stand once."""
_SHOWN = 60
_HEADED = 6
"""From so many rows on, a first row whose label is the only one that never repeats may be a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Positions and names of the two columns, and the number of header rows before the examples; aside: the
    position of a column that is neither; others: names of those that are not read.
    """

    text: int
    label: int
    text_name: str
    label_name: str
    num_headers: int
    aside: int | None
    others: tuple[str, ...] = ()


def choose(
    rows: Sequence[Row],
    *,
    where: str,
    named: bool,
    text: str | None,
    label: str | None,
    aside: str | None = None,
) -> Columns:
    """The columns asked for, else those with usual names, else those that look like it.

    named: the first row is a header for sure. Otherwise it is one when it has a name asked for, or a
    usual name that no other row has in its place. Without a header there must be two columns, and the
    label is the one with fewer distinct and shorter values. aside: one that is neither of them. Raises
    UserError when this is not clear, or when the first row may be a header of names that are not usual.
    """
    if not rows:
        raise UserError("has no rows", where=where, fix="check that this is the right file")
    chooser = _Chooser(rows, where, text=text, label=label, aside=aside)
    chosen = chooser.by_name() if named or chooser.has_header() else chooser.by_content()
    if len(rows) == chosen.num_headers:
        raise UserError("has a header and no rows", where=where, fix="check that this is the right file")
    return chosen


def usual(header: Sequence[str], names: Sequence[Sequence[str]]) -> list[str]:
    """Those of a header that are usual names, of the first kind that has any."""
    for some in names:
        found = [name for name in header if name.strip().casefold() in some]
        if found:
            return found
    return []


def place(name: str, header: Sequence[str] | None, width: int, *, key: str, where: str) -> int:
    """Where a column stands that is named as in the header, or by its number from 1; UserError if nowhere."""
    if header is not None and list(header).count(name) == 1:
        return list(header).index(name)
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    raise UserError(f"there is no column {name!r}", where=where, fix=f"set {key} to one that there is")


def others(header: Sequence[str] | None, width: int, read: Sequence[int | None]) -> tuple[str, ...]:
    """What to call the columns that are not read."""
    names = [""] * width if header is None else header
    return tuple(name or f"column {at + 1}" for at, name in enumerate(names) if at not in read)


class AmbiguousError(UserError):
    """Columns that cannot be told apart."""


class PerhapsHeaderError(UserError):
    """The first row may be a header; name: the texts' column if it is one; column: its number from 1."""

    name: str
    column: str


class _Chooser:
    def __init__(
        self, rows: Sequence[Row], where: str, *, text: str | None, label: str | None, aside: str | None
    ) -> None:
        self._rows, self._where = rows, where
        self._first = [(cell or "").strip() for cell in rows[0].cells]
        self._lower = [name.casefold() for name in self._first]
        self._text, self._label, self._aside = text, label, aside
        self._set_aside: int | None = None

    def has_header(self) -> bool:
        asked = [name for name in (self._text, self._label, self._aside) if name is not None]
        # A number says nothing: without a header it is a position, and a first label may look like it.
        if any(not name.isdecimal() for name in asked):
            return True
        known = {name for names in (*TEXT_NAMES, *LABEL_NAMES) for name in names}
        return any(
            name in known and all((row.cells[at] or "").strip().casefold() != name for row in self._rows[1:])
            for at, name in enumerate(self._lower)
        )

    def by_name(self) -> Columns:
        self._set_aside = self._named(self._aside, (), SLICE_KEY)
        label = self._named(self._label, LABEL_NAMES, LABEL_KEY)
        text = self._named(self._text, TEXT_NAMES, TEXT_KEY)
        text = self._other(label) if text is None else text
        label = self._other(text) if label is None else label
        if text is None or label is None or text == label:
            missing = TEXT_KEY if text is None or text == label else LABEL_KEY
            self._ambiguous("the header does not tell text from label", missing)
        return Columns(
            text=text,
            label=label,
            text_name=self._first[text],
            label_name=self._first[label],
            num_headers=1,
            aside=self._set_aside,
            others=others(self._first, len(self._first), (text, label, self._set_aside)),
        )

    def by_content(self) -> Columns:
        self._set_aside = self._position(self._aside, SLICE_KEY)
        text, label = self._position(self._text, TEXT_KEY), self._position(self._label, LABEL_KEY)
        text = self._other(label) if text is None else text
        label = self._other(text) if label is None else label
        if label is None:
            label = self._looks_like_label()
            text = self._other(label)
        if text is None or text == label:
            self._ambiguous("text and label cannot be told apart", TEXT_KEY)
        if self._text is None and self._label is None:
            self._no_header(text, label)
        return Columns(
            text=text,
            label=label,
            text_name=str(text + 1),
            label_name=str(label + 1),
            num_headers=0,
            aside=self._set_aside,
            others=others(None, len(self._first), (text, label, self._set_aside)),
        )

    def _no_header(self, text: int, label: int) -> None:
        """UserError where the first row has the only label that never repeats, as a header would."""
        counts = Counter((row.cells[label] or "").strip() for row in self._rows)
        once = [name for name, count in counts.items() if count == 1]
        if len(self._rows) >= _HEADED and once == [self._first[label]]:
            shown = ", ".join(repr(short(cell)) for cell in self._first)
            name = self._first[text]
            fix = f"set {TEXT_KEY} = '{text + 1}' if it is none; if it is one, "
            fix += "call its columns otherwise" if name.isdecimal() else f"set {TEXT_KEY} = {name[:_SHOWN]!r}"
            error = PerhapsHeaderError(
                f"{once[0]!r} is the only label that stands once, so the first row may be a header: {shown}",
                where=self._where,
                fix=fix,
            )
            error.name, error.column = name, str(text + 1)
            raise error

    def _named(self, wanted: str | None, names: Sequence[Sequence[str]], key: str) -> int | None:
        if wanted is not None:
            if wanted not in self._first and wanted.isdecimal():
                return self._position(wanted, key)
            if self._first.count(wanted) != 1:
                what = "stands twice" if wanted in self._first else "is missing"
                self._refuse(f"the column {wanted!r} {what} in the header", key)
            return self._first.index(wanted)
        left = [name for at, name in enumerate(self._first) if at != self._set_aside]
        found = usual(left, names)
        if len(found) > 1:
            self._ambiguous(f"{' and '.join(map(repr, found))} both fit", key)
        return self._first.index(found[0]) if found else None

    def _position(self, wanted: str | None, key: str) -> int | None:
        if wanted is None:
            return None
        if not wanted.isdecimal() or not 1 <= int(wanted) <= len(self._first):
            self._refuse(f"there is no column {wanted!r} among {len(self._first)}", key)
        return int(wanted) - 1

    def _other(self, known: int | None) -> int | None:
        """The one column that is left; None when there is not exactly one."""
        left = [at for at in range(len(self._first)) if at not in (known, self._set_aside)]
        return left[0] if known is not None and len(left) == 1 else None

    def _looks_like_label(self) -> int:
        if len(self._first) != 2:
            self._ambiguous(f"{len(self._first)} columns and no header", TEXT_KEY)
        values = [[(row.cells[at] or "").strip() for row in self._rows] for at in (0, 1)]
        distinct = [len(set(column)) for column in values]
        lengths = [sum(map(len, column)) for column in values]
        fewer = min((0, 1), key=lambda at: distinct[at])
        many = distinct[1 - fewer]
        clear = distinct[fewer] * _CLEAR <= many
        shorter = distinct[fewer] < many and lengths[fewer] < lengths[1 - fewer]
        repeats = len(self._rows) < _ENOUGH or distinct[fewer] * 2 <= len(self._rows)
        if not repeats or not (clear or shorter):
            self._ambiguous(
                f"the columns have {distinct[0]} and {distinct[1]} different values, so it is not clear "
                "which one is the label",
                LABEL_KEY,
            )
        return fewer

    def _ambiguous(self, what: str, key: str) -> NoReturn:
        shown = " | ".join(short(cell) for cell in self._first)
        fix = f"set {key}, or check that the columns are parted by tabs (.tsv) or commas (.csv)"
        if len(self._first) > 1:
            fix = f"set {TEXT_KEY} and {LABEL_KEY} to names in the header, or to numbers counted from 1"
            fix += '; pairs of texts and translations need task.kind = "pair" or "translate"'
        raise AmbiguousError(f"{what}; the first row is: {shown}", where=self._where, fix=fix)

    def _refuse(self, what: str, key: str) -> NoReturn:
        shown = ", ".join(repr(short(cell)) for cell in self._first)
        raise UserError(what, where=self._where, fix=f"set {key}; the first row is: {shown}")


def short(cell: str) -> str:
    """What is shown of a cell in a line."""
    cell = re.sub(r"\s+", " ", cell)
    return cell if len(cell) <= _SHOWN else cell[: _SHOWN - 1] + "…"

"""What a report says, without how it looks: plain records that `page.render` sets.

Texts are taken as they are, hostile ones too; escaping and `visible` happen when they are set.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

Align = Literal["left", "right", "center"]
TaggedSpan = tuple[int, int, str]
"""(start, end, label): text[start:end] in code points."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A grid of (key, value)."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns. One row may be picked out, the model's own as a rule.

    ``align`` has one entry a column; empty: columns of numbers to the right, the rest to the left.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    align: tuple[Align, ...] = ()
    highlight_row: int | None = None

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), "a row misses cells"
        assert len(self.align) in (0, len(self.columns)), "align has one entry a column"
        assert self.highlight_row is None or 0 <= self.highlight_row < len(self.rows)

    @property
    def alignment(self) -> tuple[Align, ...]:
        """One entry a column, guessed where ``align`` is empty."""
        if self.align:
            return self.align
        return tuple(_alignment([row[i] for row in self.rows]) for i in range(len(self.columns)))


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of `plots`. ``alt`` says in words what it shows, for those who do not see it.

    The SVG goes into the page as it is, so only what a plot needs is accepted.
    """

    svg: str
    caption: str
    alt: str

    def __post_init__(self) -> None:
        for element in ElementTree.fromstring(self.svg).iter():
            tag = element.tag.rpartition("}")[2]
            assert tag in _DRAWN, f"<{tag}> has no place in a plot"
            for name, value in element.attrib.items():
                local = name.rpartition("}")[2].lower()
                assert not local.startswith("on"), f"{name} would run a script"
                assert local != "href" or value.startswith("#"), f"{value!r} lies outside"
                assert not _OUTSIDE.search(value), f"{value!r} lies outside"


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text; a blank line starts a paragraph."""

    text: str

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs that hold something."""
        return [part.strip() for part in re.split(r"\n\s*\n", self.text) if part.strip()]


@dataclass(frozen=True, slots=True)
class Note:
    """A remark that must not be overlooked: good news, a plain fact, or a warning."""

    text: str
    level: Literal["good", "plain", "warn"] = "plain"


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Texts beside what the model made of them, as (original, reconstruction); differences are marked."""

    rows: tuple[tuple[str, str], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A tagged text. With ``gold`` both are shown, and what only one of them has stands out."""

    text: str
    spans: tuple[TaggedSpan, ...]
    caption: str = ""
    gold: tuple[TaggedSpan, ...] | None = None

    def __post_init__(self) -> None:
        for start, end, label in (*self.spans, *(self.gold or ())):
            assert 0 <= start < end <= len(self.text), f"{label} {start}:{end} lies outside the text"


@dataclass(frozen=True, slots=True)
class Command:
    """Shell lines that a reader may copy."""

    text: str


Block = Facts | Table | Figure | Prose | Note | TextPairs | Marked | Command


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the report: its title, what it says in a sentence or two, and the evidence."""

    title: str
    lead: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Headline:
    """One big figure at the top, such as ("Accuracy on test", "0.913", "95 % interval 0.89-0.93")."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text with one look. ``label`` is empty where nothing is tagged."""

    text: str
    label: str = ""
    differs: bool = False


def visible(text: str) -> str:
    """Show what would act instead of appear: control characters, bidi overrides, zero-width signs.

    Line feeds, tabs and the joiners that scripts and emoji need stay. The result can be encoded as
    UTF-8 and stands in XML 1.0, lone surrogates included.
    """
    return _ACTING.sub(_shown, text)


def width_in_columns(text: str) -> float:
    """How wide a text stands, in units of its font size: 1 for a Chinese character, about half else."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return wide + 0.55 * (len(text) - wide)


def differences(original: str, reconstruction: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Cut both texts into pieces that agree and pieces that differ.

    Words are compared where words have spaces, single characters elsewhere. Texts of more than 800
    units are shown unmarked, because the comparison takes quadratic time.
    """
    left, right = _UNITS.findall(original), _UNITS.findall(reconstruction)
    if max(len(left), len(right)) > _MOST_UNITS:
        return (Piece(original),), (Piece(reconstruction),)
    before: list[Piece] = []
    after: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for what, i, j, k, m in matcher.get_opcodes():
        differs = what != "equal"
        before += [Piece("".join(left[i:j]), differs=differs)] if j > i else []
        after += [Piece("".join(right[k:m]), differs=differs)] if m > k else []
    return tuple(before), tuple(after)


def layers(
    text: str, spans: tuple[TaggedSpan, ...], *, known: tuple[TaggedSpan, ...] | None = None
) -> tuple[tuple[Piece, ...], ...]:
    """Cut a text at its spans, once for every depth of overlap, so that no span hides another.

    A span that ``known`` lacks differs; without ``known`` none does.
    """
    rows: list[list[TaggedSpan]] = [[]]
    for span in sorted(spans, key=lambda span: (span[0], -span[1], span[2])):
        free = next((row for row in rows if not row or row[-1][1] <= span[0]), None)
        if free is None:
            rows.append(free := [])
        free.append(span)
    return tuple(_cut(text, row, known) for row in rows)


def _cut(text: str, row: list[TaggedSpan], known: tuple[TaggedSpan, ...] | None) -> tuple[Piece, ...]:
    pieces, place = [], 0
    for span in row:
        start, end, label = span
        differs = known is not None and span not in known
        pieces += [Piece(text[place:start]), Piece(text[start:end], label or "?", differs)]
        place = end
    return tuple(piece for piece in (*pieces, Piece(text[place:])) if piece.text)


def _alignment(cells: list[str]) -> Align:
    filled = [cell for cell in cells if cell.strip() not in _EMPTY]
    return "right" if filled and all(_NUMBER.match(cell) for cell in filled) else "left"


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    name = _CONTROLS[code] if code < len(_CONTROLS) else _SHORT.get(code, f"U+{code:04X}")
    return f"\u27e8{name}\u27e9"


_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_SHORT = {0x200E: "LRM", 0x200F: "RLM", 0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO"}
_SHORT |= {0x202E: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xAD: "SHY"}
_SHORT |= {0x200B: "ZWSP", 0xFEFF: "BOM", 0x7F: "DEL"}
_NAMES = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI "
    "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
)
_CONTROLS = tuple(_NAMES.split())
_MOST_UNITS = 800
_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNITS = re.compile(rf"[{_WIDE}]|[^\W{_WIDE}]+|\s+|.", re.DOTALL)
_NUMBER = re.compile(r"[+\-\u2212\u00b1<>≈~]?\s?\.?\d")
_EMPTY = ("", "-", "\u2013", "\u2014")
_DRAWN = {"svg", "g", "path", "text", "title", "defs", "use", "clipPath", "rect", "line", "circle"}
_OUTSIDE = re.compile(r"url\(\s*['\"]?(?!#)|^\s*(?:javascript|data):", re.IGNORECASE)

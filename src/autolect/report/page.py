"""Sets a report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.report.blocks import (
    Block,
    Chapter,
    Headline,
    Marked,
    Piece,
    TextPairs,
    differences,
    layers,
    visible,
)

_HUES = 8
"""Colours that the style sheet has for labels; more labels take them in turn."""


def render(title: str, *, subtitle: str, headline: tuple[Headline, ...], chapters: Sequence[Chapter]) -> str:
    """The whole file as text, to be saved as UTF-8. The same content gives the same bytes.

    A page has a contents list beside the text where there is room, suits light and dark screens, and
    prints. Nothing in it is taken as HTML except the pictures, which `Figure` has checked.
    """
    return str(
        _environment()
        .get_template("template.html.j2")
        .render(
            title=title,
            subtitle=subtitle,
            headline=headline,
            chapters=chapters,
            hues=_hues(chapters),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One row of `TextPairs`, cut where its sides differ."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A tagged text with one depth of its spans; ``name`` says whose they are."""

    name: str
    pieces: tuple[Piece, ...]


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else visible(str(value))

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"kind": _kind, "pairs": _pairs, "lines": _lines, "shell": _shell}
    environment.filters |= {"drawing": lambda svg: Markup(svg)}
    return environment


def _kind(block: Block) -> str:
    return type(block).__name__


def _pairs(block: TextPairs) -> list[_Pair]:
    rows = []
    for original, reconstruction in block.rows:
        before, after = differences(original, reconstruction)
        rows.append(_Pair(before=before, after=after, same=original == reconstruction))
    return rows


def _lines(block: Marked) -> list[_Line]:
    if block.gold is None:
        return [_Line(name="", pieces=row) for row in layers(block.text, block.spans)]
    gold = layers(block.text, block.gold, known=block.spans)
    found = layers(block.text, block.spans, known=block.gold)
    return [_Line(name="gold", pieces=row) for row in gold] + [
        _Line(name="predicted", pieces=row) for row in found
    ]


def _shell(text: str) -> list[tuple[bool, str]]:
    """(starts a command, line): a line after a backslash goes on with the one before."""
    lines = text.strip("\n").split("\n")
    return [(i == 0 or not lines[i - 1].endswith("\\"), line) for i, line in enumerate(lines)]


def _hues(chapters: Sequence[Chapter]) -> Mapping[str, int]:
    """One colour a label, the same in the whole page."""
    blocks = [block for chapter in chapters for block in chapter.blocks if isinstance(block, Marked)]
    labels = {label or "?" for block in blocks for _, _, label in (*block.spans, *(block.gold or ()))}
    return {label: i % _HUES for i, label in enumerate(sorted(labels))}

"""What a plot is drawn on: a matplotlib figure that becomes SVG which belongs to the page around it.

Colours are stand-ins that turn into the page's CSS variables, so one drawing suits light and dark.
Texts are stand-ins too: matplotlib neither needs a font with their characters nor reads ``$`` as
mathematics, and the browser picks the font.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from autolect.report.blocks import visible, width_in_columns

WIDTH = 720
"""Units across every plot; the page scales it."""
FONT = 12.5
SMALL = 11.0

INK, MUTED, RULE, FAINT = "#010101", "#010102", "#010103", "#010104"
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116")
ACCENT, SECOND = SERIES[0], SERIES[1]

_VARIABLES = {
    INK: "var(--ink, currentColor)",
    MUTED: "var(--muted, #7b828c)",
    RULE: "var(--rule, #8d949e59)",
    FAINT: "var(--faint, #9aa1aa80)",
    SERIES[0]: "var(--accent, #3b82c4)",
    SERIES[1]: "var(--series-2, #d0733a)",
    SERIES[2]: "var(--series-3, #4c9a63)",
    SERIES[3]: "var(--series-4, #9a6fc4)",
    SERIES[4]: "var(--series-5, #b08d2f)",
    SERIES[5]: "var(--series-6, #3d9aa6)",
}
FAMILY = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, "
    "'PingFang SC', 'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', 'Microsoft YaHei', sans-serif"
)
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "autolect",
    "font.size": FONT,
    "axes.linewidth": 0.8,
}
_ROOM = "http://www.w3.org/2000/svg"
_STAND_IN = re.compile(r"Z(\d+)Z")
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_COLOUR = re.compile(r"#0101[0-9a-f]{2}")
LONGEST = 17.0
"""Font sizes that a label may take before it is cut; the whole of it stays as its tooltip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    shown: str
    full: str


class Sheet:
    """A drawing of `WIDTH` by ``height`` units; y counts down from the top, as in SVG."""

    def __init__(self, *, height: float) -> None:
        from matplotlib.figure import Figure

        self.height = height
        self.figure: Any = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        self._texts: list[_Text] = []

    def axes(self, *, left: float, top: float, right: float, bottom: float) -> Any:
        """Quiet axes inside the given margins: no frame, muted ticks."""
        wide, high = WIDTH - left - right, self.height - top - bottom
        box = (left / WIDTH, bottom / self.height, wide / WIDTH, high / self.height)
        axes = self.figure.add_axes(box)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED, pad=6)
        axes.set_axisbelow(True)
        return axes

    def token(self, text: str, *, most: float = LONGEST) -> str:
        """Stand-in for a text that matplotlib is to place; cut where it exceeds ``most`` font sizes."""
        self._texts.append(_Text(shown=shorten(text, most=most), full=visible(text)))
        return f"Z{len(self._texts) - 1}Z"

    def write(
        self,
        text: str,
        *,
        x: float,
        y: float,
        color: str = MUTED,
        anchor: Literal["left", "center", "right"] = "left",
        size: float = SMALL,
        weight: Literal["normal", "bold"] = "normal",
        most: float = 200.0,
    ) -> None:
        """Set one line with its baseline at (x, y)."""
        from matplotlib.transforms import IdentityTransform

        self.figure.text(
            x,
            self.height - y,
            self.token(text, most=most),
            transform=IdentityTransform(),
            color=color,
            ha=anchor,
            va="baseline",
            fontsize=size,
            fontweight=weight,
        )

    def legend(self, entries: list[tuple[str, str]], *, left: float, y: float) -> None:
        """Name colours in a row, as (text, colour); what does not fit is left out with an ellipsis."""
        x = left
        for text, color in entries:
            room = min(width_in_columns(text), LONGEST) * SMALL
            if x + room + 18 > WIDTH:
                self.write("\u2026", x=x, y=y)
                return
            self.figure.add_artist(_swatch(x, self.height - y + 3.5, color))
            self.write(text, x=x + 17, y=y, color=INK, most=LONGEST)
            x += room + 38

    def svg(self) -> str:
        """The drawing as one ``<svg>`` element without size, links, styles or foreign names."""
        stream = io.BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self.figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
        root = ElementTree.fromstring(stream.getvalue())
        root[:] = [child for child in root if child.find(f"{{{_ROOM}}}style") is None]
        used = set(re.findall(r"#([mp][0-9a-f]{10})", stream.getvalue().decode()))
        prefix = hashlib.sha256(stream.getvalue() + repr(self._texts).encode()).hexdigest()[:8]
        for element in list(root.iter()):
            self._mend(element, used, prefix)
        root.attrib.clear()
        root.attrib |= {"xmlns": _ROOM, "viewBox": f"0 0 {WIDTH} {self.height:g}"}
        root.attrib |= {"style": f"font-family: {FAMILY}", "stroke-linejoin": "round"}
        return ElementTree.tostring(root, encoding="unicode")

    def _mend(self, element: ElementTree.Element, used: set[str], prefix: str) -> None:
        element.tag = element.tag.rpartition("}")[2]
        element.tail = None
        if element.tag == "text":
            self._fill(element)
        else:
            element.text = None
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            local = name.rpartition("}")[2]
            if local == "id" and value not in used:
                continue
            if local == "transform" and value.startswith("rotate(-0 "):
                continue
            element.attrib[local] = _mended(local, value, prefix)

    def _fill(self, element: ElementTree.Element) -> None:
        match = _STAND_IN.fullmatch(element.text or "")
        if match is None:
            return
        text = self._texts[int(match[1])]
        element.text = text.shown
        if text.full != text.shown:
            ElementTree.SubElement(element, "title").text = text.full


@contextlib.contextmanager
def drawing(*, height: float) -> Iterator[Sheet]:
    """A fresh sheet under settings that no file of the user's changes; they end with the block."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield Sheet(height=height)


def shorten(text: str, *, most: float = LONGEST) -> str:
    """A text on one line, its end replaced by an ellipsis where it exceeds ``most`` font sizes."""
    text = visible(" ".join(text.split()))
    if width_in_columns(text) <= most:
        return text
    keep = len(text)
    while keep > 1 and width_in_columns(text[:keep]) > most - 1:
        keep -= 1
    return f"{text[:keep].rstrip()}\u2026"


def _mended(name: str, value: str, prefix: str) -> str:
    """An attribute with the page's colours and fonts, and identifiers that no other plot has."""
    if name == "style":
        value = _FONT_FAMILY.sub("", value)
        value = _COLOUR.sub(lambda match: _VARIABLES[match[0]], value)
        return value.replace("url(#", f"url(#{prefix}")
    if name == "id":
        return f"{prefix}{value}"
    return value.replace("#", f"#{prefix}") if name in ("href", "clip-path") else value


def _swatch(x: float, y: float, color: str) -> Any:
    from matplotlib.patches import Rectangle
    from matplotlib.transforms import IdentityTransform

    patch = Rectangle((x, y - 1.25), 12, 2.5, facecolor=color, edgecolor="none")
    patch.set_transform(IdentityTransform())
    return patch

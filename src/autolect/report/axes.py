"""How the axes of a plot look: ticks, names, marks and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

from autolect.report.sheet import INK, MUTED, RULE, SMALL, WIDTH, Sheet

RIGHT = 18
"""Room that a plot leaves at its right edge: half of its last number."""


def quiet(axes: Any, *, grid: Literal["x", "y"] = "y") -> None:
    """A faint grid across one direction, short numbers, a line at the bottom, nothing else."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axes.grid(axis=grid, color=RULE, linewidth=0.8)
    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        few = math.log10(high / low) < 3
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis,) if grid == "x" else (axes.xaxis, axes.yaxis):
        digits = _digits(axis.get_majorticklocs())
        write = partial(number, decimals=None if axis.get_scale() == "log" else digits)
        axis.set_major_formatter(FuncFormatter(lambda value, _, write=write: write(value)))
    axes.spines["bottom"].set_visible(grid == "y")
    axes.spines["bottom"].set_color(MUTED)


def name(sheet: Sheet, *, x: str, y: str) -> None:
    """Name y above its numbers and x below its end, both to be read without turning the head."""
    sheet.write(y, x=0, y=20, most=34)
    sheet.write(x, x=WIDTH - RIGHT, y=sheet.height - 8, anchor="right", most=50)


def mark(axes: Any, *, sheet: Sheet, at: float, text: str) -> None:
    """A hairline at a place on x with its text above, turned inwards near the right edge."""
    low, high = axes.get_xlim()
    if not low <= at <= high:
        axes.update_datalim([(at, axes.dataLim.y0)])
        axes.autoscale_view(scaley=False)
    axes.axvline(at, color=INK, linewidth=0.9, dashes=(3, 3))
    late = axes.transAxes.inverted().transform(axes.transData.transform((at, 0)))[0] > 0.6
    axes.annotate(
        sheet.token(text),
        (at, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-5 if late else 5, -2),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top",
        fontsize=SMALL,
        color=INK,
    )


def number(value: float, *, decimals: int | None = None) -> str:
    """A number as short as it stays readable: 0.913, 12.4, 1,280, 35k, 2.1M, 3e-05.

    With ``decimals`` it has so many where it would have any, so that a column of numbers lines up.
    """
    size = abs(value)
    if size >= 1e13 or 0 < size < 1e-4:
        text = f"{value:.2g}"
        return f"\u2212{text[1:]}" if value < 0 else text
    for least, unit, letter in _UNITS:
        if size >= least:
            return f"{value / unit:.4g}{letter}".replace("-", "\u2212")
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    else:
        text = f"{value:,.0f}" if size >= 1000 or value == int(value) else f"{value:.3g}"
    return text.replace("-", "\u2212")


def decimals(values: Iterable[float]) -> int:
    """How many decimals a column of numbers needs, so that each keeps what `number` shows of it."""
    texts = [number(value) for value in values]
    return max((len(text.partition(".")[2]) for text in texts if text[-1].isdigit()), default=0)


def whole(axes: Any, values: Iterable[float]) -> None:
    """Put ticks on whole numbers of x where there is nothing between them; widen a single place."""
    known = set(values)
    if all(float(value).is_integer() for value in known):
        if len(known) == 1:
            place = known.pop()
            low, high = axes.get_xlim()
            axes.set_xlim(min(low, place - 0.9), max(high, place + 0.9))
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.4 s, 48 s, 3 min 12 s, 2 h 5 min."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


_UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))


def _digits(ticks: Iterable[float]) -> int:
    """Decimals that tell ticks apart: the fewest that lose nothing of them."""
    places = list(ticks)
    exact = (d for d in range(9) if all(abs(round(v, d) - v) <= 1e-3 * 10**-d for v in places))
    return next(exact, 9)

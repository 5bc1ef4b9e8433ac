"""The plots of a report, each one an SVG text: same input, same bytes. Only finite values are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autolect.report.axes import RIGHT, decimals, duration, mark, name, number, quiet, whole
from autolect.report.blocks import width_in_columns
from autolect.report.sheet import (
    ACCENT,
    FAINT,
    FONT,
    INK,
    MUTED,
    SECOND,
    SERIES,
    SMALL,
    WIDTH,
    Sheet,
    drawing,
    shorten,
)

Curve = tuple[Sequence[float], Sequence[float]]
"""(steps, values), equally long."""

MOST_LABELS = 20
"""Labels that a confusion matrix can show legibly."""
MOST_NAMED = 12
"""Groups that a map names."""
_MOST_POINTS = 800
_FEW_POINTS = 30
_ROW = 27.0


def learning_curve(
    series: Mapping[str, Curve],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Values over steps, one line a series. ``marks`` are (step, text) with a hairline each.

    Long series are thinned in a way that keeps every peak.
    """
    curves = {key: _drawable(curve, log_x=log_x) for key, curve in series.items()}
    curves = {key: points for key, points in curves.items() if points}
    if not curves:
        return _nothing()
    with drawing(height=330) as sheet:
        axes = sheet.axes(left=46, top=60 if len(curves) > 1 else 40, right=RIGHT, bottom=46)
        if log_x:
            axes.set_xscale("log")
        for i, points in enumerate(curves.values()):
            _line(axes, points, color=SERIES[i % len(SERIES)], dashed=i >= len(SERIES))
        for step, text in marks:
            if math.isfinite(step) and (step > 0 or not log_x):
                mark(axes, sheet=sheet, at=step, text=text)
        if not log_x:
            whole(axes, [step for points in curves.values() for step, _ in points])
        quiet(axes)
        name(sheet, x=x, y=y)
        if len(curves) > 1:
            entries = [(key, SERIES[i % len(SERIES)]) for i, key in enumerate(curves)]
            sheet.legend(entries, left=46, y=42)
        return sheet.svg()


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]] | None = None,
    *,
    highlight: int,
    x: str,
) -> str:
    """Horizontal bars, one a label, the highlighted one in colour. An interval is (low, high)."""
    assert len(labels) == len(values)
    assert intervals is None or len(intervals) == len(values)
    rows = [i for i, value in enumerate(values) if math.isfinite(value)]
    if not rows:
        return _nothing()
    ranges = [_range(intervals[i], values[i]) for i in rows] if intervals else None
    digits = decimals([values[i] for i in rows] + [end for pair in ranges or () for end in pair])
    texts = [number(values[i], decimals=digits) for i in rows]
    for i, (low, high) in enumerate(ranges or ()):
        texts[i] += f"  ({number(low, decimals=digits)}\u2013{number(high, decimals=digits)})"
    colors = [ACCENT if i == highlight else FAINT for i in rows]
    return _horizontal(
        [labels[i] for i in rows], [values[i] for i in rows], texts=texts, colors=colors, ranges=ranges, x=x
    )


def stages(names: Sequence[str], seconds: Sequence[float]) -> str:
    """Where the time went: one bar a stage, with its time and share."""
    assert len(names) == len(seconds)
    rows = [i for i, value in enumerate(seconds) if math.isfinite(value) and value >= 0]
    total = sum(seconds[i] for i in rows)
    if not rows:
        return _nothing()
    texts = [f"{duration(seconds[i])}  ·  {seconds[i] / (total or 1):.0%}" for i in rows]
    return _horizontal(
        [names[i] for i in rows],
        [seconds[i] for i in rows],
        texts=texts,
        colors=[ACCENT] * len(rows),
        ranges=None,
        x="",
    )


def confusion(matrix: Sequence[Sequence[float]], labels: Sequence[str]) -> str:
    """Counts by true label (rows) and predicted label (columns); a cell's tint is its share of the row.

    Above `MOST_LABELS` labels only those that are most often confused are shown, and the plot says so.
    """
    assert len(matrix) == len(labels)
    assert all(len(row) == len(labels) for row in matrix)
    if not labels:
        return _nothing()
    shown = _most_confused(matrix)
    names = [labels[i] for i in shown]
    longest = max(width_in_columns(shorten(text, most=12)) for text in names) * SMALL
    left = longest + 18
    slanted = longest > 52 or (WIDTH - left) / len(shown) < longest + 8
    cell = min(58.0, (WIDTH - left - (longest * 0.72 if slanted else RIGHT)) / len(shown))
    head = 46 + (longest * 0.72 if slanted else 8)
    foot = 34 if len(shown) < len(labels) else 12
    with drawing(height=round(head + cell * len(shown) + foot)) as sheet:
        right = WIDTH - left - cell * len(shown)
        axes = sheet.axes(left=left, top=head, right=right, bottom=foot)
        _cells(sheet, axes, [[matrix[i][j] for j in shown] for i in shown], [sum(matrix[i]) for i in shown])
        axes.set_yticks(range(len(shown)), [sheet.token(text, most=12) for text in names])
        axes.set_xticks(range(len(shown)), [sheet.token(text, most=12) for text in names])
        axes.xaxis.tick_top()
        axes.tick_params(labelcolor=INK, length=0)
        if slanted:
            _slant(axes)
        sheet.write("predicted \u2192", x=max(left, 52), y=20)
        sheet.write("true \u2193", x=0, y=20)
        if len(shown) < len(labels):
            text = f"{len(shown)} of {len(labels)} labels: those confused most often"
            sheet.write(text, x=left, y=sheet.height - 8)
        return sheet.svg()


def search(trials: Sequence[tuple[int, float, str]]) -> str:
    """Score of every trial as (number, score, state), higher being better, and the best so far.

    States are Optuna's: "complete", "pruned", "fail". A trial without a finite score is left out.
    """
    found = sorted(trial for trial in trials if math.isfinite(trial[1]))
    if not found:
        return _nothing()
    done = [(number, score) for number, score, state in found if state.lower() == "complete"]
    rest = [(number, score) for number, score, state in found if state.lower() != "complete"]
    with drawing(height=300) as sheet:
        axes = sheet.axes(left=46, top=60, right=RIGHT, bottom=46)
        if done:
            best, top = [], -math.inf
            for number, score in done:
                top = max(top, score)
                best.append((number, top))
            end = (max(found[-1][0], done[-1][0]), top)
            axes.plot(*zip(*best, end, strict=True), color=ACCENT, drawstyle="steps-post", linewidth=1.6)
            axes.plot(*zip(*done, strict=True), "o", color=ACCENT, markersize=6.5, markeredgewidth=0)
        if rest:
            axes.plot(*zip(*rest, strict=True), "x", color=SECOND, markersize=6, markeredgewidth=1.5)
        axes.margins(x=0.03, y=0.12)
        whole(axes, [number for number, _, _ in found])
        quiet(axes)
        name(sheet, x="trial", y="score on valid")
        entries = [("complete, and the best so far", ACCENT)] if done else []
        sheet.legend(entries + ([("pruned or failed", SECOND)] if rest else []), left=46, y=42)
        return sheet.svg()


def histogram(values: Sequence[float], *, x: str) -> str:
    """How often which size occurs, with the median. The longest 1 % is counted, not drawn, if far off."""
    import numpy as np

    finite = np.sort(np.asarray([value for value in values if math.isfinite(value)], dtype=float))
    if not finite.size:
        return _nothing()
    limit = float(np.quantile(finite, 0.99))
    far = finite[-1] > 2 * limit > 0
    drawn = finite[finite <= limit] if far else finite
    counts, edges = np.histogram(drawn, bins=_edges(float(drawn[0]), float(drawn[-1])))
    with drawing(height=270) as sheet:
        axes = sheet.axes(left=46, top=52, right=RIGHT, bottom=46)
        widths = np.diff(edges)
        axes.bar(edges[:-1] + widths / 2, counts, width=widths * 0.9, color=ACCENT, linewidth=0)
        axes.set_xlim(edges[0], edges[-1])
        whole(axes, drawn.tolist())
        axes.yaxis.get_major_locator().set_params(integer=True)
        median = float(np.median(finite))
        mark(axes, sheet=sheet, at=median, text=f"median {number(median)}")
        quiet(axes)
        name(sheet, x=x, y="count")
        if far:
            text = f"{finite.size - drawn.size:,} longer, up to {number(float(finite[-1]))} \u2192"
            sheet.write(text, x=WIDTH - RIGHT, y=20, anchor="right")
        return sheet.svg()


def points(pairs: Sequence[tuple[float, float]], *, x: str, y: str) -> str:
    """A dot for each (x, y), and the line on which they are equal. Of very many, some spread evenly."""
    finite = [(float(a), float(b)) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    if not finite:
        return _nothing()
    shown = finite[:: math.ceil(len(finite) / _MOST_POINTS)]
    with drawing(height=330) as sheet:
        axes = sheet.axes(left=46, top=40, right=RIGHT, bottom=46)
        low, high = min(map(min, shown)), max(map(max, shown))
        axes.plot((low, high), (low, high), color=MUTED, linewidth=1.0)
        size, alpha = (3.2, 0.5) if len(shown) > _FEW_POINTS else (8.0, 0.8)
        axes.plot(
            *zip(*shown, strict=True), "o", color=ACCENT, markersize=size, markeredgewidth=0, alpha=alpha
        )
        axes.margins(x=0.03, y=0.05)
        quiet(axes)
        name(sheet, x=x, y=y)
        return sheet.svg()


def landscape(places: Sequence[Sequence[float]], groups: Sequence[int], names: Mapping[int, str]) -> str:
    """A dot for each (x, y) in the colour of its group; the largest groups are named at their middles.

    Groups below 0 belong to none and are grey.
    """
    if not places:
        return _nothing()
    with drawing(height=520) as sheet:
        axes = sheet.axes(left=8, top=8, right=8, bottom=8)
        for group in sorted(set(groups)):
            some = [place for place, one in zip(places, groups, strict=True) if one == group]
            color = FAINT if group < 0 else SERIES[group % len(SERIES)]
            axes.plot(
                *zip(*some, strict=True), "o", color=color, markersize=2.6, markeredgewidth=0, alpha=0.7
            )
        for group in sorted(set(groups) & set(names))[:MOST_NAMED]:
            some = [place for place, one in zip(places, groups, strict=True) if one == group]
            x, y = (sorted(axis)[len(axis) // 2] for axis in zip(*some, strict=True))
            axes.annotate(
                sheet.token(names[group], most=28),
                (x, y),
                ha="center",
                fontsize=SMALL,
                color=INK,
                fontweight="bold",
            )
        axes.set_xticks([])
        axes.set_yticks([])
        return sheet.svg()


def _nothing() -> str:
    with drawing(height=70) as sheet:
        sheet.write("nothing to show", x=WIDTH / 2, y=40, anchor="center", size=FONT)
        return sheet.svg()


def _drawable(curve: Curve, *, log_x: bool) -> list[tuple[float, float]]:
    steps, values = curve
    assert len(steps) == len(values)
    points = [(float(a), float(b)) for a, b in zip(steps, values, strict=True)]
    points = [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b) and (a > 0 or not log_x)]
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(2 * len(points) / _MOST_POINTS)
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        part = range(start, min(start + size, len(points)))
        kept |= {min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


def _line(axes: Any, points: list[tuple[float, float]], *, color: str, dashed: bool) -> None:
    style = "--" if dashed else "-"
    dots = {"marker": "o", "markersize": 4.5, "markeredgewidth": 0} if len(points) <= 25 else {}
    axes.plot(*zip(*points, strict=True), style, color=color, linewidth=1.9, solid_capstyle="round", **dots)


def _horizontal(
    labels: list[str],
    values: list[float],
    *,
    texts: list[str],
    colors: list[str],
    ranges: list[tuple[float, float]] | None,
    x: str,
) -> str:
    left = 24 + max(width_in_columns(shorten(label)) for label in labels) * FONT
    right = 24 + max(width_in_columns(text) for text in texts) * SMALL
    with drawing(height=_ROW * len(labels) + (44 if x else 16)) as sheet:
        axes = sheet.axes(left=left, top=8, right=right, bottom=36 if x else 8)
        rows = range(len(labels))
        axes.barh(rows, values, height=0.62, color=colors, linewidth=0)
        for row, (low, high) in enumerate(ranges or ()):
            axes.plot((low, high), (row, row), color=INK, linewidth=1.4, marker="|", markersize=6)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        ends = [0.0, *values, *(end for pair in ranges or () for end in pair)]
        axes.set_xlim(min(ends), max(ends) if max(ends) > min(ends) else 1.0)
        axes.set_yticks(rows, [sheet.token(label) for label in labels])
        axes.tick_params(axis="y", labelsize=FONT, labelcolor=INK)
        _scale(axes, shown=bool(x))
        for row, text in enumerate(texts):
            y = 8 + (row + 0.5) * _ROW + 4
            sheet.write(text, x=WIDTH - right + 14, y=y, color=INK, weight="normal")
        if x:
            sheet.write(x, x=left, y=sheet.height - 4, most=50)
        return sheet.svg()


def _range(interval: tuple[float, float], value: float) -> tuple[float, float]:
    low, high = interval
    return (low if math.isfinite(low) else value, high if math.isfinite(high) else value)


def _scale(axes: Any, *, shown: bool) -> None:
    """The scale under horizontal bars; where the texts say it all there is none."""
    if not shown:
        axes.set_xticks([])
        return
    quiet(axes, grid="x")
    low, _ = axes.get_xlim()
    if low < 0:
        axes.axvline(0, color=INK, linewidth=0.9)


def _most_confused(matrix: Sequence[Sequence[float]]) -> list[int]:
    """Labels to show, in their own order: all, or those with the most wrong counts around them."""
    size = range(len(matrix))
    if len(matrix) <= MOST_LABELS:
        return list(size)
    wrong = [sum(matrix[i][j] + matrix[j][i] for j in size if j != i) for i in size]
    return sorted(sorted(size, key=lambda i: (-wrong[i], i))[:MOST_LABELS])


def _cells(sheet: Sheet, axes: Any, counts: list[list[float]], totals: list[float]) -> None:
    """Tinted squares with their counts. Wrong ones have another hue than right ones.

    Tints end at about half, where the page's ink stays readable on light and dark alike.
    """
    from matplotlib.patches import Rectangle

    size = len(counts)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            share = count / totals[i] if totals[i] else 0.0
            color = (ACCENT if i == j else SECOND) if count else MUTED
            tint = 0.12 + 0.42 * share if count else 0.07
            square = Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, facecolor=color, alpha=tint, linewidth=0)
            axes.add_patch(square)
            if count:
                text = sheet.token(number(count))
                axes.text(j, i, text, ha="center", va="center_baseline", fontsize=SMALL, color=INK)


def _slant(axes: Any) -> None:
    for text in axes.get_xticklabels():
        text.set(rotation=45, ha="left", va="baseline", rotation_mode="anchor")


def _edges(low: float, high: float) -> Any:
    """Edges of at most 40 bins; each bin of whole numbers holds equally many of them."""
    import numpy as np

    if low == high:
        return np.array([low - 0.5, high + 0.5])
    if low.is_integer() and high.is_integer():
        step = math.ceil((high - low + 1) / 40)
        return np.arange(low, high + 1 + step, step) - 0.5
    return np.linspace(low, high, 41)

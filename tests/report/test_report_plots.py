from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from autolect.report import plots
from autolect.report.axes import decimals, duration, number
from autolect.report.blocks import Figure

HOSTILE = "<script>alert('x')</script> & $\\frac{1}$ \x1b[31m \u202e \ud800 \"q\""
LONG = "标签" * 40
ODD = [HOSTILE, LONG, "", "中文 label"]
NAN, INF = math.nan, math.inf
SVG = "{http://www.w3.org/2000/svg}"

Draw = Callable[[], str]
FULL: dict[str, Draw] = {
    "learning_curve": lambda: plots.learning_curve(
        {name: ([1, 2, 3], [3.0, 2.0, 1.0 + i]) for i, name in enumerate(ODD)},
        x="步数",
        y=HOSTILE,
        log_x=True,
        marks=[(2, "最佳"), (3, HOSTILE)],
    ),
    "bars": lambda: plots.bars(
        ODD, [0.9, 0.8, 0.0, -0.1], [(0.8, 1.0), (0.7, 0.9), (0, 0), (-0.2, 0)], highlight=0, x="得分"
    ),
    "confusion": lambda: plots.confusion([[5, 1, 0, 2]] * 4, ODD),
    "search": lambda: plots.search([(0, 0.5, "complete"), (1, 0.7, HOSTILE), (2, 0.6, "complete")]),
    "stages": lambda: plots.stages(ODD, [1.0, 200.0, 0.0, 9000.0]),
    "histogram": lambda: plots.histogram([1, 5, 5, 9, 100], x="长度 " + HOSTILE),
}
EMPTY: dict[str, Draw] = {
    "no series": lambda: plots.learning_curve({}, x="x", y="y"),
    "an empty series": lambda: plots.learning_curve({"a": ([], [])}, x="x", y="y"),
    "only NaN": lambda: plots.learning_curve({"a": ([1, 2], [NAN, INF])}, x="x", y="y"),
    "no positive step": lambda: plots.learning_curve({"a": ([0], [1])}, x="x", y="y", log_x=True),
    "no bars": lambda: plots.bars([], [], highlight=0, x="x"),
    "no labels": lambda: plots.confusion([], []),
    "no scores": lambda: plots.search([(0, NAN, "fail")]),
    "no stages": lambda: plots.stages([], []),
    "no values": lambda: plots.histogram([], x="x"),
}
SMALL: dict[str, Draw] = {
    "one point": lambda: plots.learning_curve({"a": ([5], [1])}, x="x", y="y"),
    "one point, log": lambda: plots.learning_curve({"a": ([5], [1])}, x="x", y="y", log_x=True),
    "a mark far outside": lambda: plots.learning_curve({"a": ([5], [1])}, x="x", y="y", marks=[(9000, "m")]),
    "a flat line": lambda: plots.learning_curve({"a": ([1, 2], [0, 0])}, x="x", y="y"),
    "one bar of zero": lambda: plots.bars(["a"], [0.0], highlight=0, x=""),
    "open interval": lambda: plots.bars(["a"], [0.5], [(NAN, INF)], highlight=0, x="x"),
    "one label": lambda: plots.confusion([[0]], ["a"]),
    "one trial": lambda: plots.search([(0, 0.5, "complete")]),
    "only pruned": lambda: plots.search([(0, 0.5, "pruned")]),
    "no time": lambda: plots.stages(["a"], [0.0]),
    "one value": lambda: plots.histogram([7], x="x"),
    "tiny range": lambda: plots.histogram([0.5, 0.5000001], x="x"),
}
EVERY = FULL | EMPTY | SMALL


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", EVERY)
def test_a_plot_is_one_clean_svg_that_a_figure_accepts(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = EVERY[name]()
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert set(root.attrib) == {"viewBox", "style", "stroke-linejoin"}
    assert "nan" not in svg.lower().replace("nanum", "")
    assert "<script" not in svg
    assert "://" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    Figure(svg, "", "")


@pytest.mark.parametrize("name", FULL)
def test_the_same_input_gives_the_same_bytes(name: str) -> None:
    assert FULL[name]() == FULL[name]()


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_plot_says_so(name: str) -> None:
    assert texts(EMPTY[name]()) == ["nothing to show"]


@pytest.mark.parametrize("name", SMALL)
def test_a_small_plot_is_drawn(name: str) -> None:
    assert "nothing to show" not in SMALL[name]()


@pytest.mark.parametrize("name", ["learning_curve", "bars", "confusion", "stages"])
def test_chinese_labels_are_text_and_long_ones_keep_a_tooltip(name: str) -> None:
    svg = FULL[name]()
    assert "中文 label" in texts(svg)
    titles = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert LONG in titles
    assert not any(LONG in text for text in texts(svg))


@pytest.mark.parametrize("name", FULL)
def test_no_stand_in_is_left(name: str) -> None:
    svg = FULL[name]()
    assert not re.search(r"Z\d+Z", svg)
    assert "#0101" not in svg


def test_hostile_labels_are_shown_as_they_are() -> None:
    svg = plots.bars(["<b>$x$\x1b</b>"], [1.0], highlight=0, x="x")
    assert "&lt;b&gt;$x$⟨ESC⟩&lt;/b&gt;" in svg


def test_two_plots_of_a_page_share_no_identifier() -> None:
    svgs = [FULL["learning_curve"](), FULL["search"](), FULL["bars"]()]
    names = [set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs]
    assert names[0]
    assert sum(map(len, names)) == len(set().union(*names))
    for svg, known in zip(svgs, names, strict=True):
        assert set(re.findall(r"(?:href=\"|url\()#([^\")]+)", svg)) <= known


def test_settings_of_matplotlib_are_left_alone_and_not_obeyed() -> None:
    import matplotlib

    before = FULL["bars"]()
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path"}):
        settings = dict(matplotlib.rcParams)
        assert FULL["bars"]() == before
        assert dict(matplotlib.rcParams) == settings


def test_a_thinned_curve_keeps_its_peak_and_its_ends() -> None:
    values = [1.0] * 100_000
    values[54_321] = 9.0
    svg = plots.learning_curve({"a": (range(100_000), values)}, x="x", y="y")
    assert len(svg) < 100_000
    assert max(float(text) for text in texts(svg) if re.fullmatch(r"\d+", text)) >= 8


def test_a_mark_beyond_the_curve_is_inside_the_plot() -> None:
    svg = plots.learning_curve({"a": ([5], [1])}, x="steps", y="loss", marks=[(9000, "far")])
    (far,) = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}text") if e.text == "far"]
    assert 0 < float(far.attrib["x"]) < 720
    assert "8,000" in texts(svg)


def test_whole_numbers_have_no_ticks_between_them() -> None:
    shown = texts(plots.search([(0, 0.5, "complete")]))
    assert "0" in shown
    assert not [text for text in shown if text.startswith(("0.0", "\u22120.0"))]


def test_many_labels_show_the_most_confused_and_say_so() -> None:
    size = 45
    matrix = [[0] * size for _ in range(size)]
    for i in range(size):
        matrix[i][i] = 10
    matrix[40][44] = 5
    svg = plots.confusion(matrix, [f"label {i}" for i in range(size)])
    assert "20 of 45 labels: those confused most often" in texts(svg)
    assert texts(svg).count("label 40") == texts(svg).count("label 44") == 2


def test_numbers_are_short() -> None:
    given = [0, 0.913, 12.4, 1280, 35_000, 2_100_000, 3e-5, -0.5, -3e-5]
    assert [number(value) for value in given] == [
        "0", "0.913", "12.4", "1,280", "35k", "2.1M", "3e-05", "−0.5", "−3e-05",
    ]  # fmt: skip


def test_numbers_of_a_column_line_up() -> None:
    column = [0.9, 0.871, 1.0]
    assert [number(value, decimals=decimals(column)) for value in column] == ["0.900", "0.871", "1.000"]


def test_times_are_said_as_a_person_says_them() -> None:
    given = [0.42, 48.3, 59.7, 192, 600, 3599.9, 7500, 7200]
    assert [duration(value) for value in given] == [
        "0.4 s", "48 s", "1 min", "3 min 12 s", "10 min", "1 h", "2 h 5 min", "2 h",
    ]  # fmt: skip

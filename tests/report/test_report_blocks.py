from __future__ import annotations

import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.report.blocks import (
    Figure,
    Marked,
    Prose,
    Table,
    differences,
    layers,
    visible,
    width_in_columns,
)

ANYTHING = st.text(st.characters(codec=None), max_size=60)


@given(ANYTHING)
def test_visible_text_can_be_encoded_and_stands_in_xml(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    element = ElementTree.Element("a")
    element.text = shown
    assert (ElementTree.fromstring(ElementTree.tostring(element)).text or "") == shown


@given(ANYTHING)
def test_no_control_or_bidi_sign_survives(text: str) -> None:
    left = [sign for sign in visible(text) if unicodedata.category(sign) in ("Cc", "Cs")]
    assert set(left) <= {"\n", "\t"}
    assert not {"\u202e", "\u2066", "\u200f", "\u200b", "\ufeff"} & set(visible(text))


def test_acting_signs_are_named() -> None:
    assert visible("a\x1b[31m\x00\u202eb\x85") == "a⟨ESC⟩[31m⟨NUL⟩⟨RLO⟩b⟨U+0085⟩"


def test_ordinary_text_of_any_script_stays() -> None:
    text = "北京 naïve עברית العربية हिन्दी 👩‍👩‍👧 می‌خواهم\n\t"
    assert visible(text) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_differences_lose_nothing(one: str, other: str) -> None:
    before, after = differences(one, other)
    assert "".join(piece.text for piece in before) == one
    assert "".join(piece.text for piece in after) == other
    assert any(piece.differs for piece in (*before, *after)) == (one != other)


def test_one_chinese_character_is_one_difference() -> None:
    before, after = differences("著名的高等学府。", "著名的高等学校。")
    assert [piece.text for piece in before if piece.differs] == ["府"]
    assert [piece.text for piece in after if piece.differs] == ["校"]


def test_a_latin_word_differs_as_a_whole() -> None:
    before, _ = differences("on Tuesday", "on Thursday")
    assert [piece.text for piece in before if piece.differs] == ["Tuesday"]


def test_very_long_texts_are_not_compared() -> None:
    before, after = differences("一" * 5000, "二" * 5000)
    assert not before[0].differs
    assert not after[0].differs


def test_overlapping_spans_are_all_shown() -> None:
    rows = layers("北京大学", ((0, 4, "ORG"), (0, 2, "LOC"), (2, 4, "X")))
    assert [[(p.text, p.label) for p in row] for row in rows] == [
        [("北京大学", "ORG")],
        [("北京", "LOC"), ("大学", "X")],
    ]


def test_a_span_that_the_other_side_lacks_differs() -> None:
    (row,) = layers("ab cd", ((0, 2, "A"), (3, 5, "B")), known=((0, 2, "A"), (3, 5, "C")))
    assert [piece.differs for piece in row if piece.label] == [False, True]


def test_a_text_without_spans_is_one_line() -> None:
    assert [[piece.text for piece in row] for row in layers("abc", ())] == [["abc"]]


def test_a_span_outside_its_text_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="outside"):
        Marked("abc", ((1, 4, "X"),))


def test_columns_of_numbers_go_right() -> None:
    table = Table(("name", "score", "gain"), (("a", "0.9", "−1"), ("b", "12 %", "—")))
    assert table.alignment == ("left", "right", "right")


def test_a_given_alignment_wins() -> None:
    assert Table(("n",), (("1",),), align=("center",)).alignment == ("center",)


def test_a_row_with_too_few_cells_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="cells"):
        Table(("a", "b"), (("1",),))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>1</script>",
        "<foreignObject/>",
        "<style>*{}</style>",
        '<path onload="x"/>',
        '<use href="file.svg#a"/>',
        '<path style="fill: url(//evil/a)"/>',
    ],
)
def test_a_figure_that_does_more_than_draw_is_refused(inside: str) -> None:
    with pytest.raises(AssertionError):
        Figure(f"<svg>{inside}</svg>", "caption", "alt")


def test_a_blank_line_starts_a_paragraph() -> None:
    assert Prose("one\nstill one\n \n\ntwo\n").paragraphs == ["one\nstill one", "two"]


def test_a_chinese_character_is_as_wide_as_the_font_is_high() -> None:
    assert width_in_columns("中文") == 2
    assert 1 < width_in_columns("ab") < 2

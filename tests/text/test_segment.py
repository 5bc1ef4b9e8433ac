from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.text.segment import Span, is_cjk, join, units, words

MIXED = st.text(alphabet="ab9'-. \n中文，。かカ한é\u0301\u200d😀\ufe0f３Ａ%", max_size=30)


def pieces(text: str, spans: list[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


@settings(max_examples=200, deadline=None)
@given(text=MIXED, language=st.sampled_from(["zh", "ja", "ko", "en"]))
def test_spans_are_in_order_and_cover_all_but_blanks(text: str, language: str) -> None:
    for spans in (words(text, language=language), units(text)):
        assert all(start < end for start, end in spans)
        assert [place for span in spans for place in span] == sorted(
            place for span in spans for place in span
        )
        assert "".join(pieces(text, spans)) == "".join(text.split())


def test_chinese_words_come_from_the_dictionary_in_any_language() -> None:
    text = "我们在北京大学学习 machine learning。"
    expected = ["我们", "在", "北京大学", "学习", "machine", "learning", "。"]
    assert pieces(text, words(text, language="zh")) == expected
    assert pieces(text, words(text, language="en")) == expected


def test_letters_belong_to_a_chinese_word_that_has_them() -> None:
    text = "穿T恤，讲AA制，café里don't说"
    assert pieces(text, words(text, language="zh")) == [
        "穿",
        "T恤",
        "，",
        "讲",
        "AA制",
        "，",
        "café",
        "里",
        "don't",
        "说",
    ]


def test_japanese_words_end_where_the_script_changes() -> None:
    text = "東京タワーに行く。"
    assert pieces(text, words(text, language="ja")) == ["東京", "タワー", "に", "行", "く", "。"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's well-known: 3.14, rock’n’roll!", ["It's", "well-known", ":", "3.14", ",", "rock’n’roll", "!"]),
        ("'quoted' - x", ["'", "quoted", "'", "-", "x"]),
        ("하늘과 바람", ["하늘과", "바람"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("e\u0301te\u0301 ❤\ufe0f", ["e\u0301te\u0301", "❤\ufe0f"]),
    ],
)
def test_words_of_spaced_languages(text: str, expected: list[str]) -> None:
    assert pieces(text, words(text, language="en")) == expected


def test_units_take_chinese_characters_alone_and_words_whole() -> None:
    text = "他说：don't买iPhone6，3.5元！"
    expected = ["他", "说", "：", "don't", "买", "iPhone6", "，", "3", ".", "5", "元", "！"]
    assert pieces(text, units(text)) == expected


def test_join_puts_a_space_unless_both_sides_are_cjk() -> None:
    text, spans = join(["我们", "说", "，", "OK", "!", "", "好"])
    assert text == "我们说， OK ! 好"
    assert pieces(text, spans) == ["我们", "说", "，", "OK", "!", "", "好"]


@given(tokens=st.lists(st.text(alphabet="ab中，", max_size=3), max_size=8))
def test_join_gives_every_token_its_own_span(tokens: list[str]) -> None:
    text, spans = join(tokens)
    assert pieces(text, spans) == tokens
    assert len(text) - sum(map(len, tokens)) == text.count(" ")


@pytest.mark.parametrize(
    ("chars", "expected"), [("中あア，。「＋々𠀀", True), ("aé1 한ДＡ３\u3000\u3099“…", False)]
)
def test_cjk_is_what_is_written_without_spaces(chars: str, expected: bool) -> None:
    assert {is_cjk(char) for char in chars} == {expected}


@settings(deadline=None)
@given(text=st.text(alphabet=st.characters(codec="ascii")))
def test_ascii_is_cut_as_any_text_is(text: str) -> None:
    assert words(text, language="en") == words(text + " é", language="en")[:-1]

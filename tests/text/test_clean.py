from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text.clean import PROFILES, STEPS, Cleaned, Cleaner

LETTERS = "abé ñ'ß中文，。かナ한국\u0301\u0323\u3099ÃÂ©â€™\x99"
SIGNS = ' \n\t\u3000\xa0\u200b\u200c\u200d\ufeff\xad\x00\x85😀❤\ufe0f™+&<>;/=!"-#'
WORDS = ["&amp;", "&amp;lt;", "<b>", "</b>", "<br/>", "<p class='x'>", "<!--", "-->", "<script>", "</script>"]
WORDS += ["&#8203;", "&nbsp;", "Ã©", "â€œ", "\U0001f3f4\U000e0067\U000e007f", "the", "don't", "我们", "的"]
messy = st.lists(
    st.one_of(st.text(alphabet=LETTERS + SIGNS, max_size=4), st.sampled_from(WORDS)), max_size=25
)
MESSY = messy.map("".join)


def clean(text: str, *steps: str, language: str = "en") -> str:
    return checked(text, Cleaner(steps, language=language).clean(text)).text


def checked(text: str, cleaned: Cleaned) -> Cleaned:
    """The promise about offsets: one for each character, never decreasing, inside of the text."""
    offsets = cleaned.offsets
    assert offsets.shape == (len(cleaned.text),)
    assert (np.diff(offsets) >= 0).all()
    assert len(offsets) == 0 or (offsets[0] >= 0 and offsets[-1] < len(text))
    return cleaned


# every step, every text


@settings(max_examples=150, deadline=None)
@given(text=MESSY, steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=4))
def test_offsets_hold_for_any_steps(text: str, steps: list[str]) -> None:
    checked(text, Cleaner(steps, language="en").clean(text))


@settings(max_examples=300, deadline=None)
@given(text=MESSY)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    cleaner = Cleaner("faithful", language="en")
    once = checked(text, cleaner.clean(text)).text
    assert cleaner.clean(once).text == once


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="cfgXYZ019,.;:!?中文字，。 \n\t\u200b<>", max_size=60))
def test_untouched_characters_map_to_themselves(text: str) -> None:
    cleaned = Cleaner("faithful", language="en").clean(text)
    for char, offset in zip(cleaned.text, cleaned.offsets, strict=True):
        assert char == text[offset] or (char == " " and text[offset].isspace())
    assert [c for c in cleaned.text if c != " "] == [c for c in text if not c.isspace() and c != "\u200b"]


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_unicode_composes_as_the_standard_says(text: str) -> None:
    cleaned = checked(text, Cleaner(["unicode"], language="en").clean(text)).text
    assert unicodedata.is_normalized("NFC", cleaned)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(
        alphabet="aeouqAa\u0301\u0323\u0307\u0344가\u1100\u1161\u11a8ΩÅ\u212b豈か\u3099", max_size=12
    )
)
def test_composing_by_parts_equals_composing_the_whole(text: str) -> None:
    assert clean(text, "unicode") == unicodedata.normalize("NFC", text)


# single steps


def test_offsets_lead_back_through_all_steps() -> None:
    text = "<p>Caf\u0065\u0301  &amp; schÃ¶n</p>"
    cleaned = Cleaner("faithful", language="en").clean(text)
    assert cleaned.text == "Café & schön"
    assert [text[cleaned.offsets[cleaned.text.index(char)]] for char in "Cf&sn"] == list("Cf&sn")
    assert cleaned.offsets[cleaned.text.index("ö")] == text.index("Ã")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schÃ¶n", "schön"),
        ("â€œquotedâ€\x9d text", "“quoted” text"),
        ("æˆ‘ä»¬ ok", "我们 ok"),
        ("РїСЂРёРІРµС‚ РјРёСЂ", "привет мир"),
        ("fine\nRenÃ©e\nfine", "fine\nRenée\nfine"),
        ("l’été, «où» — naïve “Ångström” 你好", "l’été, «où» — naïve “Ångström” 你好"),
        ("Привет, мир… «да» №5", "Привет, мир… «да» №5"),
    ],
)
def test_mojibake_is_repaired_and_sound_text_is_not(text: str, expected: str) -> None:
    assert clean(text, "mojibake") == expected


def test_mojibake_offsets_stay_beside_their_characters() -> None:
    text = "one æˆ‘ä»¬ two RenÃ©e three"
    cleaned = Cleaner(["mojibake"], language="en").clean(text)
    assert cleaned.text == "one 我们 two Renée three"
    assert cleaned.offsets[cleaned.text.index("我")] == text.index("æ")
    assert cleaned.offsets[cleaned.text.index("们")] == text.index("ä")
    assert cleaned.offsets[cleaned.text.index("three")] == text.index("three")


@pytest.mark.parametrize(
    "text",
    [
        "👩‍⚕️ ❤️‍🔥 🧑🏽‍🌾",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می\u200cروم",
        "ශ්\u200dරී",
    ],
    ids=["emoji", "flag", "persian", "sinhala"],
)
def test_unicode_keeps_joiners_that_mean_something(text: str) -> None:
    assert clean(text, "unicode") == text


@pytest.mark.parametrize(
    "char", ["\x00", "\x1b", "\x7f", "\x9d", "\xad", "\u200b", "\u200d", "\u202e", "\ufeff", "\U000e0041"]
)
def test_unicode_removes_what_nobody_sees(char: str) -> None:
    assert clean(f"a{char}b{char}", "unicode") == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "if a <b and c> d",
        "x<y>z",
        "List<String>",
        "AT&T &copy &nosuch; &#0;",
        "<3",
        "<me@example.org>",
        "<!-- open",
        "1 < 2 && 3 > 2",
    ],
)
def test_markup_leaves_text_that_only_looks_like_it(text: str) -> None:
    assert clean(text, "markup") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<b class="x">bold</b> <I>it</I>', "bold it"),
        ("<p>one</p><p>two</p>", "one two"),
        ("<p>你好</p><p>世界</p>", "你好世界"),
        ("a<br/>b<hr>c", "a b c"),
        ("x<script type='t'>if (a < b) { f('</b>') }</script >y", "x y"),
        ("a<!-- <b>hidden</b> -->b<!doctype html>", "ab"),
        ("&lt;tag&gt; &eacute;&#233;&#xe9; &amp;amp;", "<tag> ééé &"),
        ("<input disabled value=a>x", "x"),
        ("a&nbsp;&#8203;b", "a b"),
    ],
)
def test_markup_is_removed_and_entities_are_read(text: str, expected: str) -> None:
    assert checked(text, Cleaner("faithful", language="en").clean(text)).text == expected


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<script>",
        "<a ",
        "<a b='",
        "&#",
        "&amp;" * 3,
        "<b>",
        "\U000e0041",
        "e\u0301\u0323" * 2,
        "Ã",
        "- ",
        "😀\u200d",
    ],
)
def test_no_text_takes_more_than_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    started = time.perf_counter()
    checked(
        text,
        Cleaner(
            ["mojibake", "unicode", "markup", "specials", "punctuation", "whitespace"], language="en"
        ).clean(text),
    )
    assert time.perf_counter() - started < 5


def test_a_base_with_endless_marks_does_not_hang() -> None:
    text = "a" + "\u0301\u0323" * 100_000
    started = time.perf_counter()
    checked(text, Cleaner("faithful", language="en").clean(text))
    assert time.perf_counter() - started < 5


def test_specials_become_blanks_and_words_stay() -> None:
    assert (
        clean("C++ 5€ ok😀👍🏽 ┌─┐ a\ue000b, don't 中文。", "specials", "whitespace")
        == "C 5 ok a b, don't 中文。"
    )
    assert clean("می\u200cروم ශ්\u200dරී", "specials") == "می\u200cروم ශ්\u200dරී"


def test_punctuation_keeps_apostrophes_and_hyphens_inside_words() -> None:
    text = "Don't -- 'stop' well-known, rock’n’roll! (x_y) 你好，“世界”。"
    assert clean(text, "punctuation", "whitespace") == "Don't stop well-known rock’n’roll x y 你好世界"


def test_stop_words_go_as_whole_words_only() -> None:
    assert clean("The cat of the theatre, don’t", "stopwords", "whitespace") == "cat theatre,"
    assert clean("我们的祖国，目的地", "stopwords", "whitespace", language="zh") == "祖国，目的地"


def test_a_language_without_stop_words_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="no stop words for language 'xx'"):
        Cleaner("classic", language="xx")
    Cleaner("faithful", language="xx")


def test_chinese_scripts_convert_both_ways() -> None:
    assert clean("皇后在後面，頭髮 abc", "simplified") == "皇后在后面，头发 abc"
    assert clean("头发 abc", "traditional") == "頭髮 abc"


def test_whitespace_is_one_space_or_none_between_chinese() -> None:
    assert clean("  a \n b\u3000你 好\r\n吗\t是 ok  ", "whitespace") == "a b 你好吗是 ok"
    assert clean("안녕  하세요", "whitespace") == "안녕 하세요"


def test_lowercase_survives_letters_that_grow() -> None:
    cleaned = Cleaner(["lowercase"], language="en").clean("AİB")
    assert cleaned.text == "ai̇b"
    assert cleaned.offsets.tolist() == [0, 1, 1, 2]


# the cleaner


def test_removed_counts_characters_by_step() -> None:
    cleaner = Cleaner("faithful", language="en")
    cleaner.clean("a  b\u200b")
    cleaner.clean("<b>x</b>\ny")
    assert cleaner.removed == {"mojibake": 0, "unicode": 1, "markup": 7, "whitespace": 2}


def test_classic_is_what_textbooks_do() -> None:
    assert PROFILES["classic"][-1] == "whitespace"
    assert Cleaner("classic", language="en").clean("<i>The</i> cat's 5€ hat, isn't it?").text == "cat's 5 hat"


@pytest.mark.parametrize(
    ("steps", "near"),
    [("faithfull", "'faithful'"), (["unicode", "stopword"], "'stopwords'"), ("unicode", "known")],
)
def test_an_unknown_step_tells_the_known_ones(steps: str | list[str], near: str) -> None:
    with pytest.raises(UserError) as caught:
        Cleaner(steps, language="en")
    assert caught.value.where == "corpus.clean"
    assert near in caught.value.fix


def test_empty_text_stays_empty() -> None:
    for profile in PROFILES:
        assert checked("", Cleaner(profile, language="zh").clean("")).text == ""

"""Classes of words: found by any case, kept with the bundle's words, and features of tagged tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autolect.core.errors import DamagedError
from autolect.text.features import company_features
from autolect.text.word_classes import FILE, WordClasses, covering

WORDS = ["paris", "london", "eats", "北京"]
NUMBERS = np.array([[0, 7], [0, 9], [1, 3], [2, 5]], dtype=np.uint16)


def classes() -> WordClasses:
    return WordClasses(WORDS, NUMBERS)


def features(tokens: list[str]) -> list[list[str]]:
    return company_features(tokens, classes(), language="zh")


def test_words_are_known_in_any_case_and_rare_ones_are_not() -> None:
    known = classes()
    assert known.of("Paris") == (0, 7)
    assert known.of("LONDON") == (0, 9)
    assert known.of("unseen") == ()


def test_they_come_back_from_a_folder(tmp_path: Path) -> None:
    assert WordClasses.load(tmp_path) is None
    classes().save(tmp_path)
    back = WordClasses.load(tmp_path)
    assert back is not None
    assert back.of("北京") == (2, 5)
    for spoilt in ("{" * 40, "[]", '{"words": ["a"], "numbers": [[1], [2]]}', '{"words": 3}'):
        (tmp_path / FILE).write_text(spoilt, encoding="utf-8")
        with pytest.raises(DamagedError, match=FILE):
            WordClasses.load(tmp_path)


def test_a_word_that_labels_never_show_has_what_its_like_have() -> None:
    paris, london = (features([city, "eats"]) for city in ("Paris", "London"))
    assert set(paris[0]) & set(london[0]) == {"0C0=0", "1C0=1", "1C1=3"}
    assert set(paris[0]) - set(london[0]) == {"0C1=7"}
    assert paris[1] != london[1]
    assert features(["unseen"]) == [[]]
    assert features([]) == []
    assert company_features(["Paris"], None, language="en") == [[]]


def test_a_chinese_character_is_part_of_its_word() -> None:
    characters = ["我", "去", "北", "京", "2", "天", "㊗\ufe0f"]
    found = covering(characters, language="zh")
    assert found[2:4] == [("北京", "B"), ("北京", "E")]
    assert found[4] == ("2", "")
    first, last = features(characters)[2:4]
    assert {"0C0=B2", "1C0=E2", "0W=北京", "0P=B"} <= set(first)
    assert {"0C0=E2", "-1C0=B2", "0W=北京", "0P=E"} <= set(last)
    # Where a word begins is known without any classes.
    assert "0P=B" in company_features(characters, None, language="zh")[2]


def test_japanese_words_are_those_of_the_corpus() -> None:
    assert covering(list("東京大学"), language="ja")[0] == ("東京大学", "B")


def test_chinese_that_is_cut_in_words_stays_so() -> None:
    words = ["我", "去", "北京", "大", "学"]
    assert covering(words, language="zh") == [(word, "") for word in words]

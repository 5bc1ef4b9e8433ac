"""Classes of words: found by any case, kept with the bundle's words, and features of tagged tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autolect.core.errors import DamagedError
from autolect.text.features import class_features
from autolect.text.word_classes import FILE, KEYS, WordClasses, covering

WORDS = ["paris", "london", "eats", "北京", "rare"]
NUMBERS = np.array([[0, 7], [0, 9], [1, 3], [2, 5]], dtype=np.uint16)


def classes() -> WordClasses:
    return WordClasses(WORDS, NUMBERS)


def test_words_are_known_in_any_case_and_rare_ones_are_not() -> None:
    known = classes()
    assert known.of("Paris") == (0, 7)
    assert known.of("LONDON") == (0, 9)
    assert known.of("rare") == known.of("unseen") == ()


def test_they_come_back_from_a_folder(tmp_path: Path) -> None:
    assert WordClasses.load(tmp_path) is None
    (tmp_path / KEYS).write_text(json.dumps(WORDS), encoding="utf-8")
    classes().save(tmp_path)
    back = WordClasses.load(tmp_path)
    assert back is not None
    assert back.of("北京") == (2, 5)
    (tmp_path / FILE).write_bytes(b"{" * 40)
    with pytest.raises(DamagedError, match=FILE):
        WordClasses.load(tmp_path)


def test_a_word_that_labels_never_show_has_what_its_like_have() -> None:
    paris, london = (class_features([city, "eats"], classes()) for city in ("Paris", "London"))
    assert set(paris[0]) & set(london[0]) == {"0C0=S0", "1C0=S1", "1C1=S3"}
    assert set(paris[0]) - set(london[0]) == {"0C1=S7"}
    assert paris[1] != london[1]
    assert class_features(["unseen"], classes()) == [[]]
    assert class_features([], classes()) == []


def test_a_chinese_character_is_part_of_its_word() -> None:
    characters = ["我", "去", "北", "京", "2", "天"]
    assert covering(characters)[2:4] == [("北京", "B"), ("北京", "E")]
    assert covering(characters)[4] == ("2", "S")
    first, last = class_features(characters, classes())[2:4]
    assert {"0C0=B2", "1C0=E2", "0W=北京", "0P=B"} <= set(first)
    assert {"0C0=E2", "-1C0=B2", "0W=北京", "0P=E"} <= set(last)


def test_chinese_that_is_cut_in_words_stays_so() -> None:
    words = ["我", "去", "北京", "大", "学"]
    assert covering(words) == [(word, "S") for word in words]

"""Sparse features: which a token gets."""

from __future__ import annotations

import pytest

from autolect.text.features import buckets, character_features, in_characters, token_features, word_features

WORDS = ["Anna", "visits", "Rome"]
CHARACTERS = [*"李明去了北京"]
CHINESE_WORDS = ["我们", "在", "北京", "工作", "。"]


@pytest.mark.parametrize(("tokens", "expected"), [(WORDS, False), (CHINESE_WORDS, False), (CHARACTERS, True)])
def test_chinese_in_words_and_english_are_no_characters(tokens: list[str], expected: bool) -> None:
    assert in_characters([tokens, tokens]) == expected


def test_words_of_other_scripts_get_the_features_of_words_alone() -> None:
    assert token_features(WORDS) == word_features(WORDS)


def test_a_single_character_gets_both_kinds_of_features() -> None:
    words, characters = word_features(CHINESE_WORDS), character_features(CHINESE_WORDS)
    found = token_features(CHINESE_WORDS)
    assert found[0] == words[0]
    assert found[1] == [*words[1], *characters[1]]


def test_a_bucket_is_the_same_everywhere() -> None:
    assert buckets(["bias", "w=北京"], count=1024).tolist() == [603, 64]


def test_no_tokens_have_no_features() -> None:
    assert token_features([]) == []

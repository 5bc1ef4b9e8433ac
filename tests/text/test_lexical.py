"""BM25: rare words count, long texts are held back, and words of one stem meet."""

from __future__ import annotations

import numpy as np
import pytest

from autolect.text import lexical

TEXTS = ["the cat sat", "the dog sat on the mat", "a cat and a cat", "flights to Rome", "北京的天气"]


def scores(*queries: str) -> np.ndarray:
    weights = lexical.weighed(lexical.count(TEXTS, language="en"))
    return lexical.scores(weights, lexical.count(queries, language="en"))


def test_it_is_bm25() -> None:
    """By hand: idf log(1 + (5 - 2 + 0.5) / 2.5) times the saturated count, for a word of two texts."""
    lengths = np.array([len(lexical.terms(text, language="en")) for text in TEXTS])
    held = lexical.K1 * (1 - lexical.B + lexical.B * lengths / lengths.mean())
    wanted = np.log(1 + 3.5 / 2.5) * np.array([1, 0, 2, 0, 0]) * (lexical.K1 + 1)
    wanted = wanted / (np.array([1, 0, 2, 0, 0]) + held)
    assert scores("cat")[0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("query", "best"), [("cats and the cat", 2), ("天气", 4), ("mat", 1)])
def test_the_text_that_fits_comes_first(query: str, best: int) -> None:
    assert scores(query)[0].argmax() == best


def test_forms_of_a_long_word_meet() -> None:
    texts = ["the walking tour", "a red car"]
    weights = lexical.weighed(lexical.count(texts, language="en"))
    found = lexical.scores(weights, lexical.count(["walkings"], language="en"))
    assert found[0, 0] > found[0, 1] == 0


def test_no_text_and_empty_texts_are_no_trouble() -> None:
    weights = lexical.weighed(lexical.count(["", "x"], language="en"))
    assert lexical.scores(weights, lexical.count(["", "x"], language="en")).shape == (2, 2)

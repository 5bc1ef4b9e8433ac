"""BM25: rare words count, long texts are held back, and words of one stem meet."""

from __future__ import annotations

import numpy as np
import pytest

from autolect.text import lexical

TEXTS = ["the cat sat", "the dog sat on the mat", "a cat and a cat", "flights to Rome", "北京的天气"]


def scores(*queries: str) -> np.ndarray:
    return postings(TEXTS).scores(lexical.asked(queries, language="en"))


def postings(texts: list[str]) -> lexical.Postings:
    return lexical.Postings.of(texts, language="en")


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
    found = postings(texts).scores(lexical.asked(["walkings"], language="en"))
    assert found[0, 0] > found[0, 1] == 0


def test_no_text_and_empty_texts_are_no_trouble() -> None:
    found = postings(["", "x"]).scores(lexical.asked(["", "x"], language="en"))
    assert found.shape == (2, 2)


def test_a_query_is_followed_up_in_the_texts_that_fit_it() -> None:
    texts = ["jaguar leopard", "leopard lynx", "brick mortar", *(f"filler{n} nothing{n}" for n in range(97))]
    found = postings(texts)
    asked = lexical.asked(["jaguar"], language="en")
    plain = found.scores(asked)
    assert plain[0, 1] == 0
    again = found.scores(found.followed(asked, plain))
    assert again[0, 0] > again[0, 1] > again[0, 2] == 0


def test_among_a_handful_of_texts_nothing_is_followed_up() -> None:
    found, asked = postings(TEXTS), lexical.asked(["cat"], language="en")
    assert found.followed(asked, found.scores(asked)) is asked


def test_the_best_are_those_of_a_stable_sort() -> None:
    draw = np.random.default_rng(0)
    for count in (1, 7, 50, 60):
        scores = draw.integers(0, 9, 50).astype(np.float32)
        assert lexical.best(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()

"""Where the right text comes among all that could be found."""

from __future__ import annotations

import numpy as np

from autolect.text.labels.pairs import PairExample
from autolect.text.lookup import lookup


def pairs(*texts: tuple[str, str]) -> list[PairExample]:
    return [PairExample(first=first, second=second, where="") for first, second in texts]


def ranks(given: list[PairExample], scores: list[list[float]]) -> list[tuple[int, str]]:
    table = np.array(scores, np.float32)
    return [(one.rank, one.first) for one in lookup(given).places(lambda part: table[part])]


def test_ties_count_against_the_right_text() -> None:
    given = pairs(("a", "A"), ("b", "B"), ("c", "C"))
    assert ranks(given, [[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.3, 0.3, 0.3]]) == [(1, "A"), (2, "A"), (3, "A")]
    assert ranks(given, [[0.5, 0.5 + 1e-7, 0], [0, 1, 0], [0, 0, 1]])[0] == (2, "B")


def test_equal_texts_are_one_and_all_that_is_right_for_a_text_does_not_stand_in_its_way() -> None:
    given = pairs(("a", "A"), ("b", "A"), ("a", "B"), ("c", "C"))
    assert lookup(given).texts == ("A", "B", "C")
    found = ranks(given, [[0.5, 0.9, 0.1], [0.2, 0.9, 0.1], [0.9, 0.5, 0.7], [0, 0, 1]])
    assert found == [(1, "A"), (2, "B"), (2, "C"), (1, "C")]


def test_any_number_of_texts_ask() -> None:
    given = pairs(*((f"a{number}", f"A{number % 7}") for number in range(600)))
    table = np.eye(7, dtype=np.float32)[np.arange(600) % 7]
    assert {one.rank for one in lookup(given).places(lambda part: table[part])} == {1}

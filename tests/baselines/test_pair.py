"""The simple tools for pairs of texts and for translation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autolect.core import metrics, registry
from autolect.text.labels.pairs import PairExample

WORDS = ("cat", "dog", "bird", "fish", "horse", "sun", "moon", "rain", "wind", "snow")


def pairs(count: int, *, seed: int, scored: bool) -> list[PairExample]:
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        first = draw.choice(WORDS, size=4, replace=False)
        shared = int(draw.integers(0, 5))
        others = [word for word in WORDS if word not in first]
        second = [*first[:shared], *draw.choice(others, size=4 - shared, replace=False)]
        answer: dict[str, Any] = {"score": float(shared)} if scored else {"labels": (str(shared > 2),)}
        found.append(PairExample(first=" ".join(first), second=" ".join(second), where="", **answer))
    return found


@pytest.mark.parametrize("name", ["overlap", "shared"])
@pytest.mark.parametrize("scored", [True, False])
def test_what_texts_share_tells_how_alike_they_are(name: str, scored: bool) -> None:
    baseline = registry.load("baselines", name).build
    assert baseline.serves == "pair"
    known, chosen, asked = (pairs(count, seed=count, scored=scored) for count in (120, 40, 60))
    found = baseline.predict(known, chosen, asked, language="en", seed=0)
    assert len(found) == len(asked)
    if scored:
        assert metrics.spearman([float(one.score or 0) for one in asked], found) > 0.8
    else:
        assert np.mean([one.labels[0] == label for one, label in zip(asked, found, strict=True)]) > 0.8
    assert found == baseline.predict(known, chosen, asked, language="en", seed=0)


def test_the_translation_of_the_nearest_text_is_given() -> None:
    known = [
        PairExample(first="good morning", second="早上好", where=""),
        PairExample(first="it rains", second="下雨了", where=""),
    ]
    asked = [PairExample(first="Good morning!", second="", where="")]
    baseline = registry.load("baselines", "nearest_pair").build
    assert baseline.predict(known, [], asked, language="en", seed=0) == ["早上好"]


def test_words_that_are_shared_are_found_and_others_are_not() -> None:
    given = [
        PairExample(first="lost my red parcel", second="the red parcel that is lost", where=""),
        PairExample(first="refund", second="refund within a month", where=""),
        PairExample(first="opening hours", second="we are there from nine to five", where=""),
    ]
    baseline = registry.load("baselines", "words").build
    assert baseline.serves == "embed"
    assert baseline.predict([], [], given, language="en", seed=0) == [1, 1, 3]

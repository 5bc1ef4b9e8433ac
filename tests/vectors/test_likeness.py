"""Texts are alike by their rare tokens, however their vectors lie in space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.vectors import likeness

TOKENS, WIDTH = 60, 12
COMMON = np.arange(5)
"""Tokens that stand everywhere."""


def texts(draw: np.random.Generator, count: int) -> list[NDArray[np.int32]]:
    """Half of each text is common tokens, the rest one of five topics of eleven tokens."""
    found = []
    for number in range(count):
        topic = 5 + 11 * (number % 5) + draw.integers(0, 11, 8)
        found.append(np.concatenate([topic, draw.choice(COMMON, 8)]).astype(np.int32))
    return found


def learned(*, shift: float = 0.0) -> likeness.Likeness:
    """Rows that lie about ``shift`` times as far from zero as from each other."""
    draw = np.random.default_rng(0)
    rows = (draw.standard_normal((TOKENS, WIDTH)) + shift).astype(np.float32)
    some = texts(draw, 500)
    counts = np.bincount(np.concatenate(some), minlength=TOKENS)
    return likeness.learn(rows, counts, some)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_a_rare_token_counts_more_than_a_common_one() -> None:
    found = learned()
    assert found.weights[COMMON].max() < found.weights[5:].min()
    one, other, far = found.vectors([np.array([0, 1, 7]), np.array([2, 3, 7]), np.array([0, 1, 40])])
    assert cosine(one, other) > cosine(one, far)


def test_a_direction_that_all_share_does_not_make_all_alike() -> None:
    found = learned(shift=5.0)
    some = found.vectors(texts(np.random.default_rng(1), 200))
    unit = some / np.linalg.norm(some, axis=1, keepdims=True)
    assert abs(float((unit @ unit.T).mean())) < 0.05
    spreads = np.linalg.eigvalsh(np.cov(some, rowvar=False))
    assert spreads.max() / spreads.mean() < 3


def test_nothing_is_like_nothing_and_no_number_is_lost(tmp_path: Path) -> None:
    found = learned()
    found.save(tmp_path)
    again = likeness.load(tmp_path)
    assert again is not None
    some = [np.array([], dtype=np.int32), np.array([3, 9], dtype=np.int32)]
    assert np.array_equal(found.vectors(some), again.vectors(some))
    assert not found.vectors(some)[0].any()
    assert likeness.load(tmp_path / "nowhere") is None


def test_a_corpus_of_one_text_gives_finite_numbers() -> None:
    rows = np.zeros((4, 3), np.float32)
    found = likeness.learn(rows, np.array([0, 0, 0, 2]), [np.array([3, 3], np.int32)])
    assert np.isfinite(found.vectors([np.array([3, 1], np.int32)])).all()

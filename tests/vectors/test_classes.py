"""Words of like company share a class, and the same vectors give the same classes."""

from __future__ import annotations

import numpy as np

from autolect.vectors.classes import LEAST, SIZES, grouped
from autolect.vectors.store import WordVectors


def vectors(num_groups: int, each: int) -> WordVectors:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(num_groups, 16))
    matrix = np.repeat(centres, each, axis=0) + 0.05 * draw.normal(size=(num_groups * each, 16))
    keys = [f"{group}-{member}" for group in range(num_groups) for member in range(each)]
    counts = np.ones(len(keys), dtype=np.int64)
    return WordVectors(keys=keys, matrix=matrix.astype(np.float32), counts=counts)


def test_words_of_like_company_share_a_class() -> None:
    found = grouped(vectors(20, 50), seed=0)
    assert found.numbers.shape == (1000, 1)
    together = [len({found.of(f"{group}-{member}") for member in range(50)}) for group in range(20)]
    # 64 classes for 20 groups: a group may be parted, but its words are not spread over all of them.
    assert np.mean(together) < 64 / 20 + 1
    kinds = {found.of(f"{group}-0") for group in range(20)}
    assert len(kinds) > 15


def test_there_are_as_many_grains_as_words_allow() -> None:
    for words, grains in ((SIZES[0] * LEAST - 1, 0), (SIZES[0] * LEAST, 1), (SIZES[1] * LEAST, 2)):
        assert grouped(vectors(words, 1), seed=0).numbers.shape[1] == grains


def test_the_same_vectors_give_the_same_classes() -> None:
    one, other = (grouped(vectors(20, 50), seed=3).numbers for _ in range(2))
    assert np.array_equal(one, other)

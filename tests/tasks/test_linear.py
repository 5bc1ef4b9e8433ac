"""The weights of sparse features."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from autolect.tasks import _linear


def items(*rows: dict[int, float], width: int = 64) -> csr_matrix:
    dense = np.zeros((len(rows), width))
    for place, row in enumerate(rows):
        for bucket, value in row.items():
            dense[place, bucket] = value
    norms = np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)
    return csr_matrix(dense / norms)


def one_hot(*labels: int, of: int) -> NDArray[np.bool_]:
    return np.eye(of, dtype=bool)[list(labels)]


def test_a_feature_of_one_label_speaks_for_it_and_against_the_others() -> None:
    features = items({1: 1, 9: 1}, {1: 1, 8: 1}, {2: 1, 9: 1}, {2: 1, 8: 1}, {3: 1, 9: 1}, {3: 1, 8: 1})
    table = _linear.fit(features, one_hot(0, 0, 1, 1, 2, 2, of=3))
    assert table.shape == (64, 3)
    for label in range(3):
        assert table[1 + label].argmax() == label
        assert table[1 + label, label] > 0 > np.delete(table[1 + label], label).max()
    assert np.abs(table[8:10]).max() < np.abs(table[1:4]).max() / 10


def test_features_that_never_stand_in_training_say_nothing() -> None:
    table = _linear.fit(items({1: 1}, {2: 1}), one_hot(0, 1, of=2))
    assert not table[3:].any()


def test_a_label_without_examples_gets_no_weights_and_disturbs_no_other() -> None:
    table = _linear.fit(items({1: 1}, {3: 1}), one_hot(0, 2, of=3))
    assert not table[:, 1].any()
    assert table[1].argmax() == 0
    assert table[3].argmax() == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_it_separates_what_can_be_separated_and_gives_the_same_bits_again(seed: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 4, size=120)
    rows = [{int(one): 1.0 for one in draw.integers(20, 64, size=6)} | {int(label): 1.0} for label in labels]
    features = items(*rows)
    table = _linear.fit(features, one_hot(*labels, of=4))
    assert ((features @ table).argmax(axis=1) == labels).all()
    assert np.array_equal(table, _linear.fit(features, one_hot(*labels, of=4)))

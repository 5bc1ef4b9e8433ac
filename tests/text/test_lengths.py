"""What lengths tell of labels, and weights with which they tell nothing."""

from __future__ import annotations

import numpy as np

from autolect.text.labels.lengths import Lengths, told


def drawn(*, leaks: bool, num: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, num)
    lengths = draw.integers(4, 30, num)
    return lengths + (8 * labels if leaks else 0), labels


def test_lengths_that_leak_are_found_and_others_are_not() -> None:
    leaky, even = (told(*drawn(leaks=leaks), 2) for leaks in (True, False))
    assert leaky > 0.6
    assert abs(even - 0.5) < 0.03


def test_weighted_labels_are_as_frequent_at_every_length() -> None:
    lengths, labels = drawn(leaks=True)
    known = Lengths.of(lengths, labels, 2)
    sums = known.weights * known.counts
    both = known.counts.min(axis=1) > 50
    assert both.any()
    assert np.allclose(sums[both, 0], sums[both, 1], rtol=0.02)
    assert np.isclose(sums.sum(), len(labels))


def test_where_one_label_stands_alone_an_example_counts_little() -> None:
    lengths, labels = drawn(leaks=True)
    known = Lengths.of(lengths, labels, 2)
    alone = known.counts.min(axis=1) == 0
    assert alone.any()
    assert (known.weights * known.counts)[alone].sum() < 0.02 * len(labels)


def test_how_much_is_left_to_learn_from_is_told() -> None:
    lengths, labels = drawn(leaks=False)
    assert Lengths.of(lengths, labels, 2).overlap > 0.95
    assert Lengths.of(lengths + 100 * labels, labels, 2).overlap < 0.1
    assert 0.3 < Lengths.of(*drawn(leaks=True), 2).overlap < 0.8


def test_even_lengths_change_nothing() -> None:
    lengths, labels = drawn(leaks=False)
    weights = Lengths.of(lengths, labels, 2).weights
    assert np.allclose(weights, 1, atol=0.35)


def test_few_examples_have_one_range() -> None:
    known = Lengths.of(np.array([3, 9, 4]), np.array([0, 1, 2]), 3)
    assert known.counts.tolist() == [[1, 1, 1]]
    assert np.allclose(known.weights, 1)

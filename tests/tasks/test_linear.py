"""The weights of sparse features."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from autolect.tasks import _linear
from autolect.tasks._kept import Kept


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
    table = _linear.fit(features, one_hot(0, 0, 1, 1, 2, 2, of=3)).weights
    assert table.shape == (64, 3)
    for label in range(3):
        assert table[1 + label].argmax() == label
        assert table[1 + label, label] > 0 > np.delete(table[1 + label], label).max()
    assert np.abs(table[8:10]).max() < np.abs(table[1:4]).max() / 10


def test_no_fold_has_one_label_where_labels_take_turns() -> None:
    found = _linear.folds(100, 5)
    assert np.bincount(found).tolist() == [20] * 5
    labels = np.arange(100) % 5
    assert all(len(set(labels[found == fold].tolist())) > 2 for fold in range(5))
    assert (found == _linear.folds(100, 5)).all()


def test_features_that_never_stand_in_training_say_nothing() -> None:
    table = _linear.fit(items({1: 1}, {2: 1}), one_hot(0, 1, of=2)).weights
    assert not table[3:].any()


def test_a_label_without_examples_gets_no_weights_and_disturbs_no_other() -> None:
    line = _linear.fit(items({1: 1}, {3: 1}), one_hot(0, 2, of=3))
    table = line.weights
    assert not table[:, 1].any()
    assert line.scores(items({1: 1}, {3: 1}, {5: 1})).argmax(axis=1).tolist()[:2] == [0, 2]
    assert line.bias[1] == -1
    assert table[1].argmax() == 0
    assert table[3].argmax() == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_it_separates_what_can_be_separated_and_gives_the_same_bits_again(seed: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 4, size=120)
    rows = [{int(one): 1.0 for one in draw.integers(20, 64, size=6)} | {int(label): 1.0} for label in labels]
    features = items(*rows)
    line, again = (_linear.fit(features, one_hot(*labels, of=4)) for _ in range(2))
    assert (line.scores(features).argmax(axis=1) == labels).all()
    assert all(np.array_equal(one, other) for one, other in zip(line, again, strict=True))


def test_a_frequent_label_is_likelier_where_nothing_is_known() -> None:
    often = [{1: 1.0, 9 + place: 1.0} for place in range(20)]
    seldom = [{2: 1.0, 40 + place: 1.0} for place in range(4)]
    line = _linear.fit(items(*often, *seldom), one_hot(*[0] * 20, *[1] * 4, of=2))
    assert line.bias[0] > line.bias[1]


def many(draw: np.random.Generator, *, of: int) -> tuple[csr_matrix, NDArray[np.bool_]]:
    """Items of many labels, each told by one feature that some lack, beside others that say nothing."""
    labels = draw.integers(0, of, size=1200)
    rows = [
        {int(one): 1.0 for one in draw.integers(of, 64, size=3)}
        | ({int(label): 1.0} if draw.random() < 0.8 else {})
        for label in labels
    ]
    return items(*rows), one_hot(*labels, of=of)


@pytest.mark.parametrize("better", ["_over_ratios", "_plain"])
def test_with_many_items_some_of_them_tell_which_machine_counts(
    monkeypatch: pytest.MonkeyPatch, better: str
) -> None:
    features, targets = many(np.random.default_rng(0), of=12)
    made = getattr(_linear, better)
    worse = "_plain" if better == "_over_ratios" else "_over_ratios"

    def useless(some: csr_matrix, of: NDArray[np.bool_], *, balanced: bool) -> _linear.Line:
        line = made(some, of, balanced=balanced)
        return _linear.Line(-line.weights, line.bias)

    monkeypatch.setattr(_linear, worse, useless)
    monkeypatch.setattr(_linear, "_KEPT", Kept())
    found = _linear.fit(features, targets)
    expected = _linear._fitted(made, features, targets, balanced=False)
    assert all(np.allclose(one, other) for one, other in zip(found, expected, strict=True))


def test_the_same_items_are_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    features, targets = many(np.random.default_rng(1), of=4)
    monkeypatch.setattr(_linear, "_KEPT", Kept())
    first = _linear.fit(features, targets)
    assert _linear.fit(features.copy(), targets.copy()) is first
    assert _linear.fit(features, targets, balanced=True) is not first

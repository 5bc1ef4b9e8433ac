from __future__ import annotations

import numpy as np
import pytest

from autolect.core import intervals, metrics


def test_interval_of_accuracy_agrees_with_the_normal_approximation() -> None:
    right = np.array([1] * 300 + [0] * 100)
    interval = intervals.bootstrap(metrics.mean_score, right, seed=0, resamples=4000)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert interval.low == pytest.approx(0.75 - half, abs=0.006)
    assert interval.high == pytest.approx(0.75 + half, abs=0.006)


def test_interval_of_f1_agrees_with_resampling_one_by_one() -> None:
    chance = np.random.default_rng(1)
    gold = chance.integers(0, 4, size=80)
    found = chance.integers(0, 4, size=80)
    counts = np.stack([np.minimum(gold, found), found, gold], axis=1)
    interval = intervals.bootstrap(metrics.f1_score, counts, seed=7, resamples=3000, level=0.9)
    scores = []
    for _ in range(3000):
        right, predicted, wanted = counts[chance.integers(80, size=80)].sum(axis=0)
        scores.append(2 * right / (predicted + wanted))
    assert interval.low == pytest.approx(np.quantile(scores, 0.05), abs=0.01)
    assert interval.high == pytest.approx(np.quantile(scores, 0.95), abs=0.01)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    right = np.arange(50) % 3 == 0
    one = intervals.bootstrap(metrics.mean_score, right, seed=1, resamples=100)
    assert one == intervals.bootstrap(metrics.mean_score, right, seed=1, resamples=100)
    others = [intervals.bootstrap(metrics.mean_score, right, seed=s, resamples=100) for s in range(2, 6)]
    assert any(one != other for other in others)


def test_resampling_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    right = np.arange(64) % 2
    whole = intervals.bootstrap(metrics.mean_score, right, seed=3, resamples=50)
    monkeypatch.setattr(intervals, "_CELLS", 7 * 64)
    assert intervals.bootstrap(metrics.mean_score, right, seed=3, resamples=50) == whole


def tally(right: list[int]) -> intervals.Tally:
    return intervals.Tally(counts=np.array(right, dtype=float)[:, None], score=metrics.mean_score)


def test_a_difference_that_no_drawing_denies_is_still_not_certain() -> None:
    found = intervals.difference(tally([1] * 40), tally([0] * 40), seed=0, resamples=999)
    assert found.value == found.high == 1
    assert found.low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 40)))
    assert found.p == pytest.approx(2 / 1000)


def test_a_few_examples_show_nothing_however_alike_they_are() -> None:
    right = tally([1] * 3).interval(seed=0)
    assert right.high == 1
    assert right.low == pytest.approx(0.292, abs=0.001), "the exact interval of 3 of 3"
    wrong = tally([0] * 3).interval(seed=0)
    assert wrong.low == 0
    assert wrong.high == pytest.approx(0.708, abs=0.001)
    found = intervals.difference(tally([1] * 3), tally([0] * 3), seed=0)
    assert found.low < 0
    assert found.p == 0.25
    correlated = intervals.Tally(counts=np.ones((9, 1)), score=metrics.mean_score, least=-1.0)
    assert correlated.interval(seed=0).low == pytest.approx(1 - 2 * intervals.unseen(9))


def test_few_examples_on_which_two_differ_show_nothing() -> None:
    for more, shown in ((4, False), (5, False), (6, True)):
        found = intervals.difference(tally([1] * more + [0, 1]), tally([0] * more + [0, 1]), seed=0)
        assert found.low > 0
        assert found.p >= 2 * 0.5**more
        assert found.shown is shown


def test_a_difference_of_nothing_is_certainly_none() -> None:
    assert intervals.difference(tally([1, 0] * 20), tally([1, 0] * 20), seed=0).p == 1

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autolect.core import metrics
from autolect.core.metrics import PerLabel

tags = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=8)


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ("O O O", set()),
        ("B-PER", {(0, 1, "PER")}),
        ("B-PER I-PER O B-LOC", {(0, 2, "PER"), (3, 4, "LOC")}),
        ("B-PER B-PER I-PER", {(0, 1, "PER"), (1, 3, "PER")}),
        ("I-PER I-PER O", set()),
        ("O I-PER B-PER", {(2, 3, "PER")}),
        ("B-PER I-LOC I-PER", {(0, 1, "PER")}),
        ("B-PER O I-PER", {(0, 1, "PER")}),
        ("B-PER I-PER I-PER", {(0, 3, "PER")}),
        ("B-a-b I-a-b", {(0, 2, "a-b")}),
        ("", set()),
    ],
)
def test_entities_follow_the_strict_reading_of_iob2(sequence: str, expected: set[metrics.Entity]) -> None:
    assert metrics.entities(sequence.split()) == expected


def test_entity_f1_of_a_case_worked_out_by_hand() -> None:
    # Gold: MISC 3-6, PER 0-2. Predicted: MISC 2-6 (a wrong start), PER 0-2. So one of two is right.
    gold = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    predicted = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    score = metrics.entity_f1(gold, predicted)
    assert (score.precision, score.recall, score.f1) == (0.5, 0.5, 0.5)
    assert score.per_label == (
        PerLabel(label="MISC", precision=0.0, recall=0.0, f1=0.0, support=1),
        PerLabel(label="PER", precision=1.0, recall=1.0, f1=1.0, support=1),
    )


def test_entity_f1_counts_a_wrong_type_as_one_missed_and_one_too_many() -> None:
    # Three in gold, two predicted, one right: P 1/2, R 1/3, F1 2*1/(2+3).
    gold = [["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG", "O", "O"]]
    score = metrics.entity_f1(gold, predicted)
    assert score.precision == pytest.approx(1 / 2)
    assert score.recall == pytest.approx(1 / 3)
    assert score.f1 == pytest.approx(2 / 5)
    assert [label.support for label in score.per_label] == [1, 1, 1]


def test_entities_of_different_sentences_never_meet() -> None:
    assert metrics.entity_f1([["B-PER"], ["O"]], [["O"], ["B-PER"]]).f1 == 0


def test_nothing_to_find_and_nothing_found_scores_zero_without_a_warning() -> None:
    assert metrics.entity_f1([["O"]], [["O"]]).f1 == 0
    assert metrics.f1_score(np.zeros((1, 3))).tolist() == [0.0]
    assert metrics.accuracy([], []) == 0
    assert metrics.expected_calibration_error([], []) == 0


@given(st.lists(st.tuples(tags, tags), min_size=1, max_size=6))
def test_counts_of_examples_add_up_to_the_score_of_all(pairs: list[tuple[list[str], list[str]]]) -> None:
    gold = [one for one, _ in pairs]
    predicted = [(other + ["O"] * len(one))[: len(one)] for one, other in pairs]
    counts = metrics.entity_counts(gold, predicted)
    total = counts.sum(axis=0, keepdims=True).astype(float)
    assert metrics.f1_score(total)[0] == pytest.approx(metrics.entity_f1(gold, predicted).f1)


def test_confusion_has_gold_in_rows_and_predictions_in_columns() -> None:
    matrix = metrics.confusion([0, 0, 1, 2], [0, 1, 1, 1], 4)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_scores_of_labels_come_out_as_worked_out_by_hand() -> None:
    matrix = metrics.confusion([0, 0, 1, 2], [0, 1, 1, 1], 4)
    first, second, third, fourth = metrics.per_label(matrix, ["a", "b", "c", "d"])
    assert (first.precision, first.recall, first.f1) == pytest.approx((1, 1 / 2, 2 / 3))
    assert (second.precision, second.recall, second.f1) == pytest.approx((1 / 3, 1, 1 / 2))
    assert (first.label, first.support, second.label, second.support) == ("a", 2, "b", 1)
    assert (third.f1, third.support) == (0.0, 1)
    assert (fourth.f1, fourth.support) == (0.0, 0)


def test_macro_f1_leaves_out_only_labels_that_never_occur() -> None:
    matrix = metrics.confusion([0, 0, 1, 2], [0, 1, 1, 1], 4)
    assert metrics.macro_f1(matrix) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert metrics.macro_f1(metrics.confusion([], [], 2)) == 0


def test_accuracy_is_the_share_of_equal_elements() -> None:
    assert metrics.accuracy(["a", "b", "c", "c"], ["a", "c", "c", "b"]) == 0.5


def test_labels_outside_the_matrix_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        metrics.confusion([0], [3], 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_spearman_with_ties_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert metrics.spearman(a, b) == 0
    else:
        assert metrics.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)


def test_calibration_error_weighs_each_bin_by_its_examples() -> None:
    # Two bins: 0.9, 0.9, 0.9, 0.9 with 3 right (gap 0.15) and 0.2 with 1 right (gap 0.8).
    error = metrics.expected_calibration_error([0.9] * 4 + [0.2], [1, 1, 1, 0, 1], num_bins=2)
    assert error == pytest.approx(0.15 * 4 / 5 + 0.8 / 5)


def test_calibration_error_accepts_full_certainty() -> None:
    assert metrics.expected_calibration_error([1.0, 1.0, 0.0], [1, 1, 0]) == 0


def test_macro_tally_is_the_mean_of_f1_over_the_labels_of_the_gold_data() -> None:
    from sklearn.metrics import f1_score

    draw = np.random.default_rng(0)
    gold = [str(one) for one in draw.choice(list("abc"), 60)]
    found = [str(one) for one in draw.choice(list("abc"), 60)]
    tally = metrics.macro_tally([(one,) for one in gold], [(one,) for one in found])
    assert tally.value == pytest.approx(f1_score(gold, found, average="macro"))
    unknown = metrics.macro_tally([("a",), ("b",)], [("a",), ("z",)])
    assert unknown.value == pytest.approx(0.5)


def test_partial_f1_asks_for_an_overlap_of_the_same_type_alone() -> None:
    gold = [["B-x", "I-x", "O", "B-y"]]
    assert metrics.partial_f1(gold, [["B-x", "O", "O", "B-y"]]) == 1
    assert metrics.partial_f1(gold, [["B-y", "I-y", "O", "B-y"]]) == pytest.approx(0.5)
    assert metrics.partial_f1(gold, [["O"] * 4]) == 0
    # Two parts of one entity both meet it.
    assert metrics.partial_f1(gold, [["B-x", "B-x", "O", "O"]]) == pytest.approx(2 / 3)

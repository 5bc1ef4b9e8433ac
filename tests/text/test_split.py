from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text.split import NAMES, TEST, TRAIN, VALID, assign


def counts(num_documents: int, valid: float, test: float, seed: int = 0) -> list[int]:
    zeros = np.zeros(num_documents, dtype=np.int64)
    splits = assign(zeros, zeros, valid=valid, test=test, seed=seed)
    assert splits.dtype == np.int8
    return [int((splits == part).sum()) for part in (TRAIN, VALID, TEST)]


def test_names_stand_at_their_numbers() -> None:
    assert [NAMES[TRAIN], NAMES[VALID], NAMES[TEST]] == ["train", "valid", "test"]


@pytest.mark.parametrize(
    ("num_documents", "valid", "test", "expected"),
    [
        (1000, 0.05, 0.05, [900, 50, 50]),
        (100, 0.07, 0.13, [80, 7, 13]),
        (101, 0.05, 0.05, [91, 5, 5]),
        (3, 0.05, 0.05, [1, 1, 1]),
        (10, 0.0, 0.01, [9, 0, 1]),
        (10, 0.9, 0.09, [1, 8, 1]),
        (7, 0.0, 0.0, [7, 0, 0]),
        (0, 0.0, 0.0, [0, 0, 0]),
    ],
)
def test_shares_are_exact_and_never_empty(
    num_documents: int, valid: float, test: float, expected: list[int]
) -> None:
    if num_documents == 0:
        with pytest.raises(UserError):
            counts(num_documents, valid, test)
        return
    assert counts(num_documents, valid, test) == expected


@settings(max_examples=150, deadline=None)
@given(
    num_documents=st.integers(3, 300),
    valid=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    seed=st.integers(0, 99),
)
def test_every_share_is_within_one_document(num_documents: int, valid: float, test: float, seed: int) -> None:
    found = counts(num_documents, valid, test, seed)
    assert sum(found) == num_documents
    for count, share in zip(found, [1 - valid - test, valid, test], strict=True):
        assert (count > 0) == (share > 0)
        assert abs(count - share * num_documents) <= 2


def test_sources_and_lengths_are_mixed_alike() -> None:
    chance = np.random.default_rng(1)
    sources = np.repeat([7, 3, 12], [6000, 3000, 1000])
    lengths = chance.lognormal(4, 1.5, size=10_000).astype(np.int64) * (1 + sources)
    splits = assign(lengths, sources, valid=0.1, test=0.05, seed=0)
    for part, share in ((VALID, 0.1), (TEST, 0.05)):
        for source in (7, 3, 12):
            assert abs((splits[sources == source] == part).mean() - share) < 0.003
        for low, high in ((0, 20), (20, 40), (40, 60), (60, 80), (80, 100)):
            bounds = np.percentile(lengths, [low, high])
            inside = (lengths >= bounds[0]) & (lengths <= bounds[1])
            assert abs((splits[inside] == part).mean() - share) < 0.01


def test_many_small_sources_still_give_their_share() -> None:
    sources = np.arange(1000) // 3
    splits = assign(np.ones(1000, dtype=np.int64), sources, valid=0.1, test=0.1, seed=0)
    first, second = splits[:500], splits[500:]
    assert abs((first == VALID).sum() - (second == VALID).sum()) <= 4


def test_the_seed_decides_and_nothing_else() -> None:
    lengths = np.arange(500)
    sources = lengths % 5
    one, again, other = (assign(lengths, sources, valid=0.1, test=0.1, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


@pytest.mark.parametrize(("num_documents", "valid", "test"), [(2, 0.1, 0.1), (1, 0.1, 0.0), (0, 0.0, 0.0)])
def test_too_few_documents_are_an_error_that_helps(num_documents: int, valid: float, test: float) -> None:
    with pytest.raises(UserError, match="cannot be split") as caught:
        counts(num_documents, valid, test)
    assert caught.value.where == "corpus.split"
    assert "corpus.document" in caught.value.fix

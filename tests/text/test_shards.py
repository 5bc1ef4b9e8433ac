"""The token store: what of it a look takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autolect.text.shards import TokenStore, TokenWriter, open_store


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    with TokenWriter(tmp_path, "valid", marked=False) as writer:
        for number in range(200):
            writer.add(np.full(3 + number % 7, number, np.int32))
    return open_store(tmp_path, "valid", length=8)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.51, 0.99])
def test_a_sample_holds_as_many_tokens_as_were_asked_for_from_all_over(
    store: TokenStore, share: float
) -> None:
    asked = int(share * store.lengths.sum())
    some = store.sample(asked)
    assert asked * 0.8 <= some.lengths.sum() <= asked * 1.2 + store.lengths.max()
    assert len(np.unique(some.starts)) == len(some)
    if len(some) > 1:
        gaps = np.diff(some.documents)
        assert gaps.max() <= gaps.mean() + 2


def test_a_store_with_no_more_than_was_asked_for_is_taken_whole(store: TokenStore) -> None:
    whole = store.sample(int(store.lengths.sum()))
    assert whole.starts.tolist() == store.starts.tolist()
    assert store.sample(10**9).lengths.sum() == store.lengths.sum()
    assert len(whole.sample(1)) == 1

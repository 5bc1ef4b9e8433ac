from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.vectors import texts
from autolect.vectors.texts import spelt

SOME = st.lists(st.lists(st.sampled_from(["a", "b", "犬", "", " "]), max_size=6), max_size=12)


@settings(deadline=None)
@given(given_texts=SOME, block=st.integers(1, 20))
def test_texts_come_back_in_whole_blocks(given_texts: list[list[str]], block: int) -> None:
    found = spelt(given_texts)
    before, texts.BLOCK = texts.BLOCK, block
    try:
        assert list(found) == list(found) == given_texts
        blocks = list(found.blocks())
    finally:
        texts.BLOCK = before
    assert [n for _, lengths in blocks for n in lengths] == [len(one) for one in given_texts]
    assert all(len(ids) == lengths.sum() for ids, lengths in blocks)
    assert all(len(ids) <= block or len(lengths) == 1 or not ids.size for ids, lengths in blocks)
    whole = [key for one in given_texts for key in one]
    assert dict(zip(found.keys, found.counts().tolist(), strict=True)) == {k: whole.count(k) for k in whole}


@pytest.mark.parametrize("some", [[], [[]], [["a", "b"], [], ["b"]]])
def test_ids_on_the_disk_are_those_in_memory(some: list[list[str]], tmp_path: Path) -> None:
    kept, written = spelt(some), spelt(iter(some), tmp_path / "ids")
    assert list(written) == list(kept) == some
    assert np.array_equal(written.ids, kept.ids)
    assert isinstance(written.ids, np.memmap) == bool(sum(map(len, some)))

"""Batches: every row once, in an order that follows from seed and epoch alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autolect.train.batches import MOST_LONGER, Batches, bucket_lengths

lengths = st.lists(st.integers(2, 300), min_size=1, max_size=200)


@given(lengths, st.integers(16, 2048), st.integers(0, 5))
def test_every_row_stands_in_an_epoch_once_and_fits_its_batch(
    sizes: list[int], batch_tokens: int, epoch: int
) -> None:
    batches = Batches(sizes, batch_tokens=batch_tokens, seed=1)
    found = batches.epoch(epoch)
    rows = np.concatenate([batch.rows for batch in found])
    assert sorted(rows.tolist()) == list(range(len(sizes)))
    for batch in found:
        assert max(sizes[row] for row in batch.rows) <= batch.length
        assert len(batch.rows) == 1 or len(batch.rows) * batch.length <= batch_tokens
    assert len(found) == batches.num_batches


@given(lengths)
def test_little_is_lost_to_padding(sizes: list[int]) -> None:
    assert (bucket_lengths(np.array(sizes)) - np.array(sizes) <= np.maximum(7, np.array(sizes) // 7)).all()


def test_a_step_is_found_without_walking_there() -> None:
    sizes = list(range(2, 100))
    walked = Batches(sizes, batch_tokens=256, seed=3)
    steps = [walked.at(step) for step in range(3 * walked.num_batches)]
    late = Batches(sizes, batch_tokens=256, seed=3).at(len(steps) - 1)
    assert np.array_equal(late.rows, steps[-1].rows)
    other = Batches(sizes, batch_tokens=256, seed=4).at(len(steps) - 1)
    assert not np.array_equal(late.rows, other.rows)


@given(lengths, st.integers(16, 2048))
def test_batches_of_one_length_have_as_many_rows_so_that_few_shapes_occur(
    sizes: list[int], batch_tokens: int
) -> None:
    batches = Batches(sizes, batch_tokens=batch_tokens, seed=1)
    shapes = {(len(batch.rows), batch.length) for batch in batches.epoch(0)}
    known = np.unique(bucket_lengths(np.array(sizes)))
    full = {(max(1, batch_tokens // length), length) for length in known.tolist()}
    # Besides the full ones there is at most one short one for each length.
    assert len(shapes - full) <= len({length for _, length in shapes - full})


@given(lengths, st.integers(16, 8192))
def test_no_row_is_padded_to_much_more_than_its_own_length(sizes: list[int], batch_tokens: int) -> None:
    batches = Batches(sizes, batch_tokens=batch_tokens, seed=1)
    known = bucket_lengths(np.array(sizes))
    for batch in batches.epoch(0):
        assert batch.length <= MOST_LONGER * known[batch.rows].min()


@given(lengths, st.integers(16, 2048))
def test_the_padding_that_is_told_is_that_of_an_epoch(sizes: list[int], batch_tokens: int) -> None:
    batches = Batches(sizes, batch_tokens=batch_tokens, seed=1)
    places = sum(len(batch.rows) * batch.length for batch in batches.epoch(0))
    assert batches.padding() == 1.0 - sum(sizes) / places

"""Sparse features that are known by numbers, and the others, which weigh nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autolect.core.errors import DamagedError
from autolect.nn import heads, weights
from autolect.nn.heads import SparseField, Wide
from autolect.nn.keyed import NO_KEY, Keyed


def keyed() -> Keyed:
    part = Keyed(2)
    part.name(np.array([3, 8, 500_000_000], dtype=np.int64))
    part.fill(np.array([[1, 0], [0, 10], [100, 100]], dtype=np.float32))
    return part


def test_known_features_weigh_what_was_fitted_and_others_nothing() -> None:
    part = keyed()
    ids = torch.tensor([3, 8, 8, 0, 4, 499_999_999, 500_000_000, NO_KEY - 1])
    starts = torch.tensor([0, 3, 6, 8])
    assert part.sums(part.rows(ids), starts).tolist() == [[1, 20], [0, 0], [100, 100], [0, 0]]


def test_a_part_that_knows_nothing_says_nothing() -> None:
    part = Keyed(3)
    assert part.sums(part.rows(torch.tensor([5, 7])), torch.tensor([0])).tolist() == [[0, 0, 0]]


def test_a_file_says_how_many_features_a_part_knows(tmp_path: Path) -> None:
    network, path = (
        torch.nn.ModuleDict({"wide": Wide(2), "field": SparseField(3)}),
        tmp_path / "w.safetensors",
    )
    wide = network["wide"]
    assert isinstance(wide, Wide)
    wide.learn([np.array([4, 9]), np.array([9, 11])])
    wide.fill(np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32))
    weights.save(network.state_dict(), path)
    other = torch.nn.ModuleDict({"wide": Wide(2), "field": SparseField(3)})
    weights.load(other, path)
    found = other.state_dict()
    assert len(found["wide.table"]) == 4
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("damage", ["no keys", "fewer rows", "keys of two axes"])
def test_a_file_whose_features_and_weights_differ_is_refused(tmp_path: Path, damage: str) -> None:
    part, path = torch.nn.ModuleDict({"field": SparseField(2)}), tmp_path / "w.safetensors"
    values = dict(part.state_dict())
    if damage == "no keys":
        del values["field.keys"]
    elif damage == "fewer rows":
        values["field.keys"] = torch.arange(5, dtype=torch.int32)
    else:
        values["field.keys"] = torch.zeros(2, 2, dtype=torch.int32)
    weights.save(values, path)
    with pytest.raises(DamagedError):
        weights.load(part, path)


def test_of_too_many_features_the_most_frequent_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "WIDE_WEIGHTS", 4)
    part = Wide(2)
    part.learn([np.array([1, 5, 7]), np.array([5, 7]), np.array([7, 7])])
    assert part.keys.tolist() == [5, 7, NO_KEY]
    assert part.rarity[0] > part.rarity[1] > part.rarity[2] == 0


def test_features_that_are_not_known_take_no_share_of_an_item() -> None:
    part = Wide(1)
    part.learn([np.array([1, 2])])
    part.fill(np.array([[1.0], [1.0]], dtype=np.float32))
    group, value = torch.zeros(2, dtype=torch.long), torch.ones(2)
    alone = part(torch.tensor([1]), value[:1], group[:1], torch.tensor([0]))
    beside = part(torch.tensor([1, 99]), value, group, torch.tensor([0]))
    assert beside.tolist() == alone.tolist()

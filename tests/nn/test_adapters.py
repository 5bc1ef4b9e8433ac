"""Adapters: nothing changes at first, few weights learn, and they vanish into the matrices."""

from __future__ import annotations

import pytest
import torch

from autolect.core import recipe
from autolect.nn import adapters
from autolect.nn.model import Model, architecture_for

TOKENS = torch.arange(6, 18).view(2, 6)
KEEP = torch.ones(2, 6, dtype=torch.bool)


def made(kind: str) -> Model:
    torch.manual_seed(0)
    encoder = {"kind": kind, "width": 16, "layers": 2}
    table = {"corpus": {"files": ["x"]}, "encoder": encoder, "decoder": {"kind": "none"}}
    table |= {"objective": {"kind": "masked"}}
    return Model(architecture_for(recipe.from_table(table), vocab_size=40)).eval()


@pytest.mark.parametrize("kind", ["transformer", "lstm", "gru"])
def test_they_learn_alone_and_vanish_into_the_matrices(kind: str) -> None:
    model = made(kind)
    before, names = model.encode(TOKENS, KEEP), set(model.state_dict())
    start = {name: value.clone() for name, value in model.named_parameters()}
    adapters.add(model, rank=2)
    torch.testing.assert_close(model.encode(TOKENS, KEEP), before)
    learning = [value for value in model.parameters() if value.requires_grad]
    assert 0 < sum(value.numel() for value in learning) < sum(value.numel() for value in start.values()) / 2
    optimizer = torch.optim.SGD(learning, lr=0.1)
    for _ in range(2):
        torch.autograd.backward(model.encode(TOKENS, KEEP)[..., 0].sum())
        optimizer.step()
    learned = model.encode(TOKENS, KEEP)
    assert not torch.allclose(learned, before, atol=1e-3)
    adapters.merge(model)
    torch.testing.assert_close(model.encode(TOKENS, KEEP), learned)
    assert set(model.state_dict()) == names
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, start[name])}
    assert changed
    assert all(start[name].dim() == 2 for name in changed)
    assert "embedding.weight" not in changed


def test_a_frozen_network_gets_no_gradient() -> None:
    model = made("transformer")
    adapters.freeze(model)
    assert not model.encode(TOKENS, KEEP).requires_grad


def test_the_rank_is_never_more_than_a_matrix_has() -> None:
    model = made("transformer")
    adapters.add(model, rank=1000)
    assert (
        max(min(value.shape) for name, value in model.named_parameters() if "parametrizations" in name) <= 48
    )

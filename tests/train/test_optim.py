"""The optimizers: which weights are turned, how far, and that AdamW serves the rest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autolect.core.device import fast_bfloat16
from autolect.core.recipe import FinetuneConfig, TrainConfig
from autolect.train.optim import LIKE_ADAMW, MOMENTUM, SHARE, TURNED, Muon, make_optimizer, orthogonal


class Network(nn.Module):
    """An embedding, a linear part and an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(12, 8)
        self.enter = nn.Linear(8, 8)
        self.states = nn.LSTM(8, 8, batch_first=True)

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.states(self.enter(self.embedding(tokens)))[0]
        return states.square().sum()


@pytest.mark.parametrize("shape", [(16, 16), (16, 24), (16, 90), (90, 16)])
def test_all_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    chance = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, *shape, generator=chance)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = orthogonal(matrices)
    found = torch.linalg.svdvals(turned)
    assert turned.shape == matrices.shape
    assert float(found.max()) < 1.3
    assert float(found[values > 0.1 * values[:, :1]].min()) > 0.6
    # The directions stay, only their lengths change: what is turned is still nearly the same in them.
    inside = left.transpose(1, 2) @ turned @ right.transpose(1, 2)
    off = inside - torch.diag_embed(torch.diagonal(inside, dim1=1, dim2=2))
    assert float(off.abs().max()) < (3e-2 if fast_bfloat16(matrices.device) else 1e-3)


def test_a_long_matrix_is_turned_to_the_same_by_way_of_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = torch.randn(2, 8, 64, generator=torch.Generator().manual_seed(1))
    short_way = orthogonal(matrices)
    monkeypatch.setattr("autolect.train.optim.LONG", 1000)
    # In bfloat16 there is no short way.
    torch.testing.assert_close(short_way, orthogonal(matrices), atol=1e-4, rtol=1e-3)


def test_matrices_are_turned_and_embeddings_are_not() -> None:
    network = Network()
    optimizer = make_optimizer(network, TrainConfig(steps=1, optimizer="muon"))
    names = {id(value): name for name, value in network.named_parameters()}
    turned = {names[id(v)] for group in optimizer.param_groups if group.get(TURNED) for v in group["params"]}
    assert turned == {"enter.weight", "states.weight_ih_l0", "states.weight_hh_l0"}
    every = [names[id(value)] for group in optimizer.param_groups for value in group["params"]]
    assert sorted(every) == sorted(names.values()), "each weight stands in one group"
    plain = make_optimizer(network, TrainConfig(steps=1))
    assert not any(group.get(TURNED) for group in plain.param_groups)


def test_without_marked_groups_it_is_adamw() -> None:
    weights = []
    for kind in (Muon, torch.optim.AdamW):
        network = Network()
        optimizer = kind(network.parameters(), lr=0.01, fused=True)
        for step in range(3):
            torch.autograd.backward(network.loss(torch.arange(12)[None] * (step + 1) % 12))
            optimizer.step()
            optimizer.zero_grad()
        weights.append([value.detach().clone() for value in network.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_a_step_is_as_large_as_one_of_adamw_and_goes_down_the_momentum() -> None:
    network = Network()
    rate = 0.01
    optimizer = make_optimizer(network, TrainConfig(steps=1, optimizer="muon", rate=rate, weight_decay=0.0))
    before = network.enter.weight.detach().clone()
    momentum = torch.zeros_like(before)
    for _ in range(2):
        torch.autograd.backward(network.loss(torch.arange(12)[None]))
        gradient = network.enter.weight.grad
        assert gradient is not None
        gradient = gradient.clone()
        momentum = MOMENTUM * momentum + gradient
        optimizer.step()
        optimizer.zero_grad()
        moved = before - network.enter.weight.detach()
        wanted = rate * LIKE_ADAMW * 8**0.5 * orthogonal((gradient + MOMENTUM * momentum)[None])[0]
        torch.testing.assert_close(moved, wanted)
        before = network.enter.weight.detach().clone()
    size = float(moved.square().mean().sqrt())
    assert 0.6 * rate * LIKE_ADAMW < size < 1.3 * rate * LIKE_ADAMW


def test_matrices_decay_where_they_are_turned() -> None:
    sizes = []
    for decay in (0.0, 0.5):
        network = Network()
        settings = TrainConfig(steps=1, optimizer="muon", rate=0.1, weight_decay=decay)
        optimizer = make_optimizer(network, settings)
        before = network.enter.weight.detach().clone()
        torch.autograd.backward(network.loss(torch.arange(12)[None]))
        optimizer.step()
        sizes.append((before, network.enter.weight.detach().clone()))
    (start, kept), (_, shrunk) = sizes
    torch.testing.assert_close(kept - shrunk, 0.1 * 0.5 * start)


def test_lower_layers_learn_at_a_share_of_the_rate() -> None:
    network = nn.ModuleDict(
        {
            "embedding": nn.Embedding(4, 2),
            "encoder": nn.ModuleDict({"blocks": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])}),
            "head": nn.Linear(2, 2),
        }
    )
    optimizer = make_optimizer(network, FinetuneConfig(steps=1, layer_decay=0.5))
    names = {id(value): name for name, value in network.named_parameters()}
    shares = {names[id(value)]: group[SHARE] for group in optimizer.param_groups for value in group["params"]}
    assert shares == {
        "head.weight": 1.0,
        "head.bias": 1.0,
        "encoder.blocks.1.weight": 1.0,
        "encoder.blocks.1.bias": 1.0,
        "encoder.blocks.0.weight": 0.5,
        "encoder.blocks.0.bias": 0.5,
        "embedding.weight": 0.25,
    }
    whole = make_optimizer(network, FinetuneConfig(steps=1))
    assert {group[SHARE] for group in whole.param_groups} == {1.0}

"""The states of some places: what `encode` gives there, gradients included, for less."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autolect.core import recipe
from autolect.nn.attention import taken
from autolect.nn.losses import NO_TARGET, target_places, token_loss
from autolect.nn.model import Model, architecture_for

ENCODERS: list[dict[str, Any]] = [
    {"shape": shape, "layers": layers} for shape in ("modern", "bert", "gpt2") for layers in (1, 3)
]
ENCODERS += [{"kind": "lstm", "layers": 1}]


@pytest.fixture(params=ENCODERS, ids=lambda one: "-".join(map(str, one.values())))
def model(request: pytest.FixtureRequest) -> Model:
    torch.manual_seed(0)
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 16, "dropout": 0.0, **request.param},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
    }
    return Model(architecture_for(recipe.from_table(table), vocab_size=40))


def test_the_loss_at_targets_is_the_loss_of_all(model: Model) -> None:
    chance = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, 40, (3, 40), generator=chance)
    keep = torch.ones_like(tokens, dtype=torch.bool)
    keep[1, 30:] = False
    targets = torch.where((torch.rand(tokens.shape, generator=chance) < 0.2) & keep, tokens, NO_TARGET)
    targets[2] = NO_TARGET
    at = target_places(targets)
    assert at.shape == (3, 16)
    some, count = token_loss(model, model.encode_at(tokens, keep, at), targets.gather(1, at))
    found = torch.autograd.grad(some, list(model.parameters()))
    whole, all_of_them = token_loss(model, model.encode(tokens, keep), targets)
    wanted = torch.autograd.grad(whole, list(model.parameters()))
    assert count == all_of_them == int((targets != NO_TARGET).sum())
    torch.testing.assert_close(some, whole)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(model.encode_at(tokens, keep, at), taken(model.encode(tokens, keep), at))


@pytest.mark.parametrize("length", [5, 16, 40])
def test_places_hold_every_target(length: int) -> None:
    targets = torch.full((2, length), NO_TARGET)
    assert target_places(targets).shape == (2, min(16, length))
    targets[1, ::2] = 7
    at = target_places(targets)
    assert set(range(0, length, 2)) <= set(at[1].tolist())
    assert len(set(at[1].tolist())) == at.shape[1]

"""Latents: real, with noise, or of few levels; what they cost, and what a decoder gets."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from autolect.core import recipe
from autolect.core.errors import UserError
from autolect.core.recipe import BottleneckConfig
from autolect.nn.bottleneck import Bottleneck, levelled
from autolect.nn.model import architecture_for


def bottleneck(**settings: Any) -> Bottleneck:
    torch.manual_seed(0)
    return Bottleneck(BottleneckConfig(**settings), width=8)


STATES = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
KEEP = torch.tensor([[True] * 5, [True, True, False, False, False], [True] * 4 + [False]])


@pytest.mark.parametrize("code", ["real", "variational", "quantised"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
def test_padding_never_reaches_a_latent(code: str, pooling: str) -> None:
    made = bottleneck(code=code, pooling=pooling, size=4)
    noisy = torch.where(KEEP[..., None], STATES, 99.0)
    torch.testing.assert_close(made(noisy, KEEP), made(STATES, KEEP))
    assert made(STATES, KEEP).shape == (3, 4)
    assert made.memory(made(STATES, KEEP)).shape == (3, 1, 8)


@pytest.mark.parametrize("levels", [2, 3, 4, 16])
def test_a_quantised_latent_has_so_many_levels_and_still_passes_gradients(levels: int) -> None:
    numbers = torch.linspace(-4, 4, 401, requires_grad=True)
    found = levelled(numbers, levels)
    assert len(set(found.tolist())) == levels
    assert found.min() == -1
    assert found.max() == 1
    assert bool((found.diff() >= 0).all())
    torch.autograd.backward(found.sum())
    assert numbers.grad is not None
    assert bool((numbers.grad > 0).all())
    assert bottleneck(code="quantised", levels=levels, size=6).bits() == pytest.approx(6 * math.log2(levels))


def test_a_variational_latent_costs_its_divergence_and_draws_around_its_mean() -> None:
    made = bottleneck(code="variational", size=4)
    assert made.spread is not None
    mean = made(STATES, KEEP)
    drawn = torch.stack([made.coded(STATES, KEEP).latent for _ in range(4000)])
    spread = made.spread(made._pool(STATES, KEEP)).exp().sqrt()
    torch.testing.assert_close(drawn.mean(dim=0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), spread, atol=0.02, rtol=0.1)
    normal = torch.distributions.Normal(mean, spread)
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(made.coded(STATES, KEEP).nats, wanted)


@pytest.mark.parametrize("code", ["real", "quantised"])
def test_a_latent_without_noise_is_the_same_in_training_and_costs_nothing_more(code: str) -> None:
    made = bottleneck(code=code, size=4)
    coded = made.coded(STATES, KEEP)
    torch.testing.assert_close(coded.latent, made(STATES, KEEP))
    assert not coded.nats.any()


def test_a_latent_wider_than_the_states_is_refused_with_what_fits() -> None:
    settings = recipe.from_table(
        {"corpus": {"files": ["x"]}, "encoder": {"width": 16}, "bottleneck": {"size": 17}}
    )
    with pytest.raises(UserError, match=r"bottleneck\.size: 17 is wider than .* \(16\); set it to 16"):
        architecture_for(settings, vocab_size=10)

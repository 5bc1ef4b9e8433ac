"""Every encoder and decoder, found by its file name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from autolect.core import registry

WIDTH = 16
ENCODERS, DECODERS = registry.names("encoders"), registry.names("decoders")


def encoder(name: str, *, causal: bool = False) -> Any:
    plugin = registry.load("encoders", name)
    torch.manual_seed(0)
    return plugin.build(plugin.config(width=WIDTH, layers=2), causal=causal).eval()  # type: ignore[call-arg]


def decoder(name: str, *, memory: bool = True) -> Any:
    plugin = registry.load("decoders", name)
    torch.manual_seed(0)
    return plugin.build(plugin.config(layers=2), width=WIDTH, memory=memory).eval()  # type: ignore[call-arg]


def example() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 5, WIDTH, generator=generator)
    return x, torch.tensor([[True, True, False, False, False], [True] * 5])


def test_both_kinds_are_there() -> None:
    assert {"transformer", "lstm", "gru"} <= set(ENCODERS)
    assert set(ENCODERS) == set(DECODERS)


@pytest.mark.parametrize("group", ["encoders", "decoders", "objectives", "tasks", "vectors", "baselines"])
def test_kind_is_the_file_name(group: str) -> None:
    for name in registry.names(group):
        assert registry.load(group, name).config.model_fields["kind"].default == name


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ENCODERS)
def test_padding_never_changes_real_tokens(name: str, causal: bool) -> None:
    network = encoder(name, causal=causal)
    x, keep = example()
    noisy = torch.where(keep[..., None], x, torch.tensor(99.0))
    torch.testing.assert_close(network(noisy, keep)[keep], network(x, keep)[keep])
    torch.testing.assert_close(network(x[:1, :2], keep[:1, :2])[0], network(x, keep)[0, :2])


@pytest.mark.parametrize("name", ENCODERS)
def test_padding_comes_out_as_zero(name: str) -> None:
    x, keep = example()
    assert not encoder(name)(x, keep)[~keep].any()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_sees_both_sides(name: str) -> None:
    network = encoder(name)
    x, keep = example()
    changed = x.clone()
    changed[1, 4] += 1
    assert not torch.allclose(network(changed, keep)[1, 0], network(x, keep)[1, 0])
    changed = x.clone()
    changed[1, 0] += 1
    assert not torch.allclose(network(changed, keep)[1, 4], network(x, keep)[1, 4])


@pytest.mark.parametrize("name", ENCODERS)
def test_a_causal_encoder_never_sees_ahead(name: str) -> None:
    network = encoder(name, causal=True)
    x, keep = example()
    changed = x.clone()
    changed[1, 3:] += 1
    torch.testing.assert_close(network(changed, keep)[1, :3], network(x, keep)[1, :3])


@pytest.mark.parametrize("name", ENCODERS)
def test_steps_of_a_causal_encoder_equal_the_whole(name: str) -> None:
    network = encoder(name, causal=True)
    x = example()[0]
    past, steps = None, []
    for place in range(x.shape[1]):
        state, past = network.step(x[:, place : place + 1], past)
        steps.append(state)
    whole = network(x, torch.ones(x.shape[:2], dtype=torch.bool))
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_never_sees_ahead(name: str) -> None:
    network = decoder(name)
    x, keep = example()
    memory = torch.randn(2, 1, WIDTH, generator=torch.Generator().manual_seed(2))
    changed = x.clone()
    changed[1, 2:] += 1
    torch.testing.assert_close(network(changed, keep, memory)[1, :2], network(x, keep, memory)[1, :2])


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_listens_to_its_memory_but_not_to_padding_in_it(name: str) -> None:
    network = decoder(name)
    x, keep = example()
    memory = torch.randn(2, 3, WIDTH, generator=torch.Generator().manual_seed(2))
    memory_keep = torch.tensor([[True, True, False], [True, True, True]])
    here = network(x, keep, memory, memory_keep)
    assert not torch.allclose(here[0, 0], network(x, keep, memory + 1, memory_keep)[0, 0])
    noisy = torch.where(memory_keep[..., None], memory, torch.tensor(99.0))
    torch.testing.assert_close(network(x, keep, noisy, memory_keep), here)


@pytest.mark.parametrize("with_memory", [True, False])
@pytest.mark.parametrize("name", DECODERS)
def test_steps_of_a_decoder_equal_the_whole(name: str, with_memory: bool) -> None:
    network = decoder(name, memory=with_memory)
    x = example()[0]
    memory = torch.randn(2, 1, WIDTH, generator=torch.Generator().manual_seed(2)) if with_memory else None
    past, steps = None, []
    for place in range(x.shape[1]):
        state, past = network.step(x[:, place : place + 1], past, memory)
        steps.append(state)
    whole = network(x, torch.ones(x.shape[:2], dtype=torch.bool), memory)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)


@pytest.mark.parametrize("shape", ["modern", "bert", "gpt2"])
def test_every_transformer_shape_keeps_padding_out_and_steps_alike(shape: str) -> None:
    plugin = registry.load("encoders", "transformer")
    torch.manual_seed(0)
    config = plugin.config(width=WIDTH, layers=2, shape=shape)  # type: ignore[call-arg]
    network = plugin.build(config, causal=True).eval()
    x = example()[0]
    past, steps = None, []
    for place in range(x.shape[1]):
        state, past = network.step(x[:, place : place + 1], past)
        steps.append(state)
    torch.testing.assert_close(torch.cat(steps, dim=1), network(x, torch.ones(2, 5, dtype=torch.bool)))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_of_an_encoder_learns(name: str) -> None:
    network = encoder(name).train()
    x, keep = example()
    network(x, keep).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []

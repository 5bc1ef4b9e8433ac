"""Passes by hand give the values and gradients of the formulas that they stand for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autolect.nn import kernels

Pass = Callable[..., Tensor]


def _plain(call: Pass, monkeypatch: pytest.MonkeyPatch) -> Pass:
    """The formulas that run where nothing is done by hand."""

    def formula(*given: Tensor) -> Tensor:
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "by_hand", lambda _: False)
            return call(*given)

    return formula


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    norm = kernels.RMSNorm(x.shape[-1], eps=1e-6, dtype=x.dtype)
    del norm.weight
    norm.weight = weight  # type: ignore[assignment]
    found: Tensor = norm(x)
    return found


def _biased(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    bias = torch.zeros(2, 1, 1, 7, dtype=query.dtype)
    bias[1, ..., 5:] = -1e9
    return kernels.mix(query, key, value, bias, 0.0)


HEADS: list[tuple[int, ...]] = [(2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4)]
ANGLES = torch.linspace(0, 3, 10, dtype=torch.float64).view(5, 2)
PASSES: dict[str, tuple[Pass, list[tuple[int, ...]]]] = {
    "mix": (lambda q, k, v: kernels.mix(q, k, v, None, 0.0), HEADS),
    "mix with a bias": (_biased, HEADS),
    "turn": (lambda x: kernels.turn(x, ANGLES.cos(), ANGLES.sin()), [(2, 3, 5, 4)]),
    "turn of a view": (
        lambda x: kernels.turn(x.transpose(1, 2), ANGLES.cos(), ANGLES.sin()),
        [(2, 5, 3, 4)],
    ),
    "gate": (kernels.gate, [(2, 3, 8)]),
    "norm": (_norm, [(2, 3, 6), (6,)]),
}


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_by_hand_is_the_formula_and_so_are_its_gradients(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    call, shapes = PASSES[name]
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    found, expected = call(*given), _plain(call, monkeypatch)(*given)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((one * weights).sum(), given) for one in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_dropout_zeroes_its_share_and_keeps_the_mean(dtype: torch.dtype, share: float) -> None:
    torch.manual_seed(1)
    ones = torch.ones(1001, 37, dtype=dtype)
    many = torch.stack([kernels.drop(ones, share, True) for _ in range(40)])
    shares = (many == 0).double().mean(dim=(1, 2))
    assert abs(float(shares.mean()) - share) < 0.004
    assert float((shares - share).abs().max()) < 1 / kernels.STEPS + 0.004
    assert abs(float(many.double().mean()) - 1) < 0.06
    # Neighbours are drawn apart.
    zero = (many == 0).double() - shares[:, None, None]
    assert abs(float((zero[:, :, 1:] * zero[:, :, :-1]).mean())) < 0.002
    assert torch.equal(kernels.drop(ones, share, False), ones)


def test_what_dropout_zeroes_has_no_gradient_and_the_rest_its_scale() -> None:
    torch.manual_seed(2)
    x, added = (torch.randn(64, 32, requires_grad=True) for _ in range(2))
    dropped = kernels.drop(added, 0.3, True)
    (grad,) = torch.autograd.grad(dropped.sum(), added)
    torch.testing.assert_close(grad * added, dropped)
    longer = kernels.add_dropped(x, added, 0.3, True)
    through, grad = torch.autograd.grad(longer.sum(), (x, added))
    torch.testing.assert_close(through, torch.ones_like(x))
    torch.testing.assert_close(x + grad * added, longer)


def test_attention_drops_the_same_weights_both_ways() -> None:
    """With values of one, what is mixed is the sum of the weights that are left."""
    torch.manual_seed(3)
    query, key = (torch.randn(2, 2, 9, 4, requires_grad=True) for _ in range(2))
    value = torch.ones(2, 2, 9, 4, requires_grad=True)
    torch.manual_seed(4)
    mixed = kernels.mix(query, key, value, None, 0.25)
    weights = (query @ key.transpose(-1, -2) / 2).softmax(dim=-1)
    torch.manual_seed(4)
    kept, scale = kernels._kept(weights.reshape(4, 9, 9), 0.25)
    left = weights * (kept.view(weights.shape) != 0) * scale
    torch.testing.assert_close(mixed, left @ value)
    ours, theirs = (
        torch.autograd.grad(one.square().sum(), (query, key, value)) for one in (mixed, left @ value)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_a_seed_draws_the_same_dropout_again() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(kernels.drop(torch.ones(50, 50), 0.2, True))
    assert torch.equal(*drawn)


@pytest.mark.parametrize("tanh", [False, True])
def test_gelu_in_few_digits_is_near_the_one_that_is_asked_for(tanh: bool) -> None:
    x = torch.linspace(-6, 6, 4001)
    exact = F.gelu(x, approximate="tanh" if tanh else "none")
    torch.testing.assert_close(kernels.gelu(x, tanh=tanh), exact)
    narrow = kernels.gelu(x.bfloat16(), tanh=tanh).float()
    torch.testing.assert_close(narrow, exact, atol=0.001, rtol=0.016)


@pytest.mark.parametrize("bias", [False, True])
def test_one_product_for_several_parts_gives_what_each_gives(
    bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor that multiplies in bfloat16; elsewhere both are the plain way."""
    torch.manual_seed(6)
    parts = [torch.nn.Linear(32, size, bias=bias) for size in (32, 64)]
    parts[1].bias is None or parts[1].bias.requires_grad_(False)
    x = torch.randn(3, 7, 32, requires_grad=True)
    given = [x, *(value for part in parts for value in part.parameters() if value.requires_grad)]

    def found() -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            one, other = kernels.project(x, *parts)
        loss = one.float().square().sum() + other.float().sum()
        return [one, other, *torch.autograd.grad(loss, given)]

    joined = found()
    monkeypatch.setattr(kernels, "by_hand", lambda _: False)
    for one, other in zip(joined, found(), strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, atol=0.1, rtol=0.03)


def test_what_is_frozen_takes_no_gradient() -> None:
    part = torch.nn.Linear(8, 8).requires_grad_(False)
    x = torch.randn(2, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = kernels.project(x, part)
    torch.autograd.backward(found.float().sum())
    assert x.grad is not None
    assert part.weight.grad is None

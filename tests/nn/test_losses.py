"""The loss over the vocabulary: the same value and gradients as the plain way, however it is cut."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autolect.nn import losses
from autolect.nn.encoders.transformer import TransformerEncoderConfig
from autolect.nn.losses import NO_TARGET, token_loss
from autolect.nn.model import Architecture, Model


def _model(vocab_size: int, *, output: str = "modern") -> Model:
    torch.manual_seed(0)
    encoder = TransformerEncoderConfig(width=16, layers=1, heads=2, dropout=0.0)
    model = Model(
        Architecture(
            vocab_size=vocab_size,
            encoder=encoder,
            decoder=None,
            bottleneck=None,
            causal=False,
            styles=("old", "new"),
            output=output,  # type: ignore[arg-type]
        )
    )
    with torch.no_grad():
        model.output_bias.normal_()
        if model.guess is not None:
            model.guess.weight.normal_()
    return model


def _plain(model: Model, states: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    return F.cross_entropy(
        model.scores(states).flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=NO_TARGET,
        reduction="sum",
        label_smoothing=smoothing,
    )


def _gradients(model: Model, states: Tensor, loss: Tensor) -> list[Tensor]:
    wanted = [states, *(value for name, value in model.named_parameters() if not name.startswith("encoder"))]
    return [grad for grad in torch.autograd.grad(loss, wanted, allow_unused=True) if grad is not None]


@pytest.mark.parametrize("output", ["modern", "bert", "plain"])
@pytest.mark.parametrize("count", [1, losses.ROUND, 95])
@pytest.mark.parametrize("chunk", [1 << 20, 70 * losses.ROUND])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_and_its_gradients_are_those_of_cross_entropy(
    output: str, count: int, chunk: int, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "CHUNK", dict.fromkeys(losses.CHUNK, chunk))
    model = _model(70, output=output)
    states = torch.randn(4, 24, 16, requires_grad=True)
    targets = torch.full((96,), NO_TARGET)
    targets[torch.randperm(96)[:count]] = torch.randint(0, 70, (count,))
    targets = targets.view(4, 24)
    found, number = token_loss(model, states, targets, smoothing=smoothing)
    expected = _plain(model, states, targets, smoothing)
    assert number == count
    torch.testing.assert_close(found, expected)
    # The mean is what is differentiated in training: a factor must reach every gradient.
    ours, theirs = (_gradients(model, states, loss / 3) for loss in (found, expected))
    assert len(ours) == len(theirs) >= 3
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_smoothed_targets_cost_as_much_in_bfloat16() -> None:
    model, states = _model(70), torch.randn(4, 24, 16)
    targets = torch.randint(0, 70, (4, 24))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        smooth, plain = (
            float(token_loss(model, states, targets, smoothing=one)[0].detach()) for one in (0.1, 0)
        )
    expected = float((_plain(model, states, targets, 0.1) - _plain(model, states, targets)).detach())
    assert smooth - plain == pytest.approx(expected, rel=0.02)


def test_nothing_to_predict_costs_nothing_and_has_a_gradient() -> None:
    states = torch.randn(2, 3, 16, requires_grad=True)
    loss, count = token_loss(_model(10), states, torch.full((2, 3), NO_TARGET))
    loss.backward()  # type: ignore[no-untyped-call]
    assert (float(loss.detach()), count) == (0.0, 0)
    assert states.grad is not None
    assert not states.grad.any()


def test_in_bfloat16_the_loss_is_near_and_the_gradient_points_the_same_way() -> None:
    model = _model(300)
    states = torch.randn(4, 64, 16, requires_grad=True)
    targets = torch.randint(0, 300, (4, 64))
    exact = _plain(model, states, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = token_loss(model, states, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0.01, atol=0.0)
    for one, other in zip(_gradients(model, states, found), _gradients(model, states, exact), strict=True):
        assert F.cosine_similarity(one.flatten().float(), other.flatten(), dim=0) > 0.999


def test_in_bfloat16_a_bias_of_log_shares_leaves_the_mean_loss_what_it_is() -> None:
    model = _model(4000, output="plain")
    shares = 1 / (torch.arange(4000) + 3.0)
    shares /= shares.sum()
    with torch.no_grad():
        model.output_bias.copy_(shares.log())
    targets = torch.multinomial(shares, 2048, replacement=True).view(8, 256)
    states = torch.randn(8, 256, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, count = token_loss(model, states, targets)
    assert abs(float((found - _plain(model, states, targets)).detach())) / count < 0.005


def test_a_look_computes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    model, states = _model(70), torch.randn(2, 8, 16)
    targets = torch.randint(0, 70, (2, 8))
    learned, _ = token_loss(model, states, targets)
    # What the gradients are summed up in is not made.
    monkeypatch.setattr(torch, "zeros_like", lambda *_, **__: pytest.fail("a gradient in a look"))
    with torch.no_grad():
        looked, _ = token_loss(model, states, targets)
    torch.testing.assert_close(looked, learned.detach())


def test_scores_beyond_what_exp_can_hold_give_a_finite_loss() -> None:
    model = _model(10, output="plain")
    states = torch.full((1, 2, 16), 1e4, requires_grad=True)
    loss, _ = token_loss(model, states, torch.tensor([[3, 4]]))
    (grad,) = torch.autograd.grad(loss, states)
    assert torch.isfinite(loss)
    assert torch.isfinite(grad).all()

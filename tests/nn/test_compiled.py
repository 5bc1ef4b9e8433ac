"""What a GPU runs compiled gives what a processor computes as it stands."""

from __future__ import annotations

import pytest
import torch

from autolect.core import recipe
from autolect.core.device import COMPILED, Device, compile_parts
from autolect.nn import losses
from autolect.nn.attention import Sight, causal_sight
from autolect.nn.model import Model, architecture_for

VOCABULARY = 50


def network(shape: str, objective: str) -> Model:
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 32, "layers": 2, "heads": 2, "shape": shape, "dropout": 0.0},
        "decoder": {"kind": "none"},
        "objective": {"kind": objective},
    }
    torch.manual_seed(0)
    return Model(architecture_for(recipe.from_table(table), vocab_size=VOCABULARY))


@pytest.mark.parametrize(
    ("shape", "objective"), [("modern", "masked"), ("bert", "masked"), ("gpt2", "causal")]
)
def test_compiled_blocks_compute_the_same_states_under_the_same_names(shape: str, objective: str) -> None:
    model = network(shape, objective)
    tokens = torch.randint(5, VOCABULARY, (3, 16))
    keep = torch.ones_like(tokens, dtype=torch.bool)
    keep[0, 11:] = False
    at = torch.randint(0, 11, (3, 4))
    before = model.encode(tokens, keep), model.encode_at(tokens, keep, at)
    names = list(model.state_dict())
    compiled = [part for part in model.modules() if getattr(part, COMPILED, False)]
    for part in compiled:
        part.compile(backend="aot_eager")
    after = model.encode(tokens, keep), model.encode_at(tokens, keep, at)
    assert len(compiled) == 2
    assert list(model.state_dict()) == names
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_processor_compiles_nothing() -> None:
    model = network("modern", "masked")
    compile_parts(model, Device(torch.device("cpu"), torch.float32))
    assert all(part._compiled_call_impl is None for part in model.modules())


def test_the_loss_that_is_compiled_is_the_loss() -> None:
    torch.manual_seed(1)
    scores, bias = torch.randn(9, VOCABULARY) * 4, torch.randn(VOCABULARY)
    wanted = torch.randint(0, VOCABULARY, (9,))
    wanted[[2, 8]] = losses.NO_TARGET
    loss, wrong = losses._fused_judge(scores, bias, wanted)
    expected, gradient = losses._judge(scores + bias, wanted)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(wrong, gradient)
    assert not wrong[[2, 8]].any()


def test_what_a_gpu_sees_without_a_bias_is_what_a_processor_sees_with_one() -> None:
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, 2, 6, 4)
    for sight, causal in (
        (causal_sight(6, torch.float32, query.device), True),
        (Sight(torch.zeros(2, 1, 1, 6)), False),
    ):
        assert sight.bias is not None
        biased = torch.nn.functional.scaled_dot_product_attention(query, key, value, sight.bias)
        plain = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        torch.testing.assert_close(biased, plain)

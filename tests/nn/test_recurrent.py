from __future__ import annotations

import pytest
import torch

from autolect.core import device
from autolect.core.device import Device
from autolect.nn import recurrent
from autolect.nn.recurrent import Cell, Layer


@pytest.mark.parametrize("kernel", [False, device.recurrent_bfloat16()])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bfloat16_is_learned_in_whether_there_is_a_kernel_or_not(
    cell: Cell, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "recurrent_bfloat16", lambda: kernel)
    torch.manual_seed(0)
    layer = Layer(cell, width=8, directions=2, dropout=0.0)
    x, keep = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    plain = layer(x, keep)
    with Device(torch.device("cpu"), torch.bfloat16).computing():
        narrow = layer(x, keep)
    narrow.float().sum().backward()
    torch.testing.assert_close(narrow.float(), plain, atol=0.05, rtol=0.05)
    assert all(value.grad is not None for value in layer.parameters())

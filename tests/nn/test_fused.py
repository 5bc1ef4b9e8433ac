"""The fused attention, and all of it on a GPU: the losses, gradients and texts of a processor's products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autolect.core import recipe
from autolect.core.device import Device, on
from autolect.nn import attention
from autolect.nn.model import Model, architecture_for
from autolect.nn.writing import search, write
from autolect.tasks.translate import CONFIG, PLUGIN
from autolect.text.reading import Reader
from autolect.text.tokenizer import BOS, EOS

CPU = Device(torch.device("cpu"), torch.float32)
GPU = Device(torch.device("cuda"), torch.float32)
VOCABULARY, PAIRS = 40, 12


class Written(nn.Module):
    """A network that writes from what it reads, and pairs of unequal lengths, so that much is padded."""

    def __init__(self, shape: str) -> None:
        super().__init__()
        table: dict[str, Any] = {
            "corpus": {"files": ["x"]},
            "encoder": {"width": 32, "layers": 2, "heads": 4, "shape": shape, "dropout": 0.0},
            "decoder": {"kind": "none"},
            "objective": {"kind": "masked"},
        }
        torch.manual_seed(0)
        self.model = Model(architecture_for(recipe.from_table(table), vocab_size=VOCABULARY))
        self.task = PLUGIN(CONFIG(train="x", layers=2, dropout=0.0, hide=0.0), labels=())
        self.head = self.task.head(self.model.architecture)
        for value in self.parameters():
            if value.dim() > 1:
                nn.init.normal_(value, std=0.3)

    def gradients(self, device: Device) -> tuple[float, list[torch.Tensor]]:
        """The loss of some pairs, and what leads back from it, on a device."""
        draw = np.random.default_rng(0)
        texts = [
            draw.integers(5, VOCABULARY, draw.integers(1, 14)).astype(np.int32) for _ in range(2 * PAIRS)
        ]
        rows: Any = type("Rows", (), {"sources": texts[::2], "targets": texts[1::2], "reader": Reader})
        batch = on(self.task.collate(rows, np.arange(PAIRS), 16, None), device)
        loss = self.task.loss(self.model, self.head, batch)
        values = [value for value in self.parameters() if value.requires_grad]
        found = torch.autograd.grad(loss.total, values, allow_unused=True)
        return float(loss.total.detach()), [value.cpu() for value in found if value is not None]

    def texts(self, device: Device) -> list[list[int]]:
        """What it writes after some sources, greedily and by beams."""
        pen, begin, found = self.task.pen(self.model, self.head, device), torch.tensor([BOS]), []
        for source in (np.array([7, 9], np.int32), np.array([30, 8, 8, 12, 5], np.int32)):
            given: dict[str, Any] = {"begin": begin, "stop": EOS, "length": 12}
            given["memory"] = self.task.memory(self.model, [source], device)
            found += [*write(pen, **given), *search(pen, **given, beams=3)]
        return found


@pytest.mark.parametrize("shape", ["modern", "bert"])
@pytest.mark.parametrize("device", [CPU, GPU], ids=["processor", "gpu"])
def test_the_fused_attention_learns_and_writes_what_products_do(
    monkeypatch: pytest.MonkeyPatch, shape: str, device: Device
) -> None:
    if device.apart and not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    network = Written(shape)
    loss, gradients = network.gradients(CPU)
    texts = network.texts(CPU)
    assert len({tuple(text) for text in texts}) > 1, "what is written depends on what was read"
    monkeypatch.setattr(attention, "FLASH_FROM", 1)
    network.to(device.place)
    fused_loss, fused_gradients = network.gradients(device)
    assert fused_loss == pytest.approx(loss, rel=1e-4)
    for one, other in zip(fused_gradients, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max() + 1e-6))
    assert network.texts(device) == texts

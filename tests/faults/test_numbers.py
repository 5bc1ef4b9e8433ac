"""A number that is not finite, from any layer, forward or backward, never reaches a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autolect.core import recipe, registry
from autolect.core.device import Device
from autolect.core.progress import Silent
from autolect.core.recipe import TrainConfig
from autolect.jobs.pretrain import PretrainGoal
from autolect.nn.model import Model, architecture_for
from autolect.text.shards import NO_STYLE, TokenStore
from autolect.train.history import read_log
from autolect.train.loop import fit

CPU = Device(torch.device("cpu"), torch.float32)
BAD_STEP = 3


class Named(PretrainGoal):
    """Its texts are named by their rows; one step is poisoned."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.step = -1

    def where(self, row: int) -> str:
        return f"row {row}"

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> dict[str, Tensor]:
        self.step += 1
        return super().collate(rows, length, draw, done=done)


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def store(count: int) -> TokenStore:
    draw = np.random.default_rng(0)
    lengths = np.full(count, 6)
    ids = draw.integers(8, 30, size=6 * count).astype(np.int32)
    marks = np.ones(6 * count, dtype=np.uint8)
    return TokenStore(
        ids=ids,
        marks=marks,
        starts=np.arange(count) * 6,
        lengths=lengths,
        documents=np.arange(count),
        styles=np.full(count, NO_STYLE, dtype=np.int16),
    )


def goal(encoder: str) -> Named:
    table = {"corpus": {"files": ["x"]}, "encoder": {"kind": encoder, "width": 16, "layers": 1}}
    settings = recipe.from_table(table)
    torch.manual_seed(0)
    model = Model(architecture_for(settings, vocab_size=30))
    objective = registry.load("objectives", "autoencode").build(settings.objective, vocab_size=30)
    return Named(objective, model, store(24), store(4), corpus=Path())


def layers(encoder: str) -> list[str]:
    return [name for name, part in goal(encoder).network.named_modules() if not list(part.children())]


def poison(broken: Named, layer: str, where: str) -> list[bool]:
    """Make a layer give, or pass back, one NaN in one step; gives a list that is filled when it did."""
    done: list[bool] = []

    def spoil(value: Tensor) -> Tensor:
        done.append(True)
        wrong = torch.zeros_like(value)
        wrong[(0,) * wrong.dim()] = float("nan")
        return value + wrong

    def forward(_part: nn.Module, _given: Any, out: Any) -> Any:
        if broken.step != BAD_STEP or not torch.is_grad_enabled():
            return out
        first = out[0] if isinstance(out, tuple) else out
        if where == "forward":
            spoiled = spoil(first)
        else:
            spoiled = first + 0
            if spoiled.requires_grad:
                spoiled.register_hook(spoil)
        return (spoiled, *out[1:]) if isinstance(out, tuple) else spoiled

    dict(broken.network.named_modules())[layer].register_forward_hook(forward)
    return done


CASES = [(encoder, layer) for encoder in registry.names("encoders") for layer in layers(encoder)]


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize(("encoder", "layer"), CASES)
def test_a_step_that_is_not_finite_changes_nothing_whichever_layer_it_comes_from(
    tmp_path: Path, encoder: str, layer: str, where: str
) -> None:
    broken, heard = goal(encoder), Heard()
    done = poison(broken, layer, where)
    config = TrainConfig(steps=5, batch_tokens=64, evaluations=1, checkpoint_seconds=1000)
    fit(broken, config, seed=0, device=CPU, what="test", progress=heard, folder=tmp_path, key="k")
    assert all(torch.isfinite(value).all() for value in broken.network.parameters())
    losses = [record["loss"] is None or record["norm"] is None for record in read_log(tmp_path)]
    assert done, "the layer was not asked"
    assert losses == [number == BAD_STEP for number in range(5)]
    assert [line for line in heard.lines if f"step {BAD_STEP} had no finite" in line and "row " in line]

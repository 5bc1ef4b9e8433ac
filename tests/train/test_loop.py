"""The loop: budgets, exact resume, bad losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.progress import Silent
from autolect.core.recipe import TrainConfig
from autolect.train.history import read_log
from autolect.train.loop import Outcome, fit
from autolect.train.schedule import rate_at

CPU = Device(torch.device("cpu"), torch.float32)


class Line:
    """Fits a line with dropout; stops itself at a step if asked to."""

    def __init__(self, *, stop_at: int = -1, bad: bool = False) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.lengths = np.arange(2, 42)
        self.stop_at, self.bad, self.seen = stop_at, bad, 0

    def collate(self, rows: Any, length: int, draw: np.random.Generator) -> Tensors:
        self.seen += 1
        if self.seen == self.stop_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(draw.normal(size=(len(rows), 3)).astype(np.float32))
        return {"x": x, "y": x.sum(dim=1, keepdim=True)}

    def loss(self, batch: Tensors) -> Loss:
        wrong = (self.network(batch["x"]) - batch["y"]).square().sum()
        return Loss(wrong * float("nan") if self.bad else wrong, len(batch["x"]))

    def measure(self, device: Device) -> Score:
        x = torch.linspace(-1, 1, 12).reshape(4, 3)
        self.network.eval()
        with torch.no_grad():
            wrong = float((self.network(x) - x.sum(dim=1, keepdim=True)).square().mean())
        return Score(value=-wrong, figures={"loss": wrong})


def train(goal: Line, folder: Path | None = None, **settings: Any) -> Outcome:
    config = TrainConfig(
        **{"steps": 30, "batch_tokens": 64, "rate": 0.02, "checkpoint_seconds": 0, **settings}
    )
    return fit(goal, config, seed=1, device=CPU, what="line", progress=Silent(), folder=folder, key="k")


def test_it_learns_and_leaves_the_best_weights() -> None:
    goal = Line()
    outcome = train(goal, steps=200)
    assert outcome.best.value > outcome.first.value
    assert goal.measure(CPU).value == outcome.best.value


@pytest.mark.parametrize("stop_at", [3, 9, 17, 29])
def test_a_run_that_was_stopped_anywhere_ends_with_the_same_bits_and_log(
    tmp_path: Path, stop_at: int
) -> None:
    golden = Line()
    whole = train(golden, tmp_path / "golden")
    broken = Line(stop_at=stop_at)
    with pytest.raises(KeyboardInterrupt):
        train(broken, tmp_path / "broken")
    resumed = Line()
    again = train(resumed, tmp_path / "broken")
    assert again.resumed_at == stop_at - 1
    for one, other in zip(golden.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert again.best == whole.best

    def timeless(folder: str) -> list[dict[str, Any]]:
        return [{k: v for k, v in r.items() if k != "seconds"} for r in read_log(tmp_path / folder)]

    assert timeless("broken") == timeless("golden")


def test_a_damaged_checkpoint_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=9), tmp_path)
    weights = tmp_path / "checkpoint" / "tensors.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    assert train(Line(), tmp_path).resumed_at == 0


def test_a_loss_that_is_never_finite_ends_with_advice_and_leaves_the_weights() -> None:
    goal = Line(bad=True)
    before = [value.clone() for value in goal.network.parameters()]
    with pytest.raises(UserError, match="no finite loss"):
        train(goal)
    assert all(torch.equal(a, b) for a, b in zip(before, goal.network.parameters(), strict=True))


def test_budgets_become_steps() -> None:
    per_epoch = train(Line(), steps=None, epochs=1.0).steps
    assert train(Line(), steps=None, epochs=3.0).steps == 3 * per_epoch
    assert train(Line(), steps=None, tokens=2 * int(np.arange(2, 42).sum())).steps == 2 * per_epoch
    assert train(Line(), steps=None, minutes=0.01).steps >= 1


def test_the_rate_rises_then_falls_to_zero() -> None:
    rates = [rate_at(step, steps=100, peak=1.0, warmup=0.1) for step in range(100)]
    assert max(rates) == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01

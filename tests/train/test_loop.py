"""The loop: budgets, exact resume, bad losses."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autolect.core import files
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import TrainConfig
from autolect.train import checkpoint
from autolect.train.history import read_log
from autolect.train.loop import Outcome, fit
from autolect.train.schedule import rate_at

CPU = Device(torch.device("cpu"), torch.float32)


class Line:
    """Fits a line with dropout; stops itself at a step if asked to."""

    def __init__(self, *, stop_at: int = -1, bad: bool = False, dropout: float = 0.2) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))
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


class StoppedError(Exception):
    """What a signal raises in these tests."""


def _raise(*_: object) -> None:
    raise StoppedError


def train(
    goal: Line,
    folder: Path | None = None,
    *,
    key: str = "k",
    progress: Progress | None = None,
    **settings: Any,
) -> Outcome:
    config = TrainConfig(
        **{"steps": 30, "batch_tokens": 64, "rate": 0.02, "checkpoint_seconds": 0, **settings}
    )
    return fit(
        goal, config, seed=1, device=CPU, what="line", progress=progress or Silent(), folder=folder, key=key
    )


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


def damage(folder: Path) -> None:
    weights = folder / "tensors.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("damaged", "resumed_at"), [(1, 7), (2, 0)])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(
    tmp_path: Path, damaged: int, resumed_at: int
) -> None:
    golden = Line()
    train(golden)
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=9), tmp_path)
    places = sorted(
        (tmp_path / name for name in checkpoint.NAMES),
        key=lambda place: -int(files.read_manifest(place).facts["step"]),
    )
    for place in places[:damaged]:
        damage(place)
    heard, goal = Heard(), Line()
    assert train(goal, tmp_path, progress=heard).resumed_at == resumed_at
    for place in places[:damaged]:
        assert any(str(place) in line and "SHA-256 mismatch" in line for line in heard.lines)
    for one, other in zip(golden.network.parameters(), goal.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=9), tmp_path)
    assert train(Line(), tmp_path, key="other").resumed_at == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_step_saves_that_step_and_nothing_is_redone(
    tmp_path: Path, number: signal.Signals
) -> None:
    golden = Line()
    train(golden)

    class Interrupted(Line):
        def loss(self, batch: Tensors) -> Loss:
            if self.seen == 9:
                signal.raise_signal(number)
            return super().loss(batch)

    before = signal.signal(number, _raise)
    try:
        with pytest.raises(StoppedError):
            train(Interrupted(), tmp_path, checkpoint_seconds=1000)
    finally:
        signal.signal(number, before)
    heard, goal = Heard(), Line()
    assert train(goal, tmp_path, progress=heard).resumed_at == 9
    assert "resumed at step 9, 0 logged steps are redone" in heard.lines[0]
    for one, other in zip(golden.network.parameters(), goal.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_second_signal_is_obeyed_at_once(tmp_path: Path) -> None:
    class Impatient(Line):
        def loss(self, batch: Tensors) -> Loss:
            if self.seen == 9:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return super().loss(batch)

    with pytest.raises(KeyboardInterrupt):
        train(Impatient(), tmp_path, checkpoint_seconds=1000)
    assert train(Line(), tmp_path).resumed_at == 0


@pytest.mark.parametrize("parts", [1, 2, 3, 100])
def test_a_step_in_parts_is_the_same_step(parts: int) -> None:
    whole, divided = Line(dropout=0.0), Line(dropout=0.0)
    train(whole)
    train(divided, micro_batches=parts)
    for one, other in zip(whole.network.parameters(), divided.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")],
)
def test_memory_that_is_used_up_names_the_batch_and_what_to_try(error: Exception) -> None:
    class Greedy(Line):
        def loss(self, batch: Tensors) -> Loss:
            raise error

    with pytest.raises(UserError, match="memory is used up by a batch of 2 texts of 32 tokens") as told:
        train(Greedy(), batch_tokens=64)
    assert told.value.fix == "set finetune.micro_batches = 2: the same steps in less memory"


def test_a_disk_without_room_for_the_checkpoints_is_told_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    goal = Line()
    with pytest.raises(UserError, match="line with its checkpoints may take"):
        train(goal, tmp_path)


def test_a_budget_in_minutes_stays_the_same_number_of_steps_after_a_kill(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=12), tmp_path, steps=None, minutes=0.01, checkpoint_seconds=1000)
    facts = files.read_manifest(tmp_path / "checkpoint-0").facts
    assert train(Line(), tmp_path, steps=None, minutes=0.01).steps == facts["state"]["steps"]


def test_checkpoints_that_take_long_are_written_less_often(tmp_path: Path) -> None:
    saver = checkpoint.Saver(tmp_path, nn.Linear(1, 1), seconds=1e-9, what="line")
    assert saver.due()
    saver._cost = 1.0
    assert not saver.due()
    saver.seconds = 0
    assert saver.due()


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

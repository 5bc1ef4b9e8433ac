"""The loop: budgets, exact resume, bad losses."""

from __future__ import annotations

import contextlib
import errno
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autolect.core import files
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import TrainConfig
from autolect.train import checkpoint
from autolect.train.batches import Batch, Batches
from autolect.train.budget import Pacing
from autolect.train.history import read_log
from autolect.train.loop import Outcome, _Loop, fit
from autolect.train.schedule import rate_at

CPU = Device(torch.device("cpu"), torch.float32)
CHECKPOINTS = ("checkpoint-0", "checkpoint-1")


class Line:
    """Fits a line with dropout; stops itself at a step if asked to."""

    def __init__(self, *, stop_at: int = -1, bad: bool = False, dropout: float = 0.2) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.lengths = np.arange(2, 42)
        self.stop_at, self.bad, self.seen = stop_at, bad, 0

    def where(self, row: int) -> str:
        return f"line.txt:{row + 1}"

    def collate(self, rows: Any, length: int, draw: np.random.Generator, *, done: float = 0.0) -> Tensors:
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
    watch: Callable[[int, Score], None] | None = None,
    **settings: Any,
) -> Outcome:
    config = TrainConfig(
        **{"steps": 30, "batch_tokens": 64, "rate": 0.02, "checkpoint_seconds": 0, **settings}
    )
    return fit(
        goal,
        config,
        seed=1,
        device=CPU,
        what="line",
        progress=progress or Silent(),
        folder=folder,
        key=key,
        watch=watch,
    )


def test_it_learns_and_leaves_the_best_weights() -> None:
    goal = Line()
    outcome = train(goal, steps=200)
    assert outcome.best.value > outcome.first.value
    assert goal.measure(CPU).value == outcome.best.value


def test_batches_that_are_made_ahead_for_a_busy_device_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[int]] = []

    class Told(Line):
        def collate(self, rows: Any, length: int, draw: Any, *, done: float = 0.0) -> Any:
            made.append([*rows.tolist(), round(1000 * done)])
            return super().collate(rows, length, draw, done=done)

    one = train(Told(), steps=7, micro_batches=2)
    in_turn = list(made)
    made.clear()
    monkeypatch.setattr(Device, "apart", property(lambda _: True))
    other = train(Told(), steps=7, micro_batches=2)
    assert made == in_turn
    assert other.best == one.best


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

    assert timeless(tmp_path / "broken") == timeless(tmp_path / "golden")


def timeless(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in record.items() if k != "seconds"} for record in read_log(folder)]


def test_what_was_logged_after_the_last_checkpoint_is_logged_once(tmp_path: Path) -> None:
    train(Line(), tmp_path / "golden")
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=9), tmp_path / "broken", checkpoint_seconds=1000)
    assert len(read_log(tmp_path / "broken")) == 8
    heard = Heard()
    assert train(Line(), tmp_path / "broken", progress=heard).resumed_at == 0
    assert "resumed at step 0, 8 logged steps are redone" in heard.lines[0]
    assert timeless(tmp_path / "broken") == timeless(tmp_path / "golden")


def test_a_best_look_from_before_the_kill_stays_the_best(tmp_path: Path) -> None:
    class Homesick(Line):
        """The less it has moved, the better, but where it starts is no good: its first look is the best."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.home = [value.detach().clone() for value in self.network.parameters()]

        def measure(self, device: Device) -> Score:
            moved = zip(self.home, self.network.parameters(), strict=True)
            far = float(sum((a - b).detach().square().sum() for a, b in moved))
            return Score(-far if far else -1e9, {"loss": 0.0})

    golden, resumed = Homesick(), Homesick()
    whole = train(golden)
    assert whole.best_step == 3
    with pytest.raises(KeyboardInterrupt):
        train(Homesick(stop_at=17), tmp_path)
    assert train(resumed, tmp_path).best == whole.best
    for one, other in zip(golden.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(one, other)


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
        (tmp_path / name for name in CHECKPOINTS),
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


def test_a_signal_is_heard_though_something_else_ends_the_run_as_well(tmp_path: Path) -> None:
    def prune(step: int, _score: Score) -> None:
        signal.raise_signal(signal.SIGINT)
        raise ValueError(f"not worth it at step {step}")

    with pytest.raises(KeyboardInterrupt):
        train(Line(), tmp_path, watch=prune)


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


def test_an_ignored_signal_does_not_end_the_training_early(tmp_path: Path) -> None:
    class Interrupted(Line):
        def loss(self, batch: Tensors) -> Loss:
            if self.seen == 9:
                signal.raise_signal(signal.SIGINT)
            return super().loss(batch)

    golden, goal = Line(), Interrupted()
    train(golden)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        train(goal, tmp_path)
    except KeyboardInterrupt:
        pytest.fail("it was stopped")
    else:
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    for one, other in zip(golden.network.parameters(), goal.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_cut_short_never_counts_as_whole_even_where_the_signal_has_no_effect(tmp_path: Path) -> None:
    class Interrupted(Line):
        def loss(self, batch: Tensors) -> Loss:
            if self.seen == 9:
                signal.raise_signal(signal.SIGTERM)
            return super().loss(batch)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(Interrupted(), tmp_path, checkpoint_seconds=1000)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert train(Line(), tmp_path).resumed_at == 9


@pytest.mark.parametrize("parts", [1, 2, 3, 100])
def test_a_step_in_parts_is_the_same_step(parts: int) -> None:
    whole, divided = Line(dropout=0.0), Line(dropout=0.0)
    train(whole)
    train(divided, micro_batches=parts)
    for one, other in zip(whole.network.parameters(), divided.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_part_of_a_batch_may_lack_a_part_of_the_loss(tmp_path: Path) -> None:
    class Uneven(Line):
        """Logs the first text apart, which stands in one part of its batch."""

        def collate(self, rows: Any, length: int, draw: np.random.Generator, *, done: float = 0.0) -> Tensors:
            return super().collate(rows, length, draw) | {"first": torch.from_numpy(np.asarray(rows) == 0)}

        def loss(self, batch: Tensors) -> Loss:
            whole = super().loss(batch)
            number = int(batch["first"].sum())
            return Loss(whole.total, whole.targets, {"first": (whole.total, number)} if number else {})

    train(Uneven(), tmp_path, micro_batches=2)
    assert any("first" in record for record in read_log(tmp_path))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")],
)
def test_memory_that_is_used_up_names_the_batch_and_what_to_try(error: Exception) -> None:
    class Greedy(Line):
        def loss(self, batch: Tensors) -> Loss:
            raise error

    with pytest.raises(UserError, match=r"memory is used up by a batch of [2-9] texts of \d+ tokens") as told:
        train(Greedy(), batch_tokens=128)
    assert told.value.fix == "set finetune.micro_batches = 2: the same steps in less memory"


def test_a_disk_without_room_for_the_checkpoints_is_told_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    goal = Line()
    with pytest.raises(UserError, match="line with its checkpoints may take"):
        train(goal, tmp_path)


def test_a_budget_in_minutes_is_not_measured_again_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget: dict[str, Any] = {"steps": None, "minutes": 0.03, "checkpoint_seconds": 1000}
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=17), tmp_path, **budget)
    monkeypatch.setattr(_Loop, "seconds_a_step", lambda _: 1e9)
    assert train(Line(), tmp_path, **budget).steps > 1


class Timed(Line):
    """Each step takes two milliseconds."""

    def loss(self, batch: Tensors) -> Loss:
        time.sleep(0.002)
        return super().loss(batch)


@pytest.mark.parametrize("wrong", [5, 0.2])
def test_a_speed_that_was_measured_wrong_is_corrected_on_the_way(
    monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    measured = _Loop.seconds_a_step
    plain = train(Timed(), steps=None, minutes=2 / 60)
    monkeypatch.setattr(_Loop, "seconds_a_step", lambda loop: measured(loop) * wrong)
    told = train(Timed(), steps=None, minutes=2 / 60)
    assert told.steps == pytest.approx(plain.steps, rel=0.5)


def test_a_corrected_number_of_steps_stays_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = _Loop.seconds_a_step
    monkeypatch.setattr(_Loop, "seconds_a_step", lambda loop: measured(loop) * 5)
    with pytest.raises(KeyboardInterrupt):
        train(Timed(stop_at=80), tmp_path, steps=None, minutes=2 / 60, checkpoint_seconds=1000)
    newest = max(
        (tmp_path / one for one in CHECKPOINTS), key=lambda one: files.read_manifest(one).facts["step"]
    )
    state = files.read_manifest(newest).facts["state"]
    assert state["pacing"]["settled"]
    assert train(Timed(), tmp_path, steps=None, minutes=2 / 60).steps == state["steps"]


def test_a_budget_that_is_used_up_is_not_corrected() -> None:
    pacing = Pacing(look=1.0, settled=False)
    for step in range(1, 7):
        assert pacing.corrected(11.0, budget=60.0, spent=11.0 * step, step=step, steps=6, looks=0) is None
    assert pacing.settled


def test_one_slow_step_corrects_nothing() -> None:
    """Such as the first one after a kill, which makes the kernels of a GPU anew."""
    pacing = Pacing(look=0.0, settled=False)
    spent, found = 0.0, []
    for step in range(1, 2000):
        took = 40.0 if step == 1 else 0.02
        spent += took
        found.append(pacing.corrected(took, budget=300.0, spent=spent, step=step, steps=15_000, looks=0))
    told = [one for one in found if one is not None]
    assert told == [pytest.approx(13_000, rel=0.01)]


def test_checkpoints_that_take_long_are_written_less_often(tmp_path: Path) -> None:
    saver = checkpoint.Saver(tmp_path, nn.Linear(1, 1), seconds=1e-9, what="line")
    assert saver.due()
    saver._cost = 1.0
    assert not saver.due()
    saver.seconds = 0
    assert saver.due()


def test_the_loop_does_not_wait_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()
    written: list[dict[str, Tensor]] = []

    def slow(values: dict[str, Tensor], _path: Path) -> None:
        began.set()
        assert go_on.wait(timeout=30)
        written.append({name: value.clone() for name, value in values.items()})

    monkeypatch.setattr(checkpoint, "save_file", slow)
    network = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(network.parameters())
    before = network.weight.detach().clone()
    with contextlib.closing(checkpoint.Saver(tmp_path, network, seconds=1e-9, what="line")) as saver:
        saver.save(network, optimizer, best={}, facts={"key": "k", "step": 1})
        assert began.wait(timeout=30)
        assert not saver.due()
        # The training goes on, and changes nothing in what is being written.
        nn.init.constant_(network.weight, 7.0)
        go_on.set()
    assert files.verify(tmp_path / "checkpoint-0").facts["step"] == 1
    assert torch.equal(written[0]["network.weight"], before)


def test_each_checkpoint_is_whole_when_the_next_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = threading.Lock()

    def alone(*_: Any) -> None:
        assert at_work.acquire(blocking=False)
        time.sleep(0.01)
        at_work.release()

    monkeypatch.setattr(checkpoint, "save_file", alone)
    network = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(network.parameters())
    with contextlib.closing(checkpoint.Saver(tmp_path, network, seconds=0, what="line")) as saver:
        for step in range(5):
            saver.save(network, optimizer, best={}, facts={"key": "k", "step": step})
    assert sorted(files.verify(tmp_path / name).facts["step"] for name in CHECKPOINTS) == [3, 4]


def test_a_disk_that_refuses_a_checkpoint_ends_the_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(Line(), tmp_path, steps=3)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(UserError, match=r"No space left on device.* free"):
        train(Line(), tmp_path, key="other", steps=500, checkpoint_seconds=1e-3)


@pytest.mark.parametrize("how", ["altered", "cut", "missing"])
def test_a_log_that_is_not_what_the_checkpoint_knew_is_named(tmp_path: Path, how: str) -> None:
    golden = Line()
    train(golden, tmp_path / "golden")
    place = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=9), place)
    log = place / "metrics.jsonl"
    data = log.read_bytes()
    log.write_bytes({"altered": data.replace(b"0", b"1"), "cut": data[:-9], "missing": b""}[how])
    if how == "missing":
        log.unlink()
    heard, goal = Heard(), Line()
    resumed_at = train(goal, place, progress=heard).resumed_at
    # The older checkpoint knew less of the log.
    assert resumed_at == (7 if how == "cut" else 0)
    assert any("metrics.jsonl" in line and how in line.replace("altered", how) for line in heard.lines)
    for one, other in zip(golden.network.parameters(), goal.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_resumed_run_tells_its_watcher_of_the_looks_before_the_kill(tmp_path: Path) -> None:
    def looks(goal: Line, folder: Path) -> list[tuple[int, Score]]:
        seen: list[tuple[int, Score]] = []
        config = TrainConfig(steps=30, batch_tokens=64, rate=0.02, checkpoint_seconds=0)
        with contextlib.suppress(KeyboardInterrupt):
            fit(
                goal,
                config,
                seed=1,
                device=CPU,
                what="line",
                progress=Silent(),
                folder=folder,
                key="k",
                watch=lambda step, score: seen.append((step, score)),
            )
        return seen

    whole = looks(Line(), tmp_path / "whole")
    assert len(looks(Line(stop_at=17), tmp_path / "broken")) < len(whole)
    assert looks(Line(), tmp_path / "broken") == whole


def test_the_batch_of_a_late_step_is_found_as_fast_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = Batches(np.arange(2, 42), batch_tokens=64, seed=0)
    drawn = []
    draw = Batches._draw

    def counted(self: Batches, epoch: int) -> list[Batch]:
        drawn.append(epoch)
        return draw(self, epoch)

    monkeypatch.setattr(Batches, "_draw", counted)
    batches.at(10**9)
    assert drawn == [10**9 // batches.num_batches]


def test_a_loss_that_is_never_finite_ends_with_advice_and_leaves_the_weights() -> None:
    goal = Line(bad=True)
    before = [value.clone() for value in goal.network.parameters()]
    with pytest.raises(UserError, match=r"step 19 had no finite loss.*line\.txt:\d+"):
        train(goal)
    assert all(torch.equal(a, b) for a, b in zip(before, goal.network.parameters(), strict=True))


class Poisoned(Line):
    """One text has no finite loss."""

    def collate(self, rows: Any, length: int, draw: np.random.Generator, *, done: float = 0.0) -> Tensors:
        batch = super().collate(rows, length, draw)
        batch["x"][torch.from_numpy(np.asarray(rows)) == 5] = float("inf")
        return batch


def test_a_text_without_a_finite_loss_is_named_and_changes_nothing(tmp_path: Path) -> None:
    heard, goal = Heard(), Poisoned()
    outcome = train(goal, tmp_path, progress=heard)
    named = [line for line in heard.lines if "no finite loss" in line]
    assert named
    assert all(line.endswith("its texts: line.txt:6; it changes nothing") for line in named)
    assert all(torch.isfinite(value).all() for value in goal.network.parameters())
    assert outcome.steps == 30
    skipped = [record["step"] for record in read_log(tmp_path) if record["loss"] is None]
    assert len(skipped) == len(named)


def test_the_recipe_may_stop_at_the_first_step_without_a_finite_loss(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"its texts: line\.txt:6"):
        train(Poisoned(), tmp_path, not_finite="stop")
    checkpoints = [files.verify(tmp_path / name).facts for name in CHECKPOINTS]
    assert max(facts["step"] for facts in checkpoints) > 0


def test_bad_steps_are_counted_on_after_a_kill(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Line(bad=True, stop_at=15), tmp_path)
    assert files.verify(tmp_path / "checkpoint-0").facts["state"]["bad_steps"] > 5
    with pytest.raises(UserError, match="step 19 had no finite loss"):
        train(Line(bad=True), tmp_path)


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


def test_the_goal_hears_how_much_of_the_training_is_over() -> None:
    heard: list[float] = []

    class Listening(Line):
        def collate(self, rows: Any, length: int, draw: np.random.Generator, *, done: float = 0.0) -> Tensors:
            heard.append(done)
            return super().collate(rows, length, draw, done=done)

    train(Listening(), steps=4)
    assert heard == [0.0, 0.25, 0.5, 0.75]


def test_looks_at_valid_take_no_more_than_a_tenth_of_a_budget_in_minutes() -> None:
    looks: list[int] = []

    class Slow(Line):
        def measure(self, device: Device) -> Score:
            time.sleep(0.1)
            return super().measure(device)

    config = TrainConfig(minutes=3 / 60, evaluations=50, batch_tokens=64)
    fit(
        Slow(),
        config,
        seed=0,
        device=CPU,
        what="line",
        progress=Silent(),
        watch=lambda step, _: looks.append(step),
    )
    assert 1 <= len(looks) <= 5


def test_a_start_that_no_look_is_better_than_is_kept() -> None:
    class Worse(Line):
        """Every look is worse than the one before."""

        looks = 0

        def measure(self, device: Device) -> Score:
            self.looks += 1
            return Score(-float(self.looks), {"loss": 0.0})

    goal = Worse()
    start = [value.detach().clone() for value in goal.network.parameters()]
    outcome = train(goal)
    assert outcome.best_step == 0
    assert outcome.best == outcome.first
    assert all(torch.equal(a, b) for a, b in zip(start, goal.network.parameters(), strict=True))

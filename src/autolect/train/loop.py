"""The only training loop: pretraining and fine-tuning differ in their goal alone."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autolect.core import stop
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.goal import Goal, Loss, Score, Tensors
from autolect.core.progress import Progress
from autolect.core.recipe import TrainConfig
from autolect.train import checkpoint
from autolect.train.batches import Batch, Batches
from autolect.train.history import CLOCK, History
from autolect.train.optim import make_optimizer
from autolect.train.schedule import rate_at

MOST_BAD_STEPS = 20
"""So many steps in a row without a finite loss end the run."""
MOST_NAMED = 3
"""So many texts of a step without a finite loss are named."""
MEASURED_STEPS = 6
"""Steps that are timed before a budget in minutes becomes a number of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the loop came to; the network then holds its best weights."""

    best: Score
    best_step: int
    steps: int
    tokens: int
    seconds: float
    padding: float
    first: Score
    resumed_at: int = 0


@dataclass(slots=True)
class _State:
    """Where the loop stands; all of it goes into a checkpoint."""

    steps: int
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best: Score = field(default_factory=lambda: Score(-math.inf, {}))
    first: Score = field(default_factory=lambda: Score(-math.inf, {}))
    bad_steps: int = 0
    """Steps in a row, up to this one, that had no finite loss."""
    looks: list[tuple[int, Score]] = field(default_factory=list)
    """What valid said so far, by step."""


def fit(
    goal: Goal,
    config: TrainConfig,
    *,
    seed: int,
    device: Device,
    what: str,
    progress: Progress,
    folder: Path | None = None,
    key: str = "",
    watch: Callable[[int, Score], None] | None = None,
) -> Outcome:
    """Train ``goal.network`` within the budget and leave its best weights in it.

    folder: where the log and the checkpoint live; the same call there resumes a killed run of the same
    ``key``. watch: called with (step, score) after each measurement, those before a kill included; what it
    raises ends the run.
    """
    batches = Batches(goal.lengths, batch_tokens=config.batch_tokens, seed=seed)
    loop = _Loop(goal, config, seed=seed, device=device, batches=batches, progress=progress, what=what)
    history = History(folder)
    with contextlib.closing(history):
        best, resumed_at = loop.begin(folder, key, history)
        best = _walk(loop, best, folder=folder, key=key, history=history, watch=watch)
    goal.network.load_state_dict(best)
    state = loop.state
    return Outcome(
        best=state.best,
        best_step=state.best_step,
        steps=state.steps,
        tokens=state.tokens,
        seconds=state.seconds,
        padding=batches.padding(),
        first=state.first,
        resumed_at=resumed_at,
    )


def _walk(
    loop: _Loop,
    best: dict[str, Tensor],
    *,
    folder: Path | None,
    key: str,
    history: History,
    watch: Callable[[int, Score], None] | None,
) -> dict[str, Tensor]:
    """Take the steps that are left, look at valid now and then, save; gives the best weights."""
    state, config = loop.state, loop.config
    if watch is not None:
        for step, score in state.looks:
            watch(step, score)
    started = time.monotonic() - state.seconds
    spacing = max(1, state.steps // config.evaluations)
    saver = checkpoint.Saver(folder, loop.goal.network, seconds=config.checkpoint_seconds, what=loop.what)
    with stop.deferred() as asked, contextlib.closing(saver):
        if state.step == 0:
            # From here on a budget in minutes is so many steps, however often the run is killed.
            loop.save(saver, key, best, history)
        while state.step < state.steps and not asked.asked:
            record = loop.step()
            state.seconds = time.monotonic() - started
            if state.step % spacing == 0 or state.step == state.steps:
                score = loop.goal.measure(loop.device)
                record |= {f"valid_{name}": _finite(value) for name, value in score.figures.items()}
                state.looks.append((state.step, score))
                if score.value > state.best.value:
                    state.best, state.best_step, best = score, state.step, loop.weights()
                if watch is not None:
                    watch(state.step, score)
            history.add(record)
            loop.report(record)
            if saver.due():
                loop.save(saver, key, best, history)
        if asked.asked:
            loop.save(saver, key, best, history)
    if not state.best_step:
        raise UserError(
            "no look at the valid split gave a finite score", where=loop.what, fix=_calmer(config)
        )
    return best


class _Loop:
    """One run: batches in, updates out."""

    def __init__(
        self,
        goal: Goal,
        config: TrainConfig,
        *,
        seed: int,
        device: Device,
        batches: Batches,
        progress: Progress,
        what: str,
    ) -> None:
        self.goal, self.config, self.seed, self.device = goal, config, seed, device
        self.batches, self.progress, self.what = batches, progress, what
        goal.network.to(device.place)
        self.optimizer = make_optimizer(goal.network, config)
        self.state = _State(steps=0)

    def begin(self, folder: Path | None, key: str, history: History) -> tuple[dict[str, Tensor], int]:
        """Resume from the folder's checkpoint, or start: gives the best weights and the step."""
        found = None
        if folder is not None:
            found, complaints = checkpoint.load(
                folder,
                key=key,
                network=self.goal.network,
                optimizer=self.optimizer,
                complain=history.complain,
            )
            for complaint in complaints:
                self.progress.say(complaint)
        if found is None:
            if folder is not None:
                checkpoint.clear(folder)
            history.start()
            started = time.monotonic()
            self.state.first = self.goal.measure(self.device)
            self.state.steps = self._budget(time.monotonic() - started)
            return self.weights(), 0
        best, facts = found
        values = facts["state"]
        for name in ("best", "first"):
            values[name] = Score(**values[name])
        values["looks"] = [(step, Score(**score)) for step, score in values["looks"]]
        self.state = _State(**values)
        lost = history.resume(facts)
        self.progress.say(f"{self.what}: resumed at step {self.state.step}, {lost} logged steps are redone")
        return best, self.state.step

    def step(self) -> dict[str, Any]:
        """One update; a step without a finite loss or gradient changes nothing and is counted."""
        state, network = self.state, self.goal.network
        network.train()
        loss = self._backward(state.step)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), self.config.clip)
        rate = rate_at(state.step, steps=state.steps, peak=self.config.rate, warmup=self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        mean = loss.total.item() / max(1, loss.targets)
        if math.isfinite(mean) and bool(torch.isfinite(norm)):
            self.optimizer.step()
            state.bad_steps = 0
        else:
            self._skipped()
        self.optimizer.zero_grad(set_to_none=True)
        state.tokens += int(self.batches.lengths[self.batches.at(state.step).rows].sum())
        state.step += 1
        record = {"step": state.step, "loss": _finite(mean), "rate": rate, "norm": _finite(float(norm))}
        record |= {name: _finite(total.item() / max(1, n)) for name, (total, n) in loss.parts.items()}
        return record | {"tokens": state.tokens, CLOCK: round(state.seconds, 3)}

    def report(self, record: dict[str, Any]) -> None:
        """Tell the progress how far the run is, at what speed and loss."""
        rate = self.state.tokens / max(1e-9, self.state.seconds)
        note = f"loss {record['loss'] or math.nan:.3f}, {rate:,.0f} tokens/s"
        self.progress.advance(self.what, self.state.step, self.state.steps, note)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the network's weights."""
        return {name: value.clone() for name, value in self.goal.network.state_dict().items()}

    def save(self, saver: checkpoint.Saver, key: str, best: dict[str, Tensor], history: History) -> None:
        """Write a checkpoint, and the log up to it."""
        facts = {"key": key, "step": self.state.step, **history.sync()}
        facts["state"] = dataclasses.asdict(self.state)
        saver.save(self.goal.network, self.optimizer, best=best, facts=facts)

    def _backward(self, step: int) -> Loss:
        """Gradients of the mean loss of a step's batch; all randomness follows from (seed, step)."""
        batch = self.batches.at(step)
        draw = np.random.default_rng([self.seed, 2, step])
        torch.manual_seed(int(np.random.SeedSequence([self.seed, 3, step]).generate_state(1)[0]))
        found = []
        try:
            for rows in np.array_split(batch.rows, min(self.config.micro_batches, len(batch.rows))):
                with self.device.computing():
                    loss = self.goal.loss(on(self.goal.collate(rows, batch.length, draw), self.device))
                torch.autograd.backward(loss.total)
                found.append(_detached(loss))
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            raise self._no_memory(batch) from error
        whole = functools.reduce(_sum, found)
        for value in self.goal.network.parameters():
            if value.grad is not None:
                value.grad.div_(max(1, whole.targets))
        return whole

    def _no_memory(self, batch: Batch) -> UserError:
        rows, tokens = len(batch.rows), len(batch.rows) * batch.length
        section = "train" if self.what == "pretraining" else "finetune"
        fix = f"set {section}.micro_batches = {2 * self.config.micro_batches}: the same steps in less memory"
        if rows <= self.config.micro_batches:
            fix = f"set {section}.length = {max(8, batch.length // 2)}, or make the network smaller"
        return UserError(
            f"memory is used up by a batch of {rows} texts of {batch.length} tokens ({tokens} in all)",
            where=self.what,
            fix=fix,
        )

    def _budget(self, measuring: float) -> int:
        """The recipe's budget as a number of steps; measuring: seconds that one look at valid takes."""
        config, per_epoch = self.config, self.batches.num_batches
        if config.steps is not None:
            return config.steps
        if config.minutes is not None:
            left = config.minutes * 60 - config.evaluations * measuring
            return max(1, int(left / self._seconds_a_step()))
        if config.tokens is not None:
            return max(1, round(config.tokens * per_epoch / max(1, int(self.batches.lengths.sum()))))
        return max(1, round((config.epochs or 1.0) * per_epoch))

    def _seconds_a_step(self) -> float:
        """The mean over batches spread through the first epoch; what these steps learned is forgotten."""
        network, weights = self.goal.network, self.weights()
        network.train()
        self._backward(0)
        started = time.monotonic()
        for place in np.linspace(0, self.batches.num_batches - 1, MEASURED_STEPS).astype(int):
            self._backward(int(place))
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.config.clip)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        seconds = (time.monotonic() - started) / MEASURED_STEPS
        network.load_state_dict(weights)
        self.optimizer = make_optimizer(network, self.config)
        return seconds

    def _skipped(self) -> None:
        """A step without a finite loss: name its texts, and go on or end, as the recipe says."""
        state, batch = self.state, self.batches.at(self.state.step)
        state.bad_steps += 1
        most = 1 if self.config.not_finite == "stop" else MOST_BAD_STEPS
        if 1 < state.bad_steps < most:
            return
        guilty = self._guilty(batch)
        named = ", ".join(self.goal.where(int(row)) for row in guilty[:MOST_NAMED])
        more = f" and {len(guilty) - MOST_NAMED} more" if len(guilty) > MOST_NAMED else ""
        told = f"step {state.step} had no finite loss or gradient; its texts: {named}{more}"
        if state.bad_steps >= most:
            before = f", nor had the {most - 1} before it" if most > 1 else ""
            raise UserError(f"{told}{before}", where=self.what, fix=_calmer(self.config))
        self.progress.say(f"{self.what}: {told}; it changes nothing")

    def _guilty(self, batch: Batch) -> list[int]:
        """Rows of a batch that have no finite loss when they are alone; all of them where none is found."""
        found = []
        with torch.no_grad(), self.device.computing():
            for row in batch.rows:
                draw = np.random.default_rng([self.seed, 2, self.state.step])
                alone = self.goal.collate(np.array([row]), batch.length, draw)
                if not torch.isfinite(self.goal.loss(on(alone, self.device)).total):
                    found.append(int(row))
        return found or [int(row) for row in batch.rows]


def _calmer(config: TrainConfig) -> str:
    """What to try where numbers grew out of bounds."""
    other = "" if config.dtype == "float32" else " or set dtype = 'float32'"
    return f"lower the rate ({config.rate:g}){other}; the checkpoint before it is kept"


def _finite(value: float) -> float | None:
    """A number that JSON has a word for."""
    return value if math.isfinite(value) else None


def _detached(loss: Loss) -> Loss:
    parts = {name: (total.detach(), count) for name, (total, count) in loss.parts.items()}
    return Loss(loss.total.detach(), loss.targets, parts)


def _sum(one: Loss, other: Loss) -> Loss:
    """The losses of two parts of a batch, which have the same parts."""
    parts = {
        name: (total + other.parts[name][0], count + other.parts[name][1])
        for name, (total, count) in one.parts.items()
    }
    return Loss(one.total + other.total, one.targets + other.targets, parts)


def _out_of_memory(error: BaseException) -> bool:
    """Torch says it in words on a CPU, and with a class of its own elsewhere; the last words are oneDNN's."""
    words = ("can't allocate memory", "bad_alloc", "Cannot allocate memory", "could not create a primitive")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(w in str(error) for w in words)


def on(batch: Tensors, device: Device) -> Tensors:
    """A batch on a device."""
    if device.place.type == "cpu":
        return batch
    return {name: value.to(device.place, non_blocking=True) for name, value in batch.items()}

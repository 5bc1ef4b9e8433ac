"""The only training loop: pretraining and fine-tuning differ in their goal alone."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autolect.core import stop
from autolect.core.device import Device, compile_parts, hold_memory, on
from autolect.core.errors import UserError
from autolect.core.goal import Goal, Loss, Score, Tensors
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import TrainConfig
from autolect.train import budget, checkpoint, trouble
from autolect.train.batches import Batches
from autolect.train.budget import MEASURED_STEPS, Pacing
from autolect.train.history import CLOCK, History
from autolect.train.optim import SHARE, make_optimizer
from autolect.train.schedule import rate_at
from autolect.train.trouble import finite

MOST_BAD_STEPS = 20
"""So many steps in a row without a finite loss end the run."""


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
    looks: tuple[tuple[int, float], ...]
    """(step, score on valid), the start first."""
    resumed_at: int = 0
    averaged: int = 1
    """Networks whose weights the kept ones are the mean of."""


@dataclass(slots=True)
class _State:
    """Where the loop stands; all of it goes into a checkpoint."""

    steps: int
    spacing: int = 1
    """Steps from one look at valid to the next."""
    pacing: Pacing = field(default_factory=Pacing)
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
        looks=((0, state.first.value), *((step, score.value) for step, score in state.looks)),
        resumed_at=resumed_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a run of the loop would be."""

    step: float
    """Seconds of one update."""
    look: float
    """Seconds of one look at valid."""
    steps: int
    looks: int
    tokens: float
    """Tokens of one update."""
    parts: Mapping[str, float]
    """Part of an update (data, forward, backward, update) -> its share of the seconds."""

    @property
    def seconds(self) -> float:
        """What the whole run would take; valid is looked at once before it."""
        return self.steps * self.step + (self.looks + 1) * self.look


def pace(goal: Goal, config: TrainConfig, *, seed: int, device: Device) -> Pace:
    """Take a few steps and look twice; the network is afterwards what it was."""
    batches = Batches(goal.lengths, batch_tokens=config.batch_tokens, seed=seed)
    loop = _Loop(goal, config, seed=seed, device=device, batches=batches, progress=Silent(), what="plan")
    step = loop.seconds_a_step()
    spent = dict(loop.spent)
    # The first look makes the products of its shapes ready, which a larger split has no more of.
    goal.measure(device)
    started = time.monotonic()
    goal.measure(device)
    look = time.monotonic() - started
    steps, looks = budget.steps_and_looks(config, batches, look=look, step=lambda: step)
    return Pace(
        step=step,
        look=look,
        steps=steps,
        looks=min(looks, steps),
        tokens=float(batches.lengths.sum()) / batches.num_batches,
        parts={name: value / sum(spent.values()) for name, value in spent.items()},
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
    saver = checkpoint.Saver(folder, loop.goal.network, seconds=config.checkpoint_seconds, what=loop.what)
    with stop.deferred() as asked, contextlib.closing(saver):
        if state.step == 0:
            # From here on a budget in minutes is so many steps, however often the run is killed ...
            loop.save(saver, key, best, history)
        while state.step < state.steps and not asked.asked:
            began = time.monotonic()
            record = loop.step()
            took = time.monotonic() - began
            state.seconds = time.monotonic() - started
            if state.step % state.spacing == 0 or state.step == state.steps:
                score = loop.look()
                record |= {f"valid_{name}": finite(value) for name, value in score.figures.items()}
                state.looks.append((state.step, score))
                if score.value > state.best.value:
                    state.best, state.best_step, best = score, state.step, loop.weights()
                if watch is not None:
                    watch(state.step, score)
            history.add(record)
            loop.report(record)
            # ... but for one correction, once its speed is known better.
            if loop.settle(took) or saver.due():
                loop.save(saver, key, best, history)
        if asked.asked:
            loop.save(saver, key, best, history)
    if not math.isfinite(state.best.value):
        raise UserError(
            "no look at the valid split gave a finite score", where=loop.what, fix=trouble.calmer(config)
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
        if not device.apart:
            hold_memory()
        goal.network.to(device.place)
        compile_parts(goal.network, device)
        self.optimizer = make_optimizer(goal.network, config)
        self.state = _State(steps=0)
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._ahead: tuple[int, list[Tensors]] | None = None

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
            # The start is a candidate too: a few examples can make a pretrained network worse.
            self.state.first = self.goal.measure(self.device)
            if math.isfinite(self.state.first.value):
                self.state.best = self.state.first
            look = time.monotonic() - started
            self.state.steps, looks = budget.steps_and_looks(
                self.config, self.batches, look=look, step=self.seconds_a_step
            )
            self.state.spacing = max(1, self.state.steps // looks)
            self.state.pacing = Pacing(look=look, settled=self.config.minutes is None)
            return self.weights(), 0
        best, facts = found
        values = facts["state"]
        for name in ("best", "first"):
            values[name] = Score(**values[name])
        values["looks"] = [(step, Score(**score)) for step, score in values["looks"]]
        values["pacing"] = Pacing(**values["pacing"])
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
        self._prepare(state.step + 1)
        rate = rate_at(state.step, steps=state.steps, peak=self.config.rate, warmup=self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group[SHARE]
        mean = loss.total.item() / max(1, loss.targets)
        if math.isfinite(mean) and bool(torch.isfinite(norm)):
            self.optimizer.step()
            state.bad_steps = 0
        else:
            state.bad_steps += 1
            self._tell_skipped()
        self.optimizer.zero_grad(set_to_none=True)
        state.tokens += int(self.batches.lengths[self.batches.at(state.step).rows].sum())
        state.step += 1
        record = {"step": state.step, "loss": finite(mean), "rate": rate, "norm": finite(float(norm))}
        record |= {name: finite(total.item() / max(1, n)) for name, (total, n) in loss.parts.items()}
        return record | {"tokens": state.tokens, CLOCK: round(state.seconds, 3)}

    def _tell_skipped(self) -> None:
        """A step changed nothing: the first of some in a row is told, too many end the run."""
        state, batch = self.state, self.batches.at(self.state.step)
        most = 1 if self.config.not_finite == "stop" else MOST_BAD_STEPS
        if 1 < state.bad_steps < most:
            return
        draw = np.random.default_rng([self.seed, 2, state.step])
        named = trouble.named(self.goal, batch, self.device, draw, done=self.done(state.step))
        told = f"step {state.step} had no finite loss or gradient; its texts: {named}"
        if state.bad_steps >= most:
            before = f", nor had the {most - 1} before it" if most > 1 else ""
            raise UserError(f"{told}{before}", where=self.what, fix=trouble.calmer(self.config))
        self.progress.say(f"{self.what}: {told}; it changes nothing")

    def report(self, record: dict[str, Any]) -> None:
        """Tell the progress how far the run is, at what speed and loss."""
        rate = self.state.tokens / max(1e-9, self.state.seconds)
        note = f"loss {record['loss'] or math.nan:.3f}, {rate:,.0f} tokens/s"
        self.progress.advance(self.what, self.state.step, self.state.steps, note)

    def look(self) -> Score:
        """Measure on valid."""
        began = time.monotonic()
        score = self.goal.measure(self.device)
        self.state.pacing.look = time.monotonic() - began
        return score

    def settle(self, took: float) -> bool:
        """Whether the budget in minutes is now another number of steps; took: seconds of the last one."""
        state, minutes = self.state, self.config.minutes
        if minutes is None:
            return False
        looks = (state.steps - state.step) // state.spacing
        steps = state.pacing.corrected(
            took,
            budget=60 * minutes,
            spent=state.seconds,
            step=state.step,
            steps=state.steps,
            looks=looks,
        )
        if steps is None:
            return False
        steps = max(steps, state.step + 1)
        self.progress.say(
            f"{self.what}: its speed is not that of its first steps; {steps:,} of them fill the "
            f"{minutes:g} minutes, not {state.steps:,}"
        )
        state.spacing = max(1, (steps - state.step) // max(1, looks))
        state.steps, self._ahead = steps, None
        return True

    def done(self, step: int) -> float:
        """Share of the steps before this one; 0 while the speed is measured and their number is not known."""
        return min(1.0, step / self.state.steps) if self.state.steps else 0.0

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
        torch.manual_seed(int(np.random.SeedSequence([self.seed, 3, step]).generate_state(1)[0]))
        found = []
        try:
            with self._clock("data"):
                parts = self._noisy(step)
            for noisy in parts:
                with self.device.computing(), self._clock("forward"):
                    loss = self.goal.loss(on(noisy, self.device))
                with self._clock("backward"):
                    torch.autograd.backward(loss.total)
                found.append(loss.detached())
        except (MemoryError, RuntimeError) as error:
            if not trouble.is_memory(error):
                raise
            raise trouble.memory(self.batches.at(step), self.config, what=self.what) from error
        whole = functools.reduce(operator.add, found)
        gradients = [value.grad for value in self.goal.network.parameters() if value.grad is not None]
        torch._foreach_div_(gradients, max(1, whole.targets))
        return whole

    def _noisy(self, step: int) -> list[Tensors]:
        """A step's batch in its parts, with what is to be predicted."""
        if self._ahead is not None and self._ahead[0] == step:
            return self._ahead[1]
        batch, draw = self.batches.at(step), np.random.default_rng([self.seed, 2, step])
        parts = np.array_split(batch.rows, min(self.config.micro_batches, len(batch.rows)))
        return [self.goal.collate(rows, batch.length, draw, done=self.done(step)) for rows in parts]

    def _prepare(self, step: int) -> None:
        """Make a step's batch while the device is still busy with the one before."""
        if self.device.apart and step < self.state.steps:
            self._ahead = step, self._noisy(step)

    def seconds_a_step(self) -> float:
        """The mean over batches spread through the first epoch; what these steps learned is forgotten."""
        network, weights = self.goal.network, self.weights()
        network.train()
        places = np.linspace(0, self.batches.num_batches - 1, MEASURED_STEPS).astype(int)
        # Kernels, and products on a processor, are made ready for a shape when it is first seen.
        for place in places:
            self._backward(int(place))
        self.spent.clear()
        started = time.monotonic()
        for place in places:
            self._backward(int(place))
            with self._clock("update"):
                torch.nn.utils.clip_grad_norm_(network.parameters(), self.config.clip)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
        seconds = (time.monotonic() - started) / MEASURED_STEPS
        network.load_state_dict(weights)
        self.optimizer = make_optimizer(network, self.config)
        return seconds

    @contextlib.contextmanager
    def _clock(self, part: str) -> Iterator[None]:
        """Add the seconds of a block to those that a part of the steps took."""
        started = time.monotonic()
        yield
        self.spent[part] += time.monotonic() - started

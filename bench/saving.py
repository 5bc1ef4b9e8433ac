"""What checkpoints cost, and how long it takes to go on from one.

python bench/saving.py                 two networks, five pairs of runs each, and the seek
python bench/saving.py --pairs 1       quickly

A pair is the same steps with checkpoints and without, one after the other, in changing order. The price of
a checkpoint is what the run with them takes longer, divided by their number; the share is that of a run that
saves once a minute. The seek is the time from the call to the first batch, at the first and the last step.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core import recipe, registry
from autolect.core.device import choose, set_threads
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.progress import Silent
from autolect.core.recipe import TrainConfig
from autolect.jobs.pretrain import PretrainGoal
from autolect.nn.model import Model, architecture_for
from autolect.text.shards import TokenStore
from autolect.train import checkpoint, loop
from autolect.train.history import LOG

VOCAB, LENGTH = 8000, 62
SIZES = {"small": {"width": 192, "layers": 2}, "large": {"width": 640, "layers": 8}}
SECONDS = 25.0
"""How long a run of a pair takes, about."""
SAVES = 5
"""Checkpoints of a run with them, about."""
MINUTE = 60.0
SEEK_ROWS, SEEK_STEPS = 2_000_000, 1_000_000


class Timed(PretrainGoal):
    """Pretraining without looks at valid, which are not what is measured."""

    def measure(self, device: Any) -> Score:  # noqa: ARG002 (as the loop calls it)
        """Nothing is measured."""
        return Score(value=0.0, figures={"loss": 0.0})


def store(count: int) -> TokenStore:
    """Random texts of equal length."""
    ids = np.random.default_rng(0).integers(8, VOCAB, size=count * LENGTH).astype(np.int32)
    numbers = np.arange(count)
    marks = np.ones(count * LENGTH, dtype=np.uint8)
    return TokenStore(
        ids=ids, marks=marks, starts=numbers * LENGTH, lengths=np.full(count, LENGTH), documents=numbers
    )


def goal(size: dict[str, int]) -> Timed:
    """An autoencoder with its data."""
    settings = recipe.from_table({"corpus": {"files": ["x"]}, "encoder": size})
    torch.manual_seed(0)
    model = Model(architecture_for(settings, vocab_size=VOCAB))
    objective = registry.load("objectives", "autoencode").build(settings.objective, vocab_size=VOCAB)
    return Timed(objective, model, store(20_000), store(8), corpus=Path())


def walk(size: dict[str, int], *, steps: int, seconds: float) -> tuple[float, int]:
    """Seconds of a run with a checkpoint every ``seconds``, and the number of them."""
    trained, count = goal(size), [0]
    config = TrainConfig(steps=steps, evaluations=1, checkpoint_seconds=seconds)
    save = checkpoint.Saver.save

    def counted(*args: Any, **settings: Any) -> None:
        count[0] += 1
        save(*args, **settings)

    checkpoint.Saver.save = counted  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            loop.fit(
                trained,
                config,
                seed=0,
                device=choose(),
                what="saving",
                progress=Silent(),
                folder=Path(folder),
                key="k",
            )
            return time.monotonic() - began, count[0]
    finally:
        checkpoint.Saver.save = save  # type: ignore[method-assign]


def price(name: str, *, pairs: int) -> dict[str, Any]:
    """The price of a checkpoint of one size of network."""
    size = SIZES[name]
    walk(size, steps=2, seconds=1e9)
    steps, started = 4, time.monotonic()
    walk(size, steps=steps, seconds=1e9)
    steps = max(10, int(steps * SECONDS / (time.monotonic() - started)))
    costs, plain = [], []
    for number in range(pairs):
        found = {}
        for seconds in (SECONDS / SAVES, 1e9) if number % 2 else (1e9, SECONDS / SAVES):
            found[seconds] = walk(size, steps=steps, seconds=seconds)
        (more, saves), (less, fewer) = found[SECONDS / SAVES], found[1e9]
        costs.append((more - less) / max(1, saves - fewer))
        plain.append(less)
        print(f"{name}: {more:.2f} s with {saves} checkpoints, {less:.2f} s with {fewer}", file=sys.stderr)
    middle = statistics.median(costs)
    return {
        "parameters": goal(size).network.num_parameters(),
        "steps": steps,
        "seconds_without": statistics.median(plain),
        "seconds_a_checkpoint": middle,
        "range": [min(costs), max(costs)],
        "share_of_a_minute": middle / (MINUTE + middle),
    }


class Reached(Exception):  # noqa: N818 (not an error)
    """The first batch is asked for."""


class Seeker:
    """Nothing but rows: to see how long it takes until the first batch."""

    def __init__(self, lengths: NDArray[np.int64]) -> None:
        self.network, self.lengths = torch.nn.Linear(4, 4), lengths

    def where(self, row: int) -> str:
        """Nowhere."""
        return str(row)

    def collate(self, rows: Any, length: int, draw: np.random.Generator, *, done: float) -> Tensors:  # noqa: ARG002
        """The end of the measurement."""
        raise Reached

    def loss(self, batch: Tensors) -> Loss:  # noqa: ARG002
        """Is not reached."""
        raise AssertionError

    def measure(self, device: Any) -> Score:  # noqa: ARG002
        """Nothing."""
        return Score(value=0.0, figures={"loss": 0.0})


def seek(step: int) -> float:
    """Seconds until the batch of a step is asked for, of a run of a million steps over two million texts."""
    rows = Seeker(np.random.default_rng(0).integers(2, 128, size=SEEK_ROWS))
    config = TrainConfig(steps=SEEK_STEPS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line = json.dumps({"step": 0, "loss": 1.0, "rate": 1e-3, "norm": 1.0, "tokens": 0, "seconds": 0.0})
        log = f"{line}\n".encode() * step
        (folder / LOG).write_bytes(log)
        facts: dict[str, Any] = {"key": "k", "step": step}
        facts |= {"log_bytes": len(log), "log_sha256": hashlib.sha256(log).hexdigest()}
        facts["state"] = dataclasses.asdict(loop._State(steps=SEEK_STEPS, step=step))
        saver = checkpoint.Saver(folder, rows.network, seconds=1, what="seek")
        optimizer = torch.optim.AdamW(rows.network.parameters())
        saver.save(rows.network, optimizer, best=dict(rows.network.state_dict()), facts=facts)
        saver.close()
        began = time.monotonic()
        try:
            loop.fit(
                rows,
                config,
                seed=0,
                device=choose("float32"),
                what="seek",
                progress=Silent(),
                folder=folder,
                key="k",
            )
        except Reached:
            return time.monotonic() - began
    raise AssertionError("the loop asked for no batch")


def main() -> int:
    """Measure, show, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    threads = set_threads()
    found: dict[str, Any] = {"threads": threads, "torch": torch.__version__}
    found["seek"] = {str(step): seek(step) for step in (1, SEEK_STEPS - 1)}
    for name in SIZES:
        found[name] = price(name, pairs=given.pairs)
    for name in SIZES:
        one = found[name]
        print(
            f"{name}: {one['parameters'] / 1e6:.1f} M parameters,"
            f" {one['seconds_a_checkpoint']:.2f} s a checkpoint"
            f" ({one['range'][0]:.2f} to {one['range'][1]:.2f}), {one['share_of_a_minute']:.2%} of the time"
        )
    print(
        f"seek: {' s, '.join(f'{seconds:.2f} s at step {step}' for step, seconds in found['seek'].items())}"
    )
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

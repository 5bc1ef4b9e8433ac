"""Tiny Shakespeare by characters: how long until our loss is that of nanoGPT's own settings.

make bench-setup; ln -s DATA build/data; python bench/shakespeare.py
python bench/shakespeare.py --shape gpu                                       on a machine with CUDA

The peer is GPT2LMHeadModel of transformers in nanoGPT's shape, with its optimizer, schedule and steps, each
way that it can run; what compiling takes is not counted on either side, and shown. The last tenth of the
text is held out, and both are scored on all of it in windows of the same length. Ours trains through the same
loop as every recipe, with ever more steps until the peer's loss is reached; no loss is looked at meanwhile.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _race import PEERS, ROOT, bfloat16, cuda, processor, versions
from numpy.typing import NDArray

TEXT = ROOT / "build" / "data" / "lm-en-tinyshakespeare" / "input.txt"
HELD = 0.1
MEASURED_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What nanoGPT's own configuration sets, and what ours does instead."""

    layers: int
    heads: int
    width: int
    length: int
    rows: int
    dropout: float
    steps: int
    rate: float = 1e-3
    beta: float = 0.99
    decay: float = 0.1
    warmup: int = 100
    known: float
    """The loss that its authors name."""
    ours: tuple[str, ...]
    """Settings of our recipe."""
    tried: tuple[int, ...]
    """Steps of ours, until the loss is reached."""


SHAPES = {
    "cpu": Shape(
        layers=4,
        heads=4,
        width=128,
        length=64,
        rows=12,
        dropout=0.0,
        steps=2000,
        known=1.88,
        ours=("train.optimizer=muon", "train.rate=1e-2", "train.batch_tokens=768"),
        tried=(150, 200, 300, 400, 600, 800, 1200, 2000),
    ),
    "gpu": Shape(
        layers=6,
        heads=6,
        width=384,
        length=256,
        rows=64,
        dropout=0.2,
        steps=5000,
        known=1.4697,
        ours=(
            "train.optimizer=muon",
            "train.rate=5e-3",
            "train.weight_decay=1.0",
            "train.batch_tokens=16384",
            "encoder.dropout=0.1",
        ),
        tried=(500, 600, 700, 800, 1000, 1500, 2000),
    ),
}


def main() -> int:
    """Train the peer, then ours; the line that says what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=TEXT)
    parser.add_argument("--shape", choices=SHAPES, default="cpu")
    parser.add_argument("--steps", type=int, nargs="+", help="of ours, one run after the other")
    parser.add_argument("--target", type=float, help="a loss to reach; the peer is not run")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="changes our recipe")
    parser.add_argument("--peer", choices=("plain", "compiled"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    shape = SHAPES[given.shape]
    if given.peer:
        print(json.dumps(theirs(given.text, shape, compiled=given.peer == "compiled")))
        return 0
    print(f"## shakespeare-{given.shape}\n\n{processor()}; {versions()}\n")
    print("| side | loss | seconds | of the first step | steps | M parameters |")
    print("| --- | --- | --- | --- | --- | --- |")
    if given.target is None:
        peers = [_peer(given.text, given.shape, how) for how in ("plain", "compiled")]
        best = min(peers, key=lambda one: float(one["seconds"]))
        loss, seconds = min(one["loss"] for one in peers), best["seconds"]
    else:
        loss, seconds = given.target, math.nan
    for steps in given.steps or shape.tried:
        found = ours(given.text, shape, steps=steps, changes=given.set)
        show("autolect", found)
        if found["loss"] <= loss:
            how = "reached" if math.isnan(seconds) else f"ratio={seconds / found['seconds']:.2f}"
            print(f"\nshakespeare-{given.shape} {how}; nanoGPT: {shape.known}")
            return 0
    print(f"\nshakespeare-{given.shape}: the loss {loss:.4f} was not reached")
    return 0


def _peer(text: Path, shape: str, how: str) -> dict[str, Any]:
    command = [str(PEERS), str(Path(__file__).resolve()), str(text), "--shape", shape, "--peer", how]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(answer.strip().split("\n")[-1])
    show(f"GPT2LMHeadModel {how}", found)
    return found


def show(name: str, one: dict[str, Any]) -> None:
    """A row of the table."""
    took = f"{one['seconds']:,.1f} | {one['first']:,.1f}"
    print(f"| {name} | {one['loss']:.4f} | {took} | {one['steps']} | {one['size']:.2f} |", flush=True)


def read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Training part and held part as ids of characters, and how many there are."""
    text = path.read_text(encoding="utf-8")
    known = {char: number for number, char in enumerate(sorted(set(text)))}
    ids = np.array([known[char] for char in text], dtype=np.int64)
    cut = round(len(ids) * (1 - HELD))
    return ids[:cut], ids[cut:], len(known)


def windows(ids: NDArray[np.int64], starts: NDArray[np.int64], length: int) -> tuple[Any, Any]:
    """Tokens (B,T) that begin at ``starts``, and the token after each."""
    import torch

    rows = ids[starts[:, None] + np.arange(length + 1)]
    return torch.from_numpy(rows[:, :-1].copy()), torch.from_numpy(rows[:, 1:].copy())


def held_windows(ids: NDArray[np.int64], length: int) -> list[NDArray[np.int64]]:
    """Beginnings of windows side by side, some at a time."""
    starts = np.arange((len(ids) - 1) // length, dtype=np.int64) * length
    return np.array_split(starts, max(1, len(starts) // MEASURED_ROWS))


def theirs(path: Path, shape: Shape, *, compiled: bool) -> dict[str, Any]:
    """NanoGPT's training of its shape, with the network of transformers."""
    import torch
    from torch.nn import functional
    from transformers import GPT2Config, GPT2LMHeadModel

    train, held, size = read(path)
    place = "cuda" if cuda() else "cpu"
    torch.manual_seed(1337)
    draw = np.random.default_rng(1337)
    dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), shape.dropout)
    config = GPT2Config(
        vocab_size=size,
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        n_positions=shape.length,
        use_cache=False,
        **dropout,
    )
    network = GPT2LMHeadModel(config).to(place)
    matrices = [value for value in network.parameters() if value.dim() > 1]
    others = [value for value in network.parameters() if value.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": shape.decay}, {"params": others, "weight_decay": 0.0}],
        lr=shape.rate,
        betas=(0.9, shape.beta),
        fused=True,
    )
    called = torch.compile(network) if compiled else network

    def loss_of(starts: NDArray[np.int64], ids: NDArray[np.int64]) -> Any:
        tokens, targets = (one.to(place, non_blocking=True) for one in windows(ids, starts, shape.length))
        with torch.autocast(place, torch.bfloat16, enabled=bfloat16()):
            scores = called(input_ids=tokens).logits
        return functional.cross_entropy(scores.flatten(0, 1).float(), targets.flatten())

    def rate_at(step: int) -> float:
        if step < shape.warmup:
            return shape.rate * (step + 1) / (shape.warmup + 1)
        over = (step - shape.warmup) / (shape.steps - shape.warmup)
        return shape.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * over)))

    started = time.perf_counter()
    for step in range(shape.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step)
        loss = loss_of(draw.integers(0, len(train) - shape.length - 1, shape.rows), train)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step == 0:
            loss.item()
            first = time.perf_counter() - started
            started = time.perf_counter()
    loss.item()
    seconds = time.perf_counter() - started
    network.eval()
    with torch.inference_mode():
        found = [(float(loss_of(some, held)), len(some)) for some in held_windows(held, shape.length)]
    return {
        "loss": sum(value * count for value, count in found) / sum(count for _, count in found),
        "seconds": seconds,
        "first": first,
        "steps": shape.steps,
        "size": sum(value.numel() for value in network.parameters()) / 1e6,
    }


class Goal:
    """Windows at random places of the text, through our own loop."""

    def __init__(self, network: Any, objective: Any, path: Path, shape: Shape) -> None:
        self.network, self.objective, self.shape = network, objective, shape
        self.train, self.held, _ = read(path)
        self.lengths = np.full(len(self.train) // shape.length, shape.length, dtype=np.int64)

    def where(self, row: int) -> str:
        """A window's number."""
        return f"window {row}"

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> dict[str, Any]:
        """As many windows as rows are asked for."""
        del done
        return self._batch(self.train, draw.integers(0, len(self.train) - length - 1, len(rows)))

    def _batch(self, ids: NDArray[np.int64], starts: NDArray[np.int64]) -> dict[str, Any]:
        tokens, targets = windows(ids, starts, self.shape.length)
        return {"tokens": tokens, "keep": tokens >= 0, "targets": targets}

    def loss(self, batch: dict[str, Any]) -> Any:
        """Of the next character."""
        return self.objective.loss(self.network, batch)

    def measure(self, device: Any) -> Any:
        """Mean loss over the whole held part."""
        import torch

        from autolect.core.device import on
        from autolect.core.goal import Score

        self.network.eval()
        total, count = 0.0, 0
        with torch.no_grad(), device.computing():
            for some in held_windows(self.held, self.shape.length):
                found = self.loss(on(self._batch(self.held, some), device))
                total, count = total + float(found.total), count + found.targets
        return Score(-total / count, {"loss": total / count})


def ours(path: Path, shape: Shape, *, steps: int, changes: list[str]) -> dict[str, Any]:
    """A run of our loop with so many steps; what compiling takes is measured by a run before it."""
    import torch

    from autolect.core import config, recipe, registry
    from autolect.core.device import choose, set_threads
    from autolect.core.progress import Silent
    from autolect.nn.model import Model, architecture_for
    from autolect.train.loop import fit

    class Timed(Silent):
        """Remembers when the first step was done."""

        def __init__(self) -> None:
            super().__init__()
            self.started = time.perf_counter()
            self.first = 0.0

        def advance(self, *_: Any) -> None:
            self.first = self.first or time.perf_counter() - self.started

    set_threads()
    table = {
        "corpus": {"files": [str(path)]},
        "encoder": {
            "width": shape.width,
            "layers": shape.layers,
            "heads": shape.heads,
            "dropout": shape.dropout,
        },
        "decoder": {"kind": "none"},
        "objective": {"kind": "causal"},
        "train": {"steps": steps, "length": shape.length, "evaluations": 1, "weight_decay": shape.decay},
    }
    layers = [table, *(config.parse_assignment(one) for one in (*shape.ours, *changes))]
    settings = recipe.from_table(config.merge(layers))
    *_, size = read(path)
    objective = registry.load("objectives", "causal").build(settings.objective, vocab_size=size)
    device, timed = choose(settings.train.dtype), Timed()
    few = settings.train.model_copy(update={"steps": 3})
    for training in (few, settings.train) if device.apart else (settings.train,):
        torch.manual_seed(0)
        network = Model(architecture_for(settings, vocab_size=size))
        goal = Goal(network, objective, path, shape)
        outcome = fit(goal, training, seed=0, device=device, what="shakespeare", progress=timed)
    return {
        "loss": outcome.best.figures["loss"],
        "seconds": outcome.seconds,
        "first": timed.first,
        "steps": steps,
        "size": network.num_parameters() / 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())

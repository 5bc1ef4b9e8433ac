"""recipe -> time, memory and disk, before anything starts: a sample of the text walks the whole way.

Of a recipe that starts from a bundle and has no text, learning from the labels is all there is to plan.
"""

from __future__ import annotations

import json
import math
import resource
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import files
from autolect.core.device import choose
from autolect.core.goal import Goal, Tensors
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import Recipe, changed
from autolect.jobs import report
from autolect.jobs.pretrain import Pretraining, measured, tested
from autolect.jobs.run import STAGES, given, walk
from autolect.jobs.sampling import LEAST_TEXTS, Line, taken
from autolect.jobs.stages import Run
from autolect.jobs.tuning.planned import Labels
from autolect.jobs.using import contexts
from autolect.text.tokenizer_training import SAMPLE as LEARNED
from autolect.train.loop import Pace, pace
from autolect.vectors.learners.counts import DENSE

LEVELLING = {"tokens": ("learning_seconds", LEARNED), "vectors": ("classes_seconds", 4_000_000)}
"""What a stage does in a time that does not grow any more from so many characters on: learning a tokenizer,
and classes of the most frequent words."""
SMALLER = 4
"""A second sample is so many times smaller: the two tell what grows with the text, and what does not."""
BATCHES = 64
"""The sample is repeated until it fills so many batches, as most batches of a large corpus are full."""
FEW = {"steps": 4, "evaluations": 1}
"""What the sample trains: enough to write a bundle. The speed is measured apart."""
GROWING = (".parquet", ".npy", ".ids", ".marks")
"""Endings of the files that grow with the text."""
CHECKPOINTS = 3
"""So many stand on the disk while a new one is written."""
WEIGHT_BYTES = 16
"""A checkpoint holds each weight, its two moments and its best value, in float32."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Another machine, by its maker's sheet."""

    devices: int
    tflops: float
    """TFLOP/s of bfloat16 matrices of each device, without sparsity."""
    gigabytes: float
    """GB/s from one device to the others."""


MACHINES = {
    "one H100": Machine(1, 990, 0),
    "eight H100": Machine(8, 990, 450),
    "one A100": Machine(1, 312, 0),
    "one RTX 4090": Machine(1, 165, 0),
    "one L4": Machine(1, 121, 0),
}
REACHED = 0.3
"""Share of the sheet's rate that training is taken to reach elsewhere: an estimate; one H200 reached 0.35."""
OPERATIONS = 6
"""Of each weight for each token, there and back (Kaplan 2020, arXiv:2001.08361)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One stage of the run."""

    name: str
    seconds: float
    disk: float
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would take here, and an estimate of its training elsewhere."""

    parts: tuple[Part, ...]
    characters: float
    """Of text; 0 where the recipe has none."""
    memory: float
    """Bytes at the worst moment."""
    disk: float
    """Bytes, checkpoints included."""
    free: float
    """Bytes on the disk where it would be written."""
    paces: Mapping[str, Pace]
    """pretraining and fine-tuning -> how fast they go."""
    elsewhere: Mapping[str, float]
    """Machine -> seconds of as many updates of pretraining there, an estimate; none for LSTM and GRU, which
    wait for themselves, and none without pretraining."""

    @property
    def seconds(self) -> float:
        """The whole run."""
        return sum(part.seconds for part in self.parts)

    def plain(self) -> dict[str, Any]:
        """As JSON values, for programs."""
        return {
            "seconds": round(self.seconds, 1),
            "stages": {
                part.name: {"seconds": round(part.seconds, 1), "disk": int(part.disk)} for part in self.parts
            },
            "characters": int(self.characters),
            "memory": int(self.memory),
            "disk": int(self.disk),
            "free": int(self.free),
            "training": {
                name: {
                    "steps": one.steps,
                    "tokens_a_second": round(one.tokens / one.step),
                    "shares": {part: round(share, 3) for part, share in one.parts.items()},
                }
                for name, one in self.paces.items()
            },
            "elsewhere_estimated": {name: round(value, 1) for name, value in self.elsewhere.items()},
        }


def plan(recipe: Recipe, *, folder: Path, progress: Progress) -> Plan:
    """Walk a sample in a folder that is removed afterwards; ``folder`` is where the run itself would be.

    UserError where there is nothing to do, and whatever the run itself would raise at once.
    """
    with tempfile.TemporaryDirectory(prefix="autolect-plan-") as place:
        start = given(recipe)
        if start is None:
            return _Planned(recipe, Path(place), progress).plan(folder)
        run = Run(folder=Path(place), recipe=_short(recipe), progress=Silent())
        return _of_labels(recipe, start, run, folder, progress)


def _of_labels(recipe: Recipe, start: Path, run: Run, folder: Path, progress: Progress) -> Plan:
    """A bundle that is given and labels: nothing is pretrained."""
    progress.say("plan: measuring how fast it learns from the labels")
    labels = Labels(recipe)
    found = labels.learning(run, start)
    parts = _parts({**found.seconds, "report": _reported(run)}, run, 1.0)
    return Plan(
        parts=parts,
        characters=0.0,
        memory=labels.memory(_peak()),
        disk=_disk(parts, labels, found.weights),
        free=shutil.disk_usage(_existing(folder)).free,
        paces={"fine-tuning": found.pace},
        elsewhere={},
    )


class _Planned:
    """Two samples of a corpus, walked."""

    def __init__(self, recipe: Recipe, place: Path, progress: Progress) -> None:
        self.recipe, self.place, self.progress = recipe, place, progress
        # Labels first, as in a run: a bad line is heard of now.
        self.labels = None if recipe.task is None else Labels(recipe)
        assert recipe.corpus is not None
        texts, self.total = taken(recipe.corpus)
        progress.say(f"plan: about {self.total / 1e6:.1f} million characters; a sample of them walks the way")
        fewer = texts[::SMALLER] if len(texts) >= SMALLER * LEAST_TEXTS else []
        few, many = (float(sum(len(text["text"]) for text in some)) for some in (fewer, texts))
        self.share = max(1.0, self.total / max(1.0, many))
        self.line = Line(few=few, many=many, size=self.total)
        # The larger one first: what is imported once is not counted twice.
        self.run = self._walked("larger", texts, until="pretrained")
        self.smaller = self._walked("smaller", fewer, until="vectors") if fewer else self.run

    def plan(self, folder: Path) -> Plan:
        """Measure the speed of training, and scale all of it to the whole corpus."""
        self.progress.say("plan: measuring how fast it trains")
        run, places = self.run, self.run.places
        seconds = {name: self._grown(name) for name in STAGES[:3] if name in places}
        training = Pretraining(run, places["corpus"], places["tokens"], places.get("vectors"))
        paces = {"pretraining": self._pace(training)}
        seconds["pretrained"] = self._pretrained(training, paces["pretraining"])
        if self.labels is not None:
            found = self.labels.learning(run, places["pretrained"])
            paces["fine-tuning"] = found.pace
            seconds |= found.seconds
        seconds["report"] = _reported(run)
        parts = _parts(seconds, run, self.share)
        weights = training.model.num_parameters()
        wanted = self.recipe.tokenizer.vocab_size
        if self.share > 1 and len(training.tokenizer) < wanted and not self.recipe.start:
            self.progress.say(
                f"plan: the sample gives {len(training.tokenizer):,} of {wanted:,} tokens,"
                " so that training may take more time and memory than this says"
            )
        return Plan(
            parts=parts,
            characters=self.total,
            memory=self._memory(),
            disk=_disk(parts, self.labels, weights),
            free=shutil.disk_usage(_existing(folder)).free,
            paces=paces,
            elsewhere={
                name: _seconds(machine, paces["pretraining"], weights)
                for name, machine in MACHINES.items()
                if not {"lstm", "gru"} & set(_kinds(self.recipe))
            },
        )

    def _memory(self) -> float:
        """Bytes at the worst moment, as all of the text would take them."""
        most = _peak() + self._denser()
        return most if self.labels is None else self.labels.memory(most)

    def _denser(self) -> float:
        """Bytes of the dense matrix of frequent words beyond those of the sample; more text has more."""
        if self.share == 1 or getattr(self.recipe.vectors, "kind", "") != "counts":
            return 0.0
        words: int = files.read_json(self.run.places["vectors"] / "vectors.json")["words"]["keys"]
        return 4.0 * (DENSE**2 - min(words, DENSE) ** 2)

    def _walked(self, name: str, texts: list[dict[str, str]], *, until: str) -> Run:
        """Walk some texts up to a stage."""
        lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
        files.save_file(self.place / f"{name}.jsonl", lines)
        assert self.recipe.corpus is not None
        read = {"files": [str(self.place / f"{name}.jsonl")], "column": "text", "encoding": "utf-8"}
        read |= {"style": "style"} if self.recipe.corpus.style else {}
        recipe = changed(self.recipe, {"corpus": read})
        run = Run(folder=self.place / name, recipe=_short(recipe), progress=Silent())
        walk(run, until=until)
        return run

    def _grown(self, stage: str) -> float:
        """Seconds of a stage over the whole corpus."""
        few, many = self.smaller.seconds[stage], self.run.seconds[stage]
        if stage not in LEVELLING:
            return self.line.through(few, many)
        fact, most = LEVELLING[stage]
        level = [_fact(run.places[stage], fact) for run in (self.smaller, self.run)]
        levelled = replace(self.line, size=min(self.total, max(most, self.line.many)))
        return levelled.through(*level) + self.line.through(few - level[0], many - level[1])

    def _pace(self, training: Pretraining) -> Pace:
        """How fast pretraining goes, with the steps and looks of the whole corpus."""
        config, goal = self.recipe.train, training.goal
        held = float(goal.lengths.sum())
        times = max(1, math.ceil(min(self.share, BATCHES * config.batch_tokens / held)))
        one = pace(_Repeated(goal, times), config, seed=self.recipe.seed, device=choose(config.dtype))
        sampled = self._held("valid", measured(training.run.recipe.train), training)
        look = one.look * self._capped("valid", measured(config), training) / sampled
        if config.minutes is not None:
            return replace(
                one, look=look, steps=max(1, int((config.minutes * 60 - one.looks * look) / one.step))
            )
        steps = round(one.steps * (self.share / times if config.epochs else 1.0))
        return replace(one, look=look, steps=steps, looks=min(one.looks, steps))

    def _pretrained(self, training: Pretraining, one: Pace) -> float:
        """Seconds of the stage: its loop, and what is built and measured around it, as in the sample."""
        a_token = one.look / self._capped("valid", measured(self.recipe.train), training)
        held = {"valid": self._held("valid", measured(training.run.recipe.train), training)}
        held |= {"test": self._held("test", tested(0), training)}
        few = FEW["steps"] * one.step + 2 * held["valid"] * a_token
        seen = one.steps * one.tokens
        more = self._capped("test", tested(seen), training) - held["test"]
        more += contexts.wanted(seen) - contexts.wanted(0)
        around = max(0.0, self.run.seconds["pretrained"] - few)
        return one.seconds + around + more * a_token

    def _held(self, name: str, most: int, training: Pretraining) -> float:
        """Tokens of a split of the sample that are looked at."""
        return max(1.0, min(most, float(training.splits[name].lengths.sum())))

    def _capped(self, name: str, most: int, training: Pretraining) -> float:
        """Tokens of a split of the whole corpus that are looked at."""
        return max(1.0, min(most, self.share * float(training.splits[name].lengths.sum())))


class _Repeated:
    """A goal whose rows come several times, so that batches are as full as with more text."""

    def __init__(self, goal: Goal, times: int) -> None:
        self.network, self.where, self.loss, self.measure = goal.network, goal.where, goal.loss, goal.measure
        self.lengths, self._goal = np.tile(goal.lengths, times), goal

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> Tensors:
        """The rows that these repeat."""
        return self._goal.collate(rows % len(self._goal.lengths), length, draw, done=done)


def _short(recipe: Recipe) -> Recipe:
    """A recipe that trains a few steps, once."""
    recipe = changed(recipe, {"train": FEW, "finetune": {**FEW, "average": 1}})
    recipe = recipe.model_copy(update={"search": None})
    if recipe.task is not None and hasattr(recipe.task, "curve"):
        recipe = recipe.model_copy(update={"task": recipe.task.model_copy(update={"curve": ()})})
    return recipe


def _reported(run: Run) -> float:
    """Seconds of the report."""
    started = time.monotonic()
    report.write(run, report.gather(run), command="")
    return time.monotonic() - started


def _parts(seconds: Mapping[str, float], run: Run, share: float) -> tuple[Part, ...]:
    """The stages in their order, with what they take of the disk in a run of so many times the text."""
    return tuple(
        Part(name=name, seconds=seconds[name], disk=_size(run.places.get(name), share))
        for name in STAGES
        if name in seconds
    )


def _disk(parts: tuple[Part, ...], labels: Labels | None, weights: int) -> float:
    """Bytes on the disk: results, and checkpoints of a training, or of all that stand there at once."""
    checkpoints = CHECKPOINTS * WEIGHT_BYTES * weights
    made = sum(part.disk for part in parts)
    if labels is None:
        return made + checkpoints
    return made + labels.beside([part.disk for part in parts if part.name == "finetuned"], checkpoints)


def _peak() -> float:
    """Bytes that this process took at most."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes on Linux


def _kinds(recipe: Recipe) -> list[str]:
    return [getattr(part, "kind", "") for part in (recipe.encoder, recipe.decoder)]


def _fact(folder: Path, name: str) -> float:
    """A number that a stage told of itself, 0 where it had nothing to tell."""
    return float(files.read_manifest(folder).facts.get(name, 0.0))


def _size(folder: Path | None, share: float) -> float:
    """Bytes of a folder or file, 0 without one; what grows with the text is so many times as large."""
    if folder is None:
        return 0.0
    sizes = {path: path.stat().st_size for path in (folder, *folder.rglob("*")) if path.is_file()}
    return sum(size * (share if path.suffix in GROWING else 1.0) for path, size in sizes.items())


def _existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _seconds(machine: Machine, one: Pace, weights: int) -> float:
    """Updates as many as planned: their products, and the float32 gradients that go there and back."""
    operations = OPERATIONS * weights * one.tokens
    products = operations / (machine.devices * machine.tflops * 1e12 * REACHED)
    round_ = 2 * 4 * weights / (machine.gigabytes * 1e9) if machine.devices > 1 else 0.0
    return one.steps * (products + round_)

"""recipe -> time, memory and disk, before anything starts: a sample of the text walks the whole way."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autolect.core import files
from autolect.core.device import choose
from autolect.core.errors import UserError
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import CorpusConfig, Recipe, changed
from autolect.jobs.evaluate import evaluate
from autolect.jobs.finetune import read_data, task_goal
from autolect.jobs.init import characters, sample
from autolect.jobs.pretrain import MOST_MEASURED, MOST_TESTED, Pretraining
from autolect.jobs.run import STAGES, walk
from autolect.jobs.search import finetune
from autolect.jobs.stages import Run
from autolect.text import readers
from autolect.text.tokenizer_training import SAMPLE as LEARNED
from autolect.train.loop import Pace, pace

SAMPLED = 1_000_000
"""Characters of the corpus that walk the way; all of it where there are fewer."""
SMALLER = 4
"""A second sample is so many times smaller: the two tell what grows with the text, and what does not."""
MOST_FILES = 200
"""Of more files, so many spread through them are sampled."""
FEW = {"steps": 4, "evaluations": 1}
"""What the sample trains: enough to write a bundle. The speed is measured apart."""
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
"""Share of the sheet's rate that training is taken to reach elsewhere: an estimate, measured nowhere."""


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
    memory: float
    """Bytes at the worst moment."""
    disk: float
    """Bytes, checkpoints included."""
    free: float
    """Bytes on the disk where it would be written."""
    paces: Mapping[str, Pace]
    """pretraining and fine-tuning -> how fast they go."""
    elsewhere: Mapping[str, float]
    """Machine -> seconds of as many updates of pretraining there, an estimate."""

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

    UserError where the recipe has no corpus, and whatever the run itself would raise at once.
    """
    if recipe.corpus is None:
        raise UserError("a plan needs the text", where="corpus", fix="add [corpus] files to the recipe")
    with tempfile.TemporaryDirectory(prefix="autolect-plan-") as place:
        return _Planned(recipe, recipe.corpus, Path(place), progress).plan(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The sizes of two samples and of the whole, in characters."""

    few: float
    many: float
    size: float

    def through(self, few: float, many: float) -> float:
        """Seconds of the whole, on the straight line through those of the samples; never less than theirs."""
        slope = max(0.0, many - few) / max(1.0, self.many - self.few)
        return many + slope * max(0.0, self.size - self.many)


class _Planned:
    """Two samples of a corpus, walked."""

    def __init__(self, recipe: Recipe, corpus: CorpusConfig, place: Path, progress: Progress) -> None:
        self.recipe, self.place, self.progress = recipe, place, progress
        texts, self.total = _taken(corpus)
        progress.say(f"plan: about {self.total / 1e6:.1f} million characters; a sample of them walks the way")
        fewer = texts[::SMALLER]
        self.sizes = [sum(len(text["text"]) for text in some) for some in (fewer, texts)]
        self.share = max(1.0, self.total / max(1, self.sizes[1]))
        self.line = Line(few=self.sizes[0], many=self.sizes[1], size=self.total)
        self.smaller = self._walked("smaller", fewer, until="vectors")
        self.run = self._walked("larger", texts, until="pretrained")

    def plan(self, folder: Path) -> Plan:
        """Measure the speed of training, and scale all of it to the whole corpus."""
        self.progress.say("plan: measuring how fast it trains")
        run, places = self.run, self.run.places
        seconds = {name: self._grown(name) for name in STAGES[:3] if name in places}
        training = Pretraining(run, places["corpus"], places["tokens"], places.get("vectors"))
        device = choose(self.recipe.train.dtype)
        paces = {"pretraining": self._pace(training)}
        seconds["pretrained"] = self._pretrained(training, paces["pretraining"])
        if self.recipe.task is not None:
            data = read_data(self.recipe, Silent())
            goal = task_goal(self.recipe, places["pretrained"], data)
            paces["fine-tuning"] = one = pace(
                goal, self.recipe.finetune, seed=self.recipe.seed, device=device
            )
            trials = self.recipe.search.trials if self.recipe.search else 1
            seconds["finetuned"] = (trials + getattr(self.recipe.task, "refit", False)) * one.seconds
            # Test stays closed: valid stands in for it.
            closed = replace(data, parts=replace(data.parts, test=data.parts.valid))
            evaluate(run, finetune(run, places["pretrained"], closed), closed)
            seconds["evaluation"] = run.seconds["evaluation"]
        growing = {"corpus": self.share, "tokens": self.share}
        parts = tuple(
            Part(name=name, seconds=seconds[name], disk=_size(places[name]) * growing.get(name, 1.0))
            for name in STAGES
            if name in seconds
        )
        weights = training.model.num_parameters()
        return Plan(
            parts=parts,
            characters=self.total,
            # Kilobytes on Linux; what a run holds at once does not grow with the text, but for its vectors.
            memory=1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            disk=sum(part.disk for part in parts) + CHECKPOINTS * WEIGHT_BYTES * weights,
            free=shutil.disk_usage(_existing(folder)).free,
            paces=paces,
            elsewhere={
                name: _seconds(machine, paces["pretraining"], weights) for name, machine in MACHINES.items()
            },
        )

    def _walked(self, name: str, texts: list[dict[str, str]], *, until: str) -> Run:
        """Walk some texts up to a stage."""
        lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
        files.save_file(self.place / f"{name}.jsonl", lines)
        assert self.recipe.corpus is not None
        read = {"files": [str(self.place / f"{name}.jsonl")], "column": "text", "encoding": "utf-8"}
        read |= {"style": "style"} if self.recipe.corpus.style else {}
        recipe = changed(self.recipe, {"corpus": read, "train": FEW, "finetune": FEW})
        recipe = recipe.model_copy(update={"search": None})
        run = Run(folder=self.place / name, recipe=recipe, progress=Silent())
        walk(run, until=until)
        return run

    def _grown(self, stage: str) -> float:
        """Seconds of a stage over the whole corpus."""
        few, many = self.smaller.seconds[stage], self.run.seconds[stage]
        if stage != "tokens":
            return self.line.through(few, many)
        learning = [_learning(run) for run in (self.smaller, self.run)]
        learned = replace(self.line, size=min(self.total, max(LEARNED, self.sizes[1])))
        return learned.through(*learning) + self.line.through(few - learning[0], many - learning[1])

    def _pace(self, training: Pretraining) -> Pace:
        """How fast pretraining goes, with the steps and looks of the whole corpus."""
        config = self.recipe.train
        one = pace(training.goal, config, seed=self.recipe.seed, device=choose(config.dtype))
        look = (
            one.look
            * self._capped("valid", MOST_MEASURED, training)
            / self._held("valid", MOST_MEASURED, training)
        )
        if config.minutes is not None:
            return replace(
                one, look=look, steps=max(1, int((config.minutes * 60 - one.looks * look) / one.step))
            )
        return replace(one, look=look, steps=round(one.steps * (self.share if config.epochs else 1.0)))

    def _pretrained(self, training: Pretraining, one: Pace) -> float:
        """Seconds of the stage: its loop, and what is built and measured around it, as in the sample."""
        a_token = one.look / self._capped("valid", MOST_MEASURED, training)
        held = {name: self._held(name, most, training) for name, most in _LOOKS.items()}
        few = FEW["steps"] * one.step + 2 * held["valid"] * a_token
        around = max(0.0, self.run.seconds["pretrained"] - few)
        return one.seconds + around + (self._capped("test", MOST_TESTED, training) - held["test"]) * a_token

    def _held(self, name: str, most: int, training: Pretraining) -> float:
        """Tokens of a split of the sample that are looked at."""
        return max(1.0, min(most, float(training.splits[name].lengths.sum())))

    def _capped(self, name: str, most: int, training: Pretraining) -> float:
        """Tokens of a split of the whole corpus that are looked at."""
        return max(1.0, min(most, self.share * float(training.splits[name].lengths.sum())))


_LOOKS = {"valid": MOST_MEASURED, "test": MOST_TESTED}


def _taken(corpus: CorpusConfig) -> tuple[list[dict[str, str]], float]:
    """Documents from the beginnings of the files, and the characters that all files hold, about."""
    paths = readers.expand(corpus.files)
    every = max(1, len(paths) // MOST_FILES)
    chosen, _, ratio = paths[::every], *sample(paths, corpus.column)
    sizes = {path: characters(path, corpus.column, ratio) for path in paths}
    share = min(1.0, SAMPLED / max(1.0, sum(sizes[path] for path in chosen)))
    texts: list[dict[str, str]] = []
    whole, exact = True, 0
    for path in chosen:
        taken = 0
        documents = readers.read(
            path,
            column=corpus.column,
            encoding=corpus.encoding,
            document=corpus.document,
            style=corpus.style,
        )
        for document in documents:
            if taken > share * sizes[path] and share < 1:
                whole = False
                break
            texts.append({"text": document.text, "style": document.style})
            taken += len(document.text)
        exact += taken
    return texts, float(exact) if whole and every == 1 else sum(sizes.values())


def _learning(run: Run) -> float:
    """Seconds in which a run learned its tokenizer; a bundle's is learned already."""
    return float(files.read_manifest(run.places["tokens"]).facts.get("learning_seconds", 0.0))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _seconds(machine: Machine, one: Pace, weights: int) -> float:
    """Updates as many as planned: their products, and the float32 gradients that go there and back."""
    products = one.flops / (machine.devices * machine.tflops * 1e12 * REACHED)
    round_ = 2 * 4 * weights / (machine.gigabytes * 1e9) if machine.devices > 1 else 0.0
    return one.steps * (products + round_)

"""Labels and a bundle -> what learning from them would take, before it begins."""

from __future__ import annotations

import math
import resource
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autolect.core import files
from autolect.core.device import Device, choose, set_threads
from autolect.core.progress import Silent
from autolect.core.recipe import Recipe, SearchConfig
from autolect.jobs.evaluate import FILE as EVALUATION
from autolect.jobs.evaluate import evaluate
from autolect.jobs.stages import Run
from autolect.jobs.tuning.crew import share_of_threads
from autolect.jobs.tuning.finetune import Data, read_data, task_goal
from autolect.jobs.tuning.finetuned import finetune
from autolect.jobs.tuning.self_training import SHARE as SURE
from autolect.train.loop import Pace, pace


@dataclass(frozen=True, slots=True)
class Learning:
    """How fast a task is learned, the seconds of each stage, and the weights of its network."""

    pace: Pace
    seconds: dict[str, float]
    weights: int


class Labels:
    """The labelled examples of a recipe. Reading them raises what a run would."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.data: Data = read_data(recipe, Silent())
        # Without a search there is one training.
        self.search = recipe.search or SearchConfig(trials=1, finalists=1, seeds=1)

    def learning(self, run: Run, start: Path) -> Learning:
        """Measure on all examples how fast a bundle learns; ``run`` gets a model of a few steps."""
        recipe, data = self.recipe, self.data
        device = choose(recipe.finetune.dtype)
        goal = task_goal(recipe, start, data)
        torch.set_num_threads(share_of_threads(self.search.workers))
        one = pace(goal, recipe.finetune, seed=recipe.seed, device=device)
        set_threads()
        # Test stays closed: valid stands in for it.
        closed = replace(data, parts=replace(data.parts, test=data.parts.valid), unlabelled=())
        evaluate(run, finetune(run, start, closed), closed)
        few: Any = run.recipe.finetune
        walked = 1 + self._refits
        looped = replace(one, steps=few.steps, looks=few.evaluations).seconds
        around = max(0.0, run.seconds["finetuned"] / walked - looped)
        seconds = {"finetuned": self.in_turn(device, one.seconds, around)}
        if shares := getattr(recipe.task, "curve", ()):
            times = sum(shares) if self._by_epochs else len(shares)
            seconds["curve"] = times * one.seconds + len(shares) * around
        rate = files.read_json(run.places["evaluation"] / EVALUATION)["test_texts_a_second"]
        more = len(data.parts.test) - len(data.parts.valid)
        seconds["evaluation"] = max(1.0, run.seconds["evaluation"] + more / rate)
        seconds["finetuned"] += len(data.unlabelled) / rate
        return Learning(one, seconds, sum(one.numel() for one in goal.network.parameters()))

    def memory(self, most: float) -> float:
        """Bytes at the worst moment: those of this process, or a search whose workers each take as much."""
        workers = self.search.workers
        return max(most, (1 + workers) * _resident()) if workers > 1 else most

    def beside(self, sizes: Iterable[float], checkpoints: float) -> float:
        """Bytes on the disk beside results of these sizes: checkpoints of each training, and finalists."""
        kept = self.search.workers + self.search.finalists * self.search.seeds
        task: Any = self.recipe.task
        more = bool(getattr(task, "unlabelled", ())) + self._refits
        shares: tuple[float, ...] = getattr(task, "curve", ())
        trained = max(self.search.workers + more, len(shares))
        trained *= self.recipe.finetune.average
        return trained * checkpoints + (kept * sum(sizes) if self.recipe.search else 0.0)

    @property
    def _refits(self) -> bool:
        """Whether the model learns once more, from train and valid."""
        return bool(getattr(self.recipe.task, "refit", False))

    @property
    def _by_epochs(self) -> bool:
        """Whether more examples take more time."""
        return self.recipe.finetune.epochs is not None

    def in_turn(self, device: Device, one: float, around: float) -> float:
        """Seconds of all trainings, each after the other; around: what is built and measured about each.

        With a budget of epochs examples that are learned beside those of train take their time.
        """
        parts, taught = self.data.parts, bool(self.data.unlabelled)
        per_example = one / len(parts.train) if self._by_epochs else 0.0
        sure = SURE * len(self.data.unlabelled)
        found = trainings(self.search, device) * (one + around)
        found += taught * (one + around + sure * per_example)
        return found + self._refits * (one + around + (sure + len(parts.valid)) * per_example)


def trainings(search: SearchConfig, device: Device) -> int:
    """How many times as long as one training a search takes.

    device: of which there is one, so that workers wait for each other; they share a processor by its threads.
    """
    workers = 1 if device.apart else search.workers
    again = min(search.finalists, search.trials) * (search.seeds - 1)
    return math.ceil(search.trials / workers) + math.ceil(again / workers)


def _resident() -> float:
    """Bytes of memory that this process has now."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return float(int(pages) * resource.getpagesize())

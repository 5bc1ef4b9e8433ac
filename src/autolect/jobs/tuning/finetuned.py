"""bundle, labels -> finetuned: a task's training or the search for one, and what else it learns from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from autolect.core import bundle, files
from autolect.core.device import choose, set_threads
from autolect.core.recipe import BUDGETS, Recipe
from autolect.jobs.stages import Run, section
from autolect.jobs.tuning.finetune import Data, TaskGoal, keyed, train_task, write_task_bundle
from autolect.jobs.tuning.search import search
from autolect.jobs.tuning.self_training import FILE as SELF_TRAINING
from autolect.jobs.tuning.self_training import Teacher, self_train
from autolect.jobs.using.loading import TaskNetwork, load_network, reader_of
from autolect.nn import weights
from autolect.train.loop import Outcome

APART = ("curve", "slice_column")
"""Keys of a task that say how it is looked at, and change nothing of what is learned."""


def finetune(run: Run, parent: Path, data: Data) -> Path:
    """Make the finetuned bundle of a run; with [search] it is that of the settings that the search chose."""
    needs = section(run.recipe, "task", "finetune", "search", "seed", "name")
    needs |= {"parent": bundle.digest(parent), "data": data.hashes}
    needs["task"] = {name: value for name, value in needs["task"].items() if name not in APART}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        _Finetuned(run, parent, data, folder, key=facts["key"]).make()

    return run.stage("finetuned", kind=bundle.KIND, needs=needs, make=make)


class _Finetuned:
    """Fills the folder of a finetuned bundle."""

    def __init__(self, run: Run, parent: Path, data: Data, folder: Path, *, key: str) -> None:
        self.run, self.parent, self.data, self.folder, self.key = run, parent, data, folder, key
        self.work = run.work("finetuned")

    def make(self) -> None:
        """Choose, then learn from what else there is."""
        # Workers are handed the data, and have no use for texts without labels.
        labelled = _labelled(self.data)
        settings, trained = self.run.recipe, None
        if settings.search is None:
            goal, outcome = self._train(settings, labelled, "fine-tuning")
            write_task_bundle(self.folder, settings, self.parent, labelled, goal, outcome)
            trained = goal.network, goal.task
        else:
            best = search(self.run, self.parent, labelled, self.folder, self.work, key=self.key)
            settings = best.recipe
        data = labelled
        if self.data.unlabelled:
            network, task = trained or load_network(best.place, bundle.open_bundle(best.place))
            data = self._self_trained(settings, self._teacher(settings, network, task))
        if getattr(settings.task, "refit", False):
            self._refit(settings, data)

    def _train(self, settings: Recipe, data: Data, what: str) -> tuple[TaskGoal, Outcome]:
        """One training, which goes on if it was struck."""
        return train_task(
            settings,
            self.parent,
            data,
            progress=self.run.progress,
            what=what,
            folder=self.work / what.replace(" ", "-"),
            key=keyed(self.key, data),
        )

    def _teacher(self, settings: Recipe, network: TaskNetwork, task: Any) -> Teacher:
        """What was chosen, with its score on valid."""
        set_threads()
        info = bundle.open_bundle(self.parent)
        reader, length = reader_of(self.parent, info), min(info.length, settings.finetune.length)
        device, valid = choose(settings.finetune.dtype), self.data.parts.valid
        network.to(device.place)
        rows = task.rows(valid, reader, length=length)
        score = task.judge(network, network.model, network.head, rows, valid, device).value
        return Teacher(network=network, task=task, reader=reader, length=length, score=score)

    def _self_trained(self, settings: Recipe, teacher: Teacher) -> Data:
        """Learn from texts without labels; gives what the model in the folder has learned from then."""
        found = self_train(teacher, settings, self.data, train=self._train, progress=self.run.progress)
        if found is not None:
            files.save_json(self.folder / SELF_TRAINING, found.plain())
        if found is None or not found.better:
            return _labelled(self.data)
        write_task_bundle(self.folder, settings, self.parent, found.data, found.goal, found.outcome)
        return found.data

    def _refit(self, settings: Recipe, data: Data) -> None:
        """Learn again from train and valid together; the new weights take the place of the folder's.

        What was settled on valid stays, since the new network has seen those examples; so does what valid
        found of the training: where no step of it was better than the start, there is none. Examples with a
        label that train lacks cannot be learned.
        """
        if not files.read_json(self.folder / bundle.INFO)["metrics"]["best_step"]:
            none = {**dict.fromkeys(BUDGETS), "steps": 0}
            settings = settings.model_copy(update={"finetune": settings.finetune.model_copy(update=none)})
        parts = data.parts
        learned = tuple(one for one in parts.valid if set(one.labels) <= set(data.labels))
        whole = replace(data, parts=replace(parts, train=(*parts.train, *learned)))
        goal, _ = self._train(settings, whole, "refit")
        path = self.folder / bundle.WEIGHTS
        weights.save(goal.network.state_dict() | weights.some(path, goal.task.SETTLED), path)


def _labelled(data: Data) -> Data:
    """The data without the texts that have no labels."""
    hashes = {name: value for name, value in data.hashes.items() if name != "unlabelled"}
    return replace(data, unlabelled=(), hashes=hashes)

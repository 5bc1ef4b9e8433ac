"""model, texts without labels -> a model that has learned its own surest answers too, if that is better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autolect.core.device import choose
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe
from autolect.jobs.suggest import doubt
from autolect.jobs.tuning.finetune import Data, TaskGoal
from autolect.jobs.using.loading import TaskNetwork
from autolect.text.labels import tags
from autolect.text.labels.labelled import TextExample, TokenExample
from autolect.text.reading import Reader
from autolect.train.loop import Outcome

FILE = "self_training.json"
SHARE = 0.3
"""Of the texts that are answered alike, the surest ones, which are learned."""
AT_ONCE = 2000

Train = Callable[[Recipe, Data, str], tuple[TaskGoal, Outcome]]
"""Settings, data and what it is called -> one training."""
Answered = TextExample | TokenExample


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """A trained task, what reads texts for it, and its score on valid."""

    network: TaskNetwork
    task: Any
    reader: Reader
    length: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTrained:
    """What came of it."""

    data: Data
    """With the texts that were learned among the train examples."""
    learned: int
    """How many these are."""
    goal: TaskGoal
    outcome: Outcome
    before: float
    """Score on valid of the model that answered."""

    @property
    def better(self) -> bool:
        """Whether it was worth it."""
        return self.outcome.best.value > self.before

    def plain(self) -> dict[str, Any]:
        """As JSON values, for the report."""
        return {
            "texts": len(self.data.unlabelled),
            "learned": self.learned,
            "before": self.before,
            "after": self.outcome.best.value,
            "kept": self.better,
        }


def self_train(
    teacher: Teacher, settings: Recipe, data: Data, *, train: Train, progress: Progress
) -> SelfTrained | None:
    """Train again on the labelled examples and on the surest answers as if they were labels (Lee 2013).

    None where there are too few texts to tell the surest ones.
    """
    sure = surest(*_answers(teacher, settings, data, progress))
    if not sure:
        progress.say("self-training: too few of the texts are answered alike to tell the surest; left out")
        return None
    progress.say(f"self-training: the surest {len(sure):,} of {len(data.unlabelled):,} answers are learned")
    more = replace(data, parts=replace(data.parts, train=(*data.parts.train, *sure)))
    goal, outcome = train(settings, more, "self-training")
    found = SelfTrained(data=more, learned=len(sure), goal=goal, outcome=outcome, before=teacher.score)
    verdict = "kept" if found.better else "not kept"
    after = outcome.best.value
    progress.say(f"self-training: {teacher.score:.4f} on valid before, {after:.4f} after: {verdict}")
    return found


def surest(examples: Sequence[Answered], doubts: Sequence[float]) -> list[Answered]:
    """Of the examples that are answered alike the share that is doubted least, in order.

    Alike are texts with the same labels, and sentences with the same kinds of entities: taken over all,
    those that are easy would crowd out the others.
    """
    alike: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for at, example in enumerate(examples):
        found = map(tags.kind_of, example.tags) if isinstance(example, TokenExample) else example.labels
        alike[frozenset(found) - {""}].append(at)
    taken = [
        at
        for places in alike.values()
        for at in sorted(places, key=lambda at: doubts[at])[: round(SHARE * len(places))]
    ]
    return [examples[at] for at in sorted(taken)]


def _answers(
    teacher: Teacher, settings: Recipe, data: Data, progress: Progress
) -> tuple[list[Answered], list[float]]:
    """The texts with the model's answers as their labels, and how it doubts each of them."""
    device = choose(settings.finetune.dtype)
    network, task = teacher.network.to(device.place), teacher.task
    found: list[Answered] = []
    doubts: list[float] = []
    for start in range(0, len(data.unlabelled), AT_ONCE):
        some = data.unlabelled[start : start + AT_ONCE]
        asked = task.unlabelled([one.text for one in some])
        examples = [replace(one, where=text.where) for one, text in zip(asked, some, strict=True)]
        rows = task.rows(examples, teacher.reader, length=teacher.length)
        answers = task.answers(network, network.model, network.head, rows, device)
        found += map(task.taught, examples, answers)
        doubts += map(doubt, answers)
        progress.advance("answers", len(found), len(data.unlabelled), "texts")
    return found, doubts

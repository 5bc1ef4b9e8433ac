"""bundle -> bundle: learn a task from a little labelled text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core import bundle, files, registry
from autolect.core.bundle import TaskInfo
from autolect.core.device import Device, choose, set_threads
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe
from autolect.core.version import __version__
from autolect.jobs.pretrain import write_info
from autolect.jobs.tuning import learned
from autolect.jobs.using.loading import TaskNetwork, copy_vectors, load_model, reader_of
from autolect.nn import adapters, weights
from autolect.text import readers
from autolect.text.labels.formats import brat
from autolect.text.labels.split import Overlap, Parts, alike, conflicts, drawn, normalise, overlap
from autolect.text.readers import Document
from autolect.text.reading import Reader
from autolect.train.average import fit_average
from autolect.train.loop import Outcome
from autolect.train.trouble import finite

LEARNING = "learning.json"
"""Of a fine-tuned bundle: what valid said of it while it learned, as (step, score)."""
STRANGE, LOOKED_AT = 0.1, 500
"""From this share on of tokens that the vocabulary lacks, among so many texts, a training tells of them."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The labelled examples of a run."""

    parts: Parts[Any]
    labels: tuple[str, ...]
    overlaps: tuple[Overlap, ...]
    num_conflicts: int
    hashes: dict[str, str]
    unlabelled: tuple[Document, ...] = ()
    """Texts without labels to learn from; none that stands in a split."""


class TaskGoal:
    """A task with its data, as the loop needs it."""

    def __init__(
        self, task: Any, network: TaskNetwork, data: Data, reader: Reader, length: int, device: Device
    ) -> None:
        self.task, self.network, self.valid = task, network, data.parts.valid
        self.reader, self.length = reader, length
        self._rows = task.rows(data.parts.train, reader, length=length)
        task.begin(network.model, network.head, self._rows, device)
        self._valid_rows = task.rows(data.parts.valid, reader, length=length)
        self.lengths: NDArray[np.int64] = self._rows.lengths
        self.num_cut: int = self._rows.num_cut

    def where(self, row: int) -> str:
        """File and line of a training example."""
        place: str = self._rows.where(row)
        return place

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> Tensors:
        """Rows of the train examples, some tokens hidden."""
        del done
        batch: Tensors = self.task.collate(self._rows, rows, length, draw)
        return batch

    def loss(self, batch: Tensors) -> Loss:
        """The task's loss."""
        loss: Loss = self.task.loss(self.network.model, self.network.head, batch)
        return loss

    def settle(self, device: Device) -> None:
        """Let the task choose on the valid examples what training could not."""
        self.task.settle(self.network, self.network.model, self.network.head, self._valid_rows, device)

    def measure(self, device: Device) -> Score:
        """The task's score on the valid examples."""
        network = self.network
        score: Score = self.task.judge(
            network, network.model, network.head, self._valid_rows, self.valid, device
        )
        return score


def read_data(recipe: Recipe, progress: Progress) -> Data:
    """Read the labelled files, split where no file is given, and refuse texts that stand in two splits."""
    config: Any = recipe.task
    plugin = registry.load("tasks", config.kind).build
    paths = {name: getattr(config, name) for name in ("train", "valid", "test")}
    read = {name: plugin.read(Path(path), config) for name, path in paths.items() if path}
    for name, found in read.items():
        for note in found.notes:
            progress.say(f"{name}: {note}")
    given = {name: found.examples for name, found in read.items()}
    shares = {"valid": config.valid_share, "test": config.test_share, "share": config.share}
    parts = drawn(given, **shares, seed=recipe.seed)
    overlaps = overlap(parts)
    _refuse_overlap(overlaps, given, allowed=config.allow_overlap, progress=progress)
    clashes = conflicts(parts.train)
    if clashes:
        first = " and ".join(clashes[0].where[:2])
        progress.say(f"{len(clashes)} text(s) of train carry different labels, first {first}")
    labels = plugin.find_labels(parts.train)
    for names in alike(labels):
        progress.say(f"train has {names}; they are learned as different ones")
    _warn_unseen(labels, parts, progress)
    unlabelled = texts_without_labels(config, parts)
    hashes = {name: fingerprint(Path(path)) for name, path in paths.items() if path}
    # Settings that change nothing of what is learned may still say which columns are read.
    hashes["examples"] = files.fingerprint([_learned(one) for one in (parts.train, parts.valid, parts.test)])
    if unlabelled:
        hashes["unlabelled"] = files.fingerprint([[one.where, one.text] for one in unlabelled])
    return Data(
        parts=parts,
        labels=labels,
        overlaps=overlaps,
        num_conflicts=len(clashes),
        hashes=hashes,
        unlabelled=unlabelled,
    )


def texts_without_labels(config: Any, parts: Parts[Any]) -> tuple[Document, ...]:
    """The texts of `task.unlabelled`, each once, but for those of the splits.

    UserError where no text is left, or with the place of what cannot be read.
    """
    patterns = getattr(config, "unlabelled", ())
    if not patterns:
        return ()
    known = {normalise(example.text) for part in (parts.train, parts.valid, parts.test) for example in part}
    found: dict[str, Document] = {}
    for path in readers.expand(patterns):
        for one in readers.read(path, encoding=config.encoding, section="task"):
            key = normalise(one.text)
            if key not in known:
                found.setdefault(key, one)
    if not found:
        what = "every text stands in train, valid or test already"
        raise UserError(what, where="task.unlabelled", fix="give other texts, or leave the key out")
    return tuple(found.values())


def train_task(
    recipe: Recipe,
    parent: Path,
    data: Data,
    *,
    progress: Progress,
    what: str,
    folder: Path | None = None,
    key: str = "",
    watch: Callable[[int, Score], None] | None = None,
) -> tuple[TaskGoal, Outcome]:
    """Fine-tune the parent bundle with a recipe's settings; the goal then holds the best weights.

    What the task settles on valid afterwards is in its weights and in the outcome's best score.
    """
    progress.say(
        f"{what}: fitting what is counted in {len(data.parts.train):,} examples, before the network learns"
    )
    goal = task_goal(recipe, parent, data)
    if goal.num_cut:
        progress.say(f"{what}: {goal.num_cut} training text(s) are longer than the {goal.length} tokens read")
    strange = strangeness(goal.reader, [example.text for example in data.parts.train])
    if strange > STRANGE:
        progress.say(
            f"{what}: of the tokens of the train texts {strange:.0%} are unknown to the bundle's tokenizer or"
            f" spelt byte by byte; a bundle that was pretrained on text like them would know them"
        )
    device = choose(recipe.finetune.dtype)
    if device.apart and not getattr(goal.task, "SEEN_ON_GPU", True):
        progress.say(
            f"{what}: on a GPU this task was seen to ignore what it reads, for a reason that is not known;"
            " with CUDA_VISIBLE_DEVICES= in the environment the processor trains it"
        )
    outcome = fit_average(
        goal,
        recipe.finetune,
        seed=recipe.seed,
        device=device,
        what=what,
        progress=progress,
        folder=folder,
        key=key,
        watch=watch,
    )
    adapters.merge(goal.network.model)
    goal.settle(device)
    return goal, replace(outcome, best=goal.measure(device))


def keyed(key: str, data: Data) -> str:
    """A key that also says which examples are learned from: a checkpoint serves no others."""
    return files.fingerprint({"key": key, "learned": _learned(data.parts.train)})


def _learned(examples: Sequence[Any]) -> list[Any]:
    """What is learned from examples, as JSON values."""
    return [[one.text, list(one.labels)] for one in examples]


def strangeness(reader: Reader, texts: Sequence[str]) -> float:
    """Share of the tokens of some of the texts that the vocabulary lacks."""
    read = reader.tokenizer.encode_batch(list(texts[:LOOKED_AT]))
    ids = np.concatenate([one.ids for one in read]) if read else np.zeros(0, np.int64)
    return reader.tokenizer.unknown_rate(ids) + reader.tokenizer.spelt_rate(ids)


def task_goal(recipe: Recipe, parent: Path, data: Data) -> TaskGoal:
    """The parent's network with the task's head, and the examples that it learns from."""
    set_threads()
    info = bundle.open_bundle(parent)
    torch.manual_seed(recipe.seed)
    model = load_model(parent, info)
    config: Any = recipe.task
    task = registry.load("tasks", config.kind).build(config, labels=data.labels)
    network = TaskNetwork(model, task.head(model.architecture))
    length = min(info.length, recipe.finetune.length)
    device = choose(recipe.finetune.dtype)
    # The network goes to a GPU when the loop starts.
    begun_on = Device(model.place, torch.float32) if device.apart else device
    goal = TaskGoal(task, network, data, reader_of(parent, info), length, begun_on)
    if recipe.finetune.learn == "adapters":
        adapters.add(model, rank=recipe.finetune.rank)
    elif recipe.finetune.learn == "head":
        adapters.freeze(model)
    return goal


def write_task_bundle(
    folder: Path, recipe: Recipe, parent: Path, data: Data, goal: TaskGoal, outcome: Outcome
) -> None:
    """Fill a bundle's folder with a fine-tuned network."""
    info = bundle.open_bundle(parent)
    weights.save(goal.network.state_dict(), folder / bundle.WEIGHTS)
    goal.reader.tokenizer.save(folder)
    copy_vectors(parent, folder)
    config: Any = recipe.task
    metrics = {f"valid_{name}": value for name, value in outcome.best.figures.items()}
    metrics |= {"valid_score": outcome.best.value, "steps": outcome.steps, "best_step": outcome.best_step}
    metrics["averaged"] = outcome.averaged
    learned.save(folder, (one.text for part in (data.parts.train, data.parts.valid) for one in part))
    looks = [[step, finite(score)] for step, score in outcome.looks]
    files.save_json(folder / LEARNING, looks)
    write_info(
        folder,
        info.model_copy(
            update={
                "name": recipe.name,
                "task": TaskInfo(
                    kind=config.kind, settings=config.model_dump(mode="json"), labels=data.labels
                ),
                "parents": (bundle.digest(parent), *info.parents),
                "data": {**info.data, **data.hashes},
                "metrics": metrics,
                "tool": f"autolect {__version__}",
            }
        ),
    )


def fingerprint(path: Path) -> str:
    """Of a labelled file, with the texts beside it if it holds marks alone, or of all files of a folder."""
    if path.is_file() and path.suffix != brat.MARKS:
        return files.sha256(path)
    if not path.is_dir():
        return files.fingerprint(
            [[one.name, files.sha256(one)] for one in (path, path.with_suffix(brat.TEXTS))]
        )
    # Where a text stands in a folder may be its label.
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    return files.fingerprint([[one.relative_to(path).as_posix(), files.sha256(one)] for one in inside])


def _refuse_overlap(
    overlaps: tuple[Overlap, ...], given: Collection[str], *, allowed: bool, progress: Progress
) -> None:
    for found in overlaps:
        if not found.num_shared:
            continue
        pair = found.pairs[0]
        what = (
            f"{found.num_shared} text(s) of {found.later} stand in {found.earlier} too"
            f" ({found.num_exact} exact, {found.num_normalised} normalised, {found.num_near} near;"
            f" first {pair.other} and {pair.one})"
        )
        if not allowed:
            fix = "remove them, or set task.allow_overlap = true"
            if found.later not in given:
                fix += "; they were drawn, and too many texts are nearly equal to be kept apart"
            raise UserError(what, where="task", fix=fix)
        progress.say(f"{what}; allowed by the recipe")


def _warn_unseen(labels: tuple[str, ...], parts: Parts[Any], progress: Progress) -> None:
    for name in ("valid", "test") if labels else ():
        found = {label for example in getattr(parts, name) for label in example.labels}
        unseen = sorted(found - set(labels))
        if unseen:
            progress.say(
                f"{name} has label(s) that train lacks, so they count as mistakes: {', '.join(unseen)}"
            )

"""bundles, one labelled file -> their scores on it, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core import bundle, recipe, registry
from autolect.core.device import choose, set_threads
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError
from autolect.core.intervals import Difference, Tally, difference
from autolect.core.progress import Progress
from autolect.jobs.tuning import learned
from autolect.jobs.using.loading import load_network, reader_of

SEED = 0
SHOWN = 5
"""Labels that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One bundle's score on a file, and how much better it is than the first bundle there."""

    folder: Path
    name: str
    measure: str
    examples: int
    figures: dict[str, Any]
    against: Difference | None

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        found = {
            "bundle": str(self.folder),
            "name": self.name,
            "measure": self.measure,
            "examples": self.examples,
            **{key: self.figures[key] for key in ("score", "low", "high")},
        }
        if self.against is None:
            return found
        one = self.against
        return found | {"difference": {"value": one.value, "low": one.low, "high": one.high, "p": one.p}}


def judge(
    folders: Sequence[Path],
    path: Path,
    *,
    overrides: Sequence[str],
    dtype: DtypeName = "float32",
    progress: Progress,
) -> list[Judged]:
    """Let every bundle answer the examples of a file.

    overrides: ``task.KEY=VALUE``, how it is read. dtype: in what the networks multiply matrices.
    UserError where a bundle has no task or another one than the first, or reads other examples.
    """
    set_threads()
    found: list[Judged] = []
    kinds: list[str] = []
    asked: list[tuple[str, Any]] = []
    first: Tally | None = None
    for folder in folders:
        info = bundle.open_bundle(folder)
        if info.task is None:
            raise UserError(
                "is not fine-tuned", where=str(folder), fix="name the bundle of `autolect finetune`"
            )
        network, task = load_network(folder, info)
        if kinds and info.task.kind != kinds[0]:
            what = f"answers {info.task.kind}, and {folders[0]} {kinds[0]}"
            raise UserError(what, where=str(folder), fix="compare bundles of one task")
        kinds.append(info.task.kind)
        examples = labelled_for(info.task, path, overrides=overrides)
        read = [(one.text, task.gold(one)) for one in examples]
        if asked and read != asked:
            fix = "say for all how it is read, as by --set task.text_column=NAME task.label_column=NAME"
            raise UserError(f"reads {path} otherwise than {folders[0]}", where=str(folder), fix=fix)
        asked = read
        device = choose(dtype)
        network.to(device.place)
        progress.say(f"{info.name}: {len(examples):,} examples")
        for doubt in _doubts(folder, info, path, examples):
            progress.say(f"{folder}: {doubt}")
        rows = task.rows(examples, reader_of(folder, info), length=info.length)
        answers = task.answers(network, network.model, network.head, rows, device)
        gold = [wanted for _, wanted in read]
        predicted = [task.raw(answer) for answer in answers]
        tally = task.tally(gold, predicted)
        if found and task.measured != found[0].measure:
            what = f"is measured by {task.measured}, and {folders[0]} by {found[0].measure}"
            raise UserError(what, where=str(folder), fix="compare bundles of like labels")
        found.append(
            Judged(
                folder=folder,
                name=info.name,
                measure=task.measured,
                examples=len(gold),
                figures=task.measure(gold, predicted, seed=SEED),
                against=difference(tally, first, seed=SEED) if first is not None else None,
            )
        )
        first = first or tally
    return found


def labelled_for(task: bundle.TaskInfo, path: Path, *, overrides: Sequence[str] = ()) -> Sequence[Any]:
    """The examples of a labelled file, read as the file was that a bundle learned its task from.

    overrides: ``task.KEY=VALUE``, what is to be read otherwise.
    """
    known = {**task.settings, "train": str(path)}
    known |= {"slice_column": None} if "slice_column" in known else {}
    if task.kind == "pair":
        known["answer"] = "label" if task.labels else "score"
    settings = recipe.task_from(known, overrides=overrides)
    examples: Sequence[Any] = registry.load("tasks", task.kind).build.read(path, settings).examples
    return examples


def _doubts(folder: Path, info: bundle.BundleInfo, path: Path, examples: Sequence[Any]) -> Iterator[str]:
    """Why a score on a file would say little of a bundle."""
    assert info.task is not None
    if count := learned.known(folder, [one.text for one in examples]):
        whole = f"{count:,} of the {len(examples):,} texts of {path}"
        yield f"it learned from {whole}, so that its score says little of new texts"
    outside = {"O"}
    asked = {label for one in examples for label in one.labels} - outside
    if info.task.labels and (strange := sorted(asked - {*info.task.labels})):
        count = sum(not {*strange}.isdisjoint(one.labels) for one in examples)
        shown = ", ".join(map(repr, strange[:SHOWN])) + (", ..." if len(strange) > SHOWN else "")
        yield f"it does not know the label(s) of {count:,} examples, so that these are mistakes: {shown}"

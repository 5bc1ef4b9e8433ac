"""Several networks that are learned from labels, and the mean of their weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from autolect.core import bundle, files
from autolect.jobs.run import Summary
from autolect.report.summary import best_step
from autolect.train import average

from .conftest import walk


@pytest.mark.parametrize("refit", ["true", "false"])
def test_a_task_is_learned_by_networks_that_share_its_steps(
    classified: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refit: str
) -> None:
    made: list[int] = []

    def mean(states: list[average.State]) -> average.State:
        made.append(len(states))
        return whole(states)

    whole = average.mean
    monkeypatch.setattr(average, "mean", mean)
    labels = classified.folder.parent / "labels.tsv"
    given = (f"start={classified.folder / 'pretrained'}", f"task.train={labels}", "task.allow_overlap=true")
    found = walk(tmp_path, *given, "finetune.steps=7", "finetune.average=2", f"task.refit={refit}")
    assert made == [2] * (1 + (refit == "true"))
    info = bundle.open_bundle(found.folder / "finetuned")
    assert info.metrics["steps"] == 8
    assert info.metrics["averaged"] in (1, 2)
    assert (found.folder / "work" / "finetuned" / "fine-tuning" / "network-2").is_dir()
    assert files.read_json(found.folder / "evaluation" / "evaluation.json")["model"]["score"] > 0
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert ("networks one after the other" in page) == (info.metrics["averaged"] == 2)


def test_a_person_is_told_of_the_mean() -> None:
    told = best_step({"best_step": 5, "steps": 9, "averaged": 3})
    assert told == "5 of 9; the mean of the weights of 3 networks is kept"
    assert best_step({"best_step": 5, "steps": 9, "averaged": 1}) == "5 of 9"

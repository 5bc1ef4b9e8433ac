"""What a plan says beside what a run then does."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import torch

from autolect.core import files, recipe
from autolect.core.device import Device, choose
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.core.recipe import Recipe
from autolect.jobs import plan as job
from autolect.jobs import sampling
from autolect.jobs.plan import Plan
from autolect.jobs.run import STAGES
from autolect.jobs.tuning.planned import Labels, trainings
from tests.pipeline.conftest import TINY, walk, write_corpus, write_labels


def planned(folder: Path, *overrides: str) -> Plan:
    settings: Recipe = recipe.read(None, overrides=[*TINY, *overrides], environment={})
    return job.plan(settings, folder=folder / "run", progress=Silent())


def test_a_plan_tells_the_steps_and_the_disk_of_the_run_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "task.kind=classify"]
    given += [f"task.train='{write_labels(tmp_path)}'"]
    found = planned(tmp_path, *given)
    assert not list(tmp_path.glob("autolect-plan-*"))
    assert not (tmp_path / "run").exists()
    walk(tmp_path, *given)
    run = tmp_path / "run"
    for name, what in (("pretrained", "pretraining"), ("finetuned", "fine-tuning")):
        real = files.read_json(run / name / "bundle.json")["metrics"]
        assert found.paces[what].steps == real["steps"]
    for part in found.parts:
        made = run / ("report.html" if part.name == "report" else part.name)
        real_size = sum(path.stat().st_size for path in (made, *made.rglob("*")))
        assert part.disk == pytest.approx(real_size, rel=0.3, abs=20_000), part.name
        assert part.seconds > 0
    assert {part.name for part in found.parts} == set(STAGES) - {"curve"}
    assert found.seconds == pytest.approx(sum(part.seconds for part in found.parts))
    assert found.memory > 50e6
    assert sum(found.paces["pretraining"].parts.values()) == pytest.approx(1)
    assert found.elsewhere["eight H100"] != found.elsewhere["one H100"] > 0
    assert found.plain()["training"]["pretraining"]["steps"] == 30


def test_a_sample_stands_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "train.epochs=3"]
    whole = planned(tmp_path, *given)
    monkeypatch.setattr(sampling, "SAMPLED", 3000)
    part = planned(tmp_path, *given)
    assert part.characters == pytest.approx(whole.characters, rel=0.05)
    steps = [one.paces["pretraining"].steps for one in (part, whole)]
    assert steps[0] == pytest.approx(steps[1], rel=0.25)


def test_what_grows_is_drawn_out_and_what_does_not_is_kept() -> None:
    line = sampling.Line(few=100, many=400, size=4000)
    assert line.through(2.0, 5.0) == pytest.approx(5 + 3 * 12)
    assert line.through(5.0, 5.0) == 5.0
    assert line.through(6.0, 5.0) == 5.0
    alike = sampling.Line(few=390, many=400, size=4000)
    assert alike.through(4.9, 5.0) == 50.0


@pytest.mark.parametrize("count", [4, 8])
def test_few_long_documents_can_be_planned(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "SAMPLED", 3000)
    words = write_corpus(tmp_path).read_text().split("\n")
    rows = [{"text": " ".join(words[number::count])} for number in range(count)]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = planned(tmp_path, f"corpus.files=['{path}']")
    assert found.characters == pytest.approx(len(" ".join(words)), rel=0.05)


def test_the_encoding_of_the_recipe_is_that_of_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "chinese.txt"
    path.write_bytes(
        "\n".join(f"他在第{n}天去了北京，第二天又回到了上海。" for n in range(200)).encode("gb18030")
    )
    found = planned(tmp_path, f"corpus.files=['{path}']", "corpus.encoding=gb18030")
    assert found.characters == pytest.approx(200 * 21, rel=0.1)


def test_batches_larger_than_the_sample_are_measured_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "train.batch_tokens=4096", "train.epochs=8"]
    whole = planned(tmp_path, *given).paces["pretraining"]
    monkeypatch.setattr(sampling, "SAMPLED", 2000)
    part = planned(tmp_path, *given).paces["pretraining"]
    assert part.tokens == pytest.approx(whole.tokens, rel=0.3)
    assert part.steps == pytest.approx(whole.steps, rel=0.4)


def test_a_budget_in_minutes_is_what_training_takes(tmp_path: Path) -> None:
    found = planned(tmp_path, f"corpus.files=['{write_corpus(tmp_path)}']", "train.minutes=2")
    (seconds,) = (part.seconds for part in found.parts if part.name == "pretrained")
    assert seconds == pytest.approx(120, rel=0.1)


def test_a_search_takes_its_trials_and_its_finalists_in_rounds_of_its_workers() -> None:
    search = recipe.SearchConfig(trials=8, finalists=2, seeds=3)
    alone = Device(torch.device("cpu"), torch.float32)
    assert trainings(search, alone) == 8 + 4
    assert trainings(search.model_copy(update={"workers": 3}), alone) == 3 + 2
    assert trainings(search.model_copy(update={"trials": 1}), alone) == 1 + 2
    assert trainings(search.model_copy(update={"seeds": 1}), alone) == 8
    shared = Device(torch.device("cuda"), torch.float32)
    assert trainings(search.model_copy(update={"workers": 3}), shared) == 8 + 4


def test_a_plan_counts_the_search(tmp_path: Path) -> None:
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "task.kind=classify", "finetune.epochs=1"]
    given += [f"task.train='{write_labels(tmp_path)}'", "task.refit=false"]
    found = planned(tmp_path, *given, "search.trials=6", "search.workers=2")
    (seconds,) = (part.seconds for part in found.parts if part.name == "finetuned")
    device, search = choose(), recipe.SearchConfig(trials=6, workers=2)
    times = trainings(search, device)
    assert device.apart or times == 3 + 2
    assert seconds > times * found.paces["fine-tuning"].seconds
    assert found.memory > 3 * 50e6


def test_a_plan_counts_a_curve_and_what_is_learned_beside_labels(tmp_path: Path) -> None:
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "task.kind=classify", "finetune.epochs=1"]
    given += [f"task.train='{write_labels(tmp_path)}'", "task.refit=false"]
    more = tmp_path / "more.txt"
    more.write_text(
        "\n".join(f"a dog sees the sun on day {number}" for number in range(280)), encoding="utf-8"
    )
    found = planned(tmp_path, *given, "task.curve=[0.25, 0.5]", f"task.unlabelled=['{more}']")
    one = found.paces["fine-tuning"].seconds
    took = {part.name: part.seconds for part in found.parts}
    assert took["curve"] > 0.75 * one
    # 84 train examples, and three tenths of the others as many again.
    assert took["finetuned"] > (1 + 1 + 0.3 * 280 / 84) * one


@pytest.mark.parametrize("budget", ["epochs", "minutes"])
def test_what_is_learned_again_takes_the_time_of_its_examples(budget: str, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text(
        "\n".join(f"a dog sees the sun on day {number}" for number in range(84)), encoding="utf-8"
    )
    labels = write_labels(tmp_path)
    given = ["task.kind=classify", f"task.train='{labels}'", "corpus.files=['.']", f"finetune.{budget}=2"]
    alone = Device(torch.device("cpu"), torch.float32)

    def taken(*further: str) -> float:
        found = Labels(recipe.read(None, overrides=[*given, *further], environment={}))
        assert [len(found.data.parts.train), len(found.data.parts.valid)] == [84, 18]
        return found.in_turn(alone, 10, 1)

    once = taken("task.refit=false")
    assert once == 11
    assert taken() == pytest.approx(once + (11 + 10 * 18 / 84 if budget == "epochs" else 11))
    taught = taken("task.refit=false", f"task.unlabelled=['{more}']")
    assert taught == pytest.approx(once + (11 + 10 * 0.3 if budget == "epochs" else 11))


def test_a_bundle_and_labels_are_planned_without_text(tmp_path: Path) -> None:
    labels = write_labels(tmp_path)
    walk(tmp_path, f"corpus.files=['{write_corpus(tmp_path)}']")
    given = [f"start='{tmp_path / 'run' / 'pretrained'}'", "task.kind=classify", f"task.train='{labels}'"]
    settings = recipe.read(None, overrides=[*given, "finetune.epochs=2", "search.trials=4"], environment={})
    found = job.plan(settings, folder=tmp_path / "new", progress=Silent())
    assert [part.name for part in found.parts] == ["finetuned", "evaluation", "report"]
    assert all(part.seconds > 0 and part.disk > 0 for part in found.parts)
    assert not (tmp_path / "new").exists()
    assert found.elsewhere == {}
    assert found.plain()["training"]["fine-tuning"]["steps"] > 0
    assert found.disk > sum(part.disk for part in found.parts)


def test_a_plan_of_nothing_is_refused(tmp_path: Path) -> None:
    settings = recipe.read(None, overrides=[f"start='{tmp_path}'"], environment={})
    with pytest.raises(UserError, match="it is unfinished or not"):
        job.plan(settings, folder=tmp_path, progress=Silent())
    walk(tmp_path, f"corpus.files=['{write_corpus(tmp_path)}']")
    bundle = tmp_path / "run" / "pretrained"
    settings = recipe.read(None, overrides=[f"start='{bundle}'"], environment={})
    with pytest.raises(UserError, match="nothing to do with a bundle alone"):
        job.plan(settings, folder=tmp_path, progress=Silent())

"""What else is learned from labels: texts that have none, and what fewer of them come to."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autolect.core import bundle, files, recipe
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.jobs.run import Summary
from autolect.jobs.tuning import finetuned
from autolect.jobs.tuning.curve import FILE as CURVE
from autolect.jobs.tuning.finetune import Data, fingerprint, keyed, read_data, train_task
from autolect.jobs.tuning.self_training import FILE, SHARE, SelfTrained, surest
from autolect.jobs.using.use import load
from autolect.text.labels.labelled import TextExample, TokenExample

from .conftest import SUBJECTS, VERBS, walk, write_corpus, write_labels


def unlabelled(folder: Path) -> Path:
    draw = random.Random(9)
    lines = [
        f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} the {word} for {number} days"
        for number in range(40)
        for word in ("moon", "sun")
    ]
    path = folder / "more.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def given(one: Summary) -> tuple[str, ...]:
    """Settings of the shared tiny run of a task, from its pretrained bundle, but for its search."""
    labels = one.folder.parent / "labels.tsv"
    return (f"start={one.folder / 'pretrained'}", f"task.train={labels}", "task.allow_overlap=true")


def text(number: int, label: str) -> TextExample:
    return TextExample(text=str(number), labels=(label,), where="")


def test_the_surest_of_each_label_are_taken_and_not_the_surest_of_all() -> None:
    examples = [
        *(text(number, "easy") for number in range(20)),
        *(text(number, "hard") for number in range(10)),
    ]
    doubts = [0.01 * number for number in range(20)] + [0.5 + 0.01 * number for number in range(10)]
    taken = surest(examples, doubts)
    assert taken == [*examples[: round(SHARE * 20)], *examples[20 : 20 + round(SHARE * 10)]]


def test_sentences_are_alike_by_their_kinds_of_entities() -> None:
    def sentence(*tags: str) -> TokenExample:
        return TokenExample(text="a b", tokens=((0, 1), (2, 3)), tags=tags, where="")

    examples = [*([sentence("O", "O")] * 10), *([sentence("B-city", "I-city"), sentence("B-city", "O")] * 5)]
    taken = surest(examples, [0.0] * 10 + [0.9] * 10)
    assert [one.labels for one in taken].count(("O", "O")) == round(SHARE * 10)
    assert len(taken) == 2 * round(SHARE * 10)


@pytest.mark.parametrize("better", [True, False])
def test_what_its_own_answers_taught_is_kept_only_if_valid_is_better(
    classified: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    monkeypatch.setattr(SelfTrained, "better", property(lambda _: better))
    plain = walk(tmp_path, *given(classified), "task.refit=false", name="plain", until="finetuned")
    more = f"task.unlabelled=['{unlabelled(tmp_path)}']"
    taught = walk(tmp_path, *given(classified), "task.refit=false", more, name="taught")
    found = files.read_json(taught.folder / "finetuned" / FILE)
    assert found["texts"] == 80
    assert 0 < found["learned"] <= 30
    assert found["kept"] == better
    weights = [(one.folder / "finetuned" / bundle.WEIGHTS).read_bytes() for one in (plain, taught)]
    assert (weights[0] != weights[1]) == better
    assert "Self-training" in (taught.folder / "report.html").read_text(encoding="utf-8")
    assert dict(taught.rows)["self-training"].endswith(", kept" if better else ", not kept")
    info = bundle.open_bundle(taught.folder / "finetuned")
    assert ("unlabelled" in info.data) == better


def test_self_training_is_better_where_valid_says_so() -> None:
    def measured(before: float, after: float) -> SelfTrained:
        outcome: Any = type("Outcome", (), {"best": type("Score", (), {"value": after})})
        nothing: Any = None
        return SelfTrained(data=nothing, learned=1, goal=nothing, outcome=outcome, before=before)

    assert measured(0.5, 0.6).better
    assert not measured(0.5, 0.5).better


def test_texts_of_the_splits_are_no_texts_without_labels(classified: Summary, tmp_path: Path) -> None:
    labelled = (classified.folder.parent / "labels.tsv").read_text(encoding="utf-8").splitlines()
    known = tmp_path / "known.txt"
    known.write_text("\n".join(line.split("\t")[1].upper() for line in labelled), encoding="utf-8")
    new = unlabelled(tmp_path)
    settings = recipe.read(
        None, overrides=[*given(classified), f"task.unlabelled=['{known}','{new}']"], environment={}
    )
    assert [one.text for one in read_data(settings, Silent()).unlabelled] == new.read_text("utf-8").split(
        "\n"
    )
    settings = recipe.read(
        None, overrides=[*given(classified), f"task.unlabelled=['{known}']"], environment={}
    )
    with pytest.raises(UserError, match="stands in train, valid or test already"):
        read_data(settings, Silent())


def test_a_tagger_learns_from_its_own_answers_after_a_search(tagged: Summary, tmp_path: Path) -> None:
    tags = tagged.folder.parent / "tags.conll"
    path = tmp_path / "more.txt"
    path.write_text(
        "\n".join(f"her brother flies to Oslo with {n} dogs" for n in range(30)), encoding="utf-8"
    )
    found = walk(
        tmp_path,
        f"start={tagged.folder / 'pretrained'}",
        "task.kind=tag",
        f"task.train={tags}",
        "task.allow_overlap=true",
        f"task.unlabelled=['{path}']",
        "search.trials=1",
        "finetune.epochs=1",
        until="finetuned",
    )
    assert files.read_json(found.folder / "finetuned" / FILE)["learned"] > 0


def test_a_curve_shows_what_fewer_labels_come_to(classified: Summary, tmp_path: Path) -> None:
    settings = (*given(classified), "finetune.epochs=2")
    before = bundle.digest(walk(tmp_path, *settings).folder / "finetuned")
    found = walk(tmp_path, *settings, "task.curve=[0.5, 0.2]")
    assert bundle.digest(found.folder / "finetuned") == before
    points = files.read_json(found.folder / "curve" / CURVE)
    counts = [count for count, _ in points]
    assert counts == sorted(counts)
    whole = files.read_json(found.folder / "evaluation" / "evaluation.json")["examples"]["train"]
    assert [round(count / whole, 1) for count in counts] == [0.2, 0.5, 1.0]
    kept = bundle.open_bundle(found.folder / "finetuned").metrics["valid_accuracy"]
    assert points[-1][1] == pytest.approx(kept, abs=2e-3)
    assert "labelled examples" in (found.folder / "report.html").read_text(encoding="utf-8")


def test_scores_are_told_apart_by_a_column(classified: Summary, tmp_path: Path) -> None:
    lines = (classified.folder.parent / "labels.tsv").read_text(encoding="utf-8").splitlines()
    rows = [
        "label\ttext\tsource",
        *(f"{line}\t{('mail', 'chat')[n % 4 < 2]}" for n, line in enumerate(lines)),
    ]
    path = tmp_path / "labels.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    found = walk(
        tmp_path,
        f"start={classified.folder / 'pretrained'}",
        f"task.train={path}",
        "task.slice_column=source",
        "finetune.epochs=1",
    )
    evaluation = files.read_json(found.folder / "evaluation" / "evaluation.json")
    parts = {
        one["slice"]: one["examples"] for one in evaluation["slices"] if one["slice"].startswith("source")
    }
    assert set(parts) == {"source chat", "source mail"}
    assert sum(parts.values()) == evaluation["examples"]["test"]


def test_texts_of_test_that_train_has_too_are_told_apart(classified: Summary, tmp_path: Path) -> None:
    lines = (classified.folder.parent / "labels.tsv").read_text(encoding="utf-8").splitlines()
    label, text = lines[0].split("\t")
    for name, rows in (("train", lines[:60]), ("test", [f"{label}\t{text.upper()}!", *lines[60:]])):
        (tmp_path / f"{name}.tsv").write_text("\n".join(rows), encoding="utf-8")
    found = walk(
        tmp_path,
        f"start={classified.folder / 'pretrained'}",
        f"task.train={tmp_path / 'train.tsv'}",
        f"task.test={tmp_path / 'test.tsv'}",
        "task.allow_overlap=true",
        "finetune.epochs=1",
    )
    evaluation = files.read_json(found.folder / "evaluation" / "evaluation.json")
    shared = {one["shared"] for one in evaluation["overlap"] if one["later"] == "test"}
    assert max(shared) > 0
    assert len(lines[60:]) + 1 - sum(shared) <= evaluation["num_unseen"] <= len(lines[60:])
    for one in (evaluation["model"], *evaluation["baselines"]):
        assert set(one["unseen"]) == {"score", "low", "high"}
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert "texts that stand in no other split" in page
    again = walk(tmp_path, *given(classified), "finetune.epochs=1", name="apart")
    assert "unseen" not in files.read_json(again.folder / "evaluation" / "evaluation.json")["model"]


def test_self_training_learns_from_train_and_answers_alone(
    classified: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Data] = {}

    def noted(settings: Any, parent: Path, data: Data, *, what: str, **more: Any) -> Any:
        seen[what] = data
        return train_task(settings, parent, data, what=what, **more)

    monkeypatch.setattr(finetuned, "train_task", noted)
    more = unlabelled(tmp_path)
    overrides = (*given(classified), f"task.unlabelled=['{more}']", "finetune.epochs=1")
    walk(tmp_path, *overrides, until="finetuned")
    first, second = seen["fine-tuning"].parts, seen["self-training"].parts
    assert (second.valid, second.test) == (first.valid, first.test)
    assert second.train[: len(first.train)] == first.train
    assert {one.text for one in second.train[len(first.train) :]} <= set(more.read_text("utf-8").split("\n"))


def test_a_run_that_is_struck_between_its_trainings_ends_as_one_that_is_not(
    classified: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = (*given(classified), f"task.unlabelled=['{unlabelled(tmp_path)}']", "finetune.epochs=2")
    whole = walk(tmp_path, *overrides, name="whole", until="finetuned")

    def struck(settings: Any, parent: Path, data: Data, *, what: str, **more: Any) -> Any:
        if what in strikes:
            strikes.remove(what)
            raise KeyboardInterrupt
        return train_task(settings, parent, data, what=what, **more)

    strikes = ["self-training", "refit"]
    monkeypatch.setattr(finetuned, "train_task", struck)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            walk(tmp_path, *overrides, name="struck", until="finetuned")
    again = walk(tmp_path, *overrides, name="struck", until="finetuned")
    weights = [(one.folder / "finetuned" / bundle.WEIGHTS).read_bytes() for one in (whole, again)]
    assert weights[0] == weights[1]


def test_a_checkpoint_serves_the_examples_it_was_made_with_alone(classified: Summary) -> None:
    settings = recipe.read(None, overrides=[*given(classified)], environment={})
    data = read_data(settings, Silent())
    fewer = replace(data, parts=replace(data.parts, train=data.parts.train[1:]))
    assert keyed("key", data) == keyed("key", replace(data, hashes={}))
    assert keyed("key", data) != keyed("key", fewer)


def test_too_few_texts_to_tell_the_surest_are_left_out(classified: Summary, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("the cat sees the moon for 3 days", encoding="utf-8")
    overrides = (*given(classified), f"task.unlabelled=['{path}']", "finetune.epochs=1")
    found = walk(tmp_path, *overrides, until="finetuned")
    assert not (found.folder / "finetuned" / FILE).exists()


def test_texts_without_labels_that_cannot_be_read_name_their_place_and_the_task_s_key(
    classified: Summary, tmp_path: Path
) -> None:
    path = tmp_path / "more.jsonl"
    path.write_text('{"note": "the moon"}\n', encoding="utf-8")
    overrides = [*given(classified), f"task.unlabelled=['{path}']"]
    with pytest.raises(UserError, match=r"more\.jsonl:1: 'text' is missing; name the column of the texts"):
        read_data(recipe.read(None, overrides=overrides, environment={}), Silent())
    path.write_bytes(b'{"text": "caf\xe9"}\n')
    with pytest.raises(UserError, match=r"task\.encoding"):
        read_data(recipe.read(None, overrides=overrides, environment={}), Silent())


def test_a_training_that_bettered_nothing_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int | None, float | None]] = []
    whole = train_task

    def watched(settings: recipe.Recipe, *given: Any, what: str, **named: Any) -> Any:
        asked.append((what, settings.finetune.steps, settings.finetune.epochs))
        goal, outcome = whole(settings, *given, what=what, **named)
        return goal, replace(outcome, best_step=best)

    monkeypatch.setattr(finetuned, "train_task", watched)
    given = [f"corpus.files=['{write_corpus(tmp_path)}']", "task.kind=classify"]
    given += [f"task.train='{write_labels(tmp_path)}'", "finetune.epochs=1"]
    for best, again in ((0, ("refit", 0, None)), (5, ("refit", None, 1.0))):
        asked.clear()
        summary = walk(tmp_path, *given, f"seed={best}")
        assert asked == [("fine-tuning", None, 1.0), again]
        assert load(summary.folder / "finetuned").predict(["the cat sees the sun"])


def test_what_a_folder_s_texts_are_labelled_with_is_what_they_were_learned_with(tmp_path: Path) -> None:
    for place in ("neg/1.txt", "neg/2.txt", "pos/3.txt", "pos/4.txt"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(f"the text of {place[-5]}")
    before = fingerprint(tmp_path)
    (tmp_path / "pos" / "3.txt").rename(tmp_path / "neg" / "3.txt")
    moved = fingerprint(tmp_path)
    (tmp_path / "neg").rename(tmp_path / "bad")
    assert len({before, moved, fingerprint(tmp_path)}) == 3


def test_a_column_that_is_set_aside_may_change_what_is_learned(tmp_path: Path) -> None:
    rows = [f"{('day', 'night')[n % 2]}\tshop {n}\tthe cat sees {n} dogs\n" for n in range(60)]
    path = tmp_path / "t.tsv"
    path.write_text("label\tsubject\tsource\n" + "".join(rows))
    found = []
    for column in ("subject", "source", "source"):
        overrides = ["task.kind=classify", f"task.train='{path}'", f"task.slice_column={column}", "start='.'"]
        found.append(read_data(recipe.read(None, overrides=overrides, environment={}), Silent()).hashes)
    assert found[0]["train"] == found[1]["train"]
    assert found[0]["examples"] != found[1]["examples"] == found[2]["examples"]

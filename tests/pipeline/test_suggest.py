"""What to label next: the doubtful, each of another kind, with guesses that a tool can show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.core.results import Label, Labels
from autolect.jobs.run import Summary
from autolect.jobs.suggest import doubt, suggest
from autolect.text.labels.labelled import read_texts, read_tokens

from .conftest import sentences


def asked(folder: Path) -> str:
    path = folder / "new.txt"
    certain = [f"a dog sees the sun {number} times" for number in range(20)]
    path.write_text("\n".join([*certain, *sentences(10, seed=5)]), encoding="utf-8")
    return str(path)


def test_doubt_is_none_where_one_label_is_sure_and_full_where_two_are_level() -> None:
    sure = Label(label="a", probability=1.0, probabilities={"a": 1.0, "b": 0.0})
    level = Label(label="a", probability=0.5, probabilities={"a": 0.5, "b": 0.5})
    assert (doubt(sure), doubt(level)) == (0, 1)
    assert doubt(Labels(labels=("a",), probabilities={"a": 0.9, "b": 0.5})) == 1


@pytest.mark.parametrize("form", ["doccano", "label-studio"])
def test_doubtful_texts_come_first_and_their_guesses_are_read_back(
    classified: Summary, tmp_path: Path, form: str
) -> None:
    target = tmp_path / ("next.json" if form == "label-studio" else "next.jsonl")
    found = suggest(
        target,
        classified.folder / "finetuned",
        [asked(tmp_path)],
        column="text",
        count=6,
        form=form,
        seed=0,
        progress=Silent(),
    )
    doubts = [value for _, value in found]
    assert len(found) == 6
    assert doubts == sorted(doubts, reverse=True)
    if form == "label-studio":
        # There a guess is a prediction until somebody has looked at it.
        with pytest.raises(UserError, match=r"nobody has labelled its 6 text\(s\)"):
            read_texts(target)
        tasks = json.loads(target.read_text(encoding="utf-8"))
        assert [one["data"]["text"] for one in tasks] == [text for text, _ in found]
        assert all(one["predictions"][0]["result"] for one in tasks)
        return
    read = read_texts(target)
    assert [one.text for one in read.examples] == [text for text, _ in found]
    assert {one.label for one in read.examples} <= {"day", "night"}


def test_spans_are_guessed_too(tagged: Summary, tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("the old dog flies to New York with 3 bags\n" + "\n".join(sentences(5)), encoding="utf-8")
    target = tmp_path / "next.jsonl"
    suggest(
        target,
        tagged.folder / "finetuned",
        [str(path)],
        column="text",
        count=6,
        form="doccano",
        seed=0,
        progress=Silent(),
    )
    spans = {one.text: one.tags for one in read_tokens(target).examples}
    assert "B-city" in spans["the old dog flies to New York with 3 bags"]


def test_texts_that_are_labelled_already_are_left_out(classified: Summary, tmp_path: Path) -> None:
    pool, labelled = asked(tmp_path), tmp_path / "labelled.tsv"
    rows = [f"A dog  sees the sun, {number} times!\tday\n" for number in range(20)]
    labelled.write_text("text\tlabel\n" + "".join(rows))
    options = {"column": "text", "count": 30, "form": None, "seed": 0, "progress": Silent()}
    bundle = classified.folder / "finetuned"
    found = suggest(tmp_path / "all.jsonl", bundle, [pool], **options)  # type: ignore[arg-type]
    left = suggest(tmp_path / "left.jsonl", bundle, [pool], labelled=[labelled], **options)  # type: ignore[arg-type]
    sun = {text for text, _ in found if "sees the sun" in text}
    assert len(sun) == 20
    assert {text for text, _ in left} == {text for text, _ in found} - sun
    with pytest.raises(UserError, match="every text is labelled already"):
        suggest(tmp_path / "none.jsonl", bundle, [str(labelled)], labelled=[labelled], **options)  # type: ignore[arg-type]


def test_how_labelled_files_are_read_can_be_said(classified: Summary, tmp_path: Path) -> None:
    pool, labelled = asked(tmp_path), tmp_path / "labelled.csv"
    rows = [f"a dog sees the sun {number} times,été\n" for number in range(20)]
    labelled.write_text("body,mood\n" + "".join(rows), encoding="latin-1")
    options = {"column": "text", "count": 30, "form": None, "seed": 0, "progress": Silent()}
    options |= {"encoding": "latin-1", "labelled": [labelled]}
    keys = ["task.text_column=body", "task.label_column=mood"]
    bundle = classified.folder / "finetuned"
    found = suggest(tmp_path / "left.jsonl", bundle, [pool], overrides=keys, **options)  # type: ignore[arg-type]
    assert found
    assert not any("sees the sun" in text for text, _ in found)


def test_a_bundle_without_labels_is_refused(classified: Summary, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="answers no labels"):
        suggest(
            tmp_path / "next.jsonl",
            classified.folder / "pretrained",
            [asked(tmp_path)],
            column="text",
            count=3,
            form="doccano",
            seed=0,
            progress=Silent(),
        )

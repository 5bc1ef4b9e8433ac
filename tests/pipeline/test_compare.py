"""Arms side by side, and a suite of questions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from autolect.core import files, recipe
from autolect.core.errors import UserError
from autolect.core.intervals import Mean, t_interval
from autolect.core.progress import Silent
from autolect.jobs import compare, suite
from autolect.jobs.run import Summary
from autolect.jobs.using.use import load

from .conftest import TINY, sentences, walk, write_corpus, write_labels


def compared(folder: Path, *overrides: str) -> dict[str, Any]:
    settings = recipe.read(None, overrides=[*TINY, *overrides], environment={})
    return compare.compare(settings, folder=folder / "compared", progress=Silent())


def test_arms_are_compared_seed_by_seed_and_a_second_call_does_nothing_again(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    given = (
        f"corpus.files=['{corpus}']",
        "compare.seeds=3",
        "compare.arms.untrained.train.steps=0",
        "compare.arms.trained.train.steps=30",
    )
    found = compared(tmp_path, *given)
    assert [arm["name"] for arm in found["arms"]] == ["untrained", "trained"]
    trained = found["arms"][1]
    result = trained["results"]["valid loss"]
    assert result["verdict"] == "gain"
    assert result["gain"]["high"] < 0
    assert result["gain"]["value"] == pytest.approx(
        result["value"] - found["arms"][0]["results"]["valid loss"]["value"]
    )
    assert trained["cost"] > 0
    assert trained["reached"]["seconds"] > 0
    page = (tmp_path / "compared" / "compare.html").read_text(encoding="utf-8")
    assert "A gain against untrained: trained." in page
    corpus_folders = list((tmp_path / "compared").glob("seed-*/*/corpus"))
    assert len(corpus_folders) == 3, "arms of one seed share what is the same"
    stamp = (tmp_path / "compared" / "seed-0" / "trained" / "pretrained" / "MANIFEST.json").stat().st_mtime_ns
    assert compared(tmp_path, *given)["arms"] == found["arms"]
    assert (
        tmp_path / "compared" / "seed-0" / "trained" / "pretrained" / "MANIFEST.json"
    ).stat().st_mtime_ns == stamp


def test_arms_of_a_task_are_compared_by_its_score_and_equal_arms_show_no_gain(tmp_path: Path) -> None:
    corpus, labels = write_corpus(tmp_path), write_labels(tmp_path)
    found = compared(
        tmp_path,
        f"corpus.files=['{corpus}']",
        f"task.train={labels}",
        "task.allow_overlap=true",
        "task.share=0.5",
        "train.steps=5",
        "compare.seeds=2",
        "compare.arms.one.seed=0",
        "compare.arms.other.seed=0",
    )
    [measure] = found["measures"]
    assert measure == {"name": "score", "better": "higher"}
    assert found["arms"][1]["results"]["score"]["verdict"] == "no gain shown"
    assert found["arms"][0]["results"]["score"]["values"] == found["arms"][1]["results"]["score"]["values"]
    evaluation = files.read_json(tmp_path / "compared" / "seed-0" / "one" / "evaluation" / "evaluation.json")
    assert evaluation["examples"]["train"] < 60
    assert evaluation["baselines"] == []


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("compare.arms.a.objective.kind=causal", "compare.arms.b.seed=1"), "have no loss in common"),
        (("compare.arms.a.seed=1",), "one arm alone"),
        (("compare.arms.a.encoder.widht=8", "compare.arms.b.seed=1"), r"encoder\.widht: unknown key"),
    ],
)
def test_arms_that_cannot_be_compared_are_refused_before_anything_runs(
    tmp_path: Path, overrides: tuple[str, ...], told: str
) -> None:
    corpus = write_corpus(tmp_path)
    with pytest.raises(UserError, match=told):
        compared(tmp_path, f"corpus.files=['{corpus}']", *overrides)
    assert not (tmp_path / "compared").exists()


def test_vectors_are_paid_for_out_of_the_same_minutes() -> None:
    from autolect.jobs.run import _charged

    settings = recipe.from_table({"corpus": {"files": ["x"]}, "train": {"minutes": 2}})
    assert _charged(settings, 30.0).train.minutes == pytest.approx(1.5)
    assert _charged(settings, 600.0).train.minutes == pytest.approx(0.2)
    steps = recipe.from_table({"corpus": {"files": ["x"]}, "train": {"steps": 2}})
    assert _charged(steps, 30.0) == steps


@pytest.mark.parametrize(
    ("gains", "better", "told"),
    [
        ([0.1, 0.11, 0.12], "higher", "gain"),
        ([0.1, 0.11, 0.12], "lower", "harm"),
        ([-0.1, -0.11, -0.12], "lower", "gain"),
        ([0.1, -0.1, 0.02], "higher", "no gain shown"),
        ([0.0, 0.0], "higher", "no gain shown"),
        ([0.3], "higher", "one seed, no interval"),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side_of_nothing(
    gains: list[float], better: suite.Better, told: str
) -> None:
    assert compare.verdict(t_interval(gains), better=better, num_seeds=len(gains)) == told


def test_the_interval_of_a_mean_is_student_s() -> None:
    found = t_interval([1.0, 2.0, 3.0])
    assert found.value == 2.0
    # t(0.975, 2) = 4.3027 from published tables.
    assert found.high - 2.0 == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    alone = t_interval([5.0])
    assert alone.value == 5.0
    assert math.isnan(alone.low)
    assert isinstance(found, Mean)


def write_suite(folder: Path) -> Path:
    (folder / "held.txt").write_text("\n".join(sentences(30, seed=9)), encoding="utf-8")
    (folder / "pairs.tsv").write_text(
        "\n".join(f"the cat sees a dog {n} times.\ttimes sees dog {n} the a cat." for n in range(8)),
        encoding="utf-8",
    )
    (folder / "blimp.jsonl").write_text(
        '{"sentence_good": "a dog likes the cat 5 times.", "sentence_bad": "a a a a a a a a a a a"}\n',
        encoding="utf-8",
    )
    (folder / "alike.csv").write_text(
        "sentence1,sentence2,score\nthe cat,the cat,5\nthe cat,her brother finds,0.5\na dog,a dog sees,3.1\n",
        encoding="utf-8",
    )
    (folder / "words.tsv").write_text("cat\tdog\t8\nsees\tfinds\t7\ncat\tsees\t1\n", encoding="utf-8")
    (folder / "analogies.txt").write_text(": x\ncat sees dog finds\n", encoding="utf-8")
    path = folder / "suite.toml"
    path.write_text(
        'text = ["held.txt"]\npairs = ["pairs.tsv", "blimp.jsonl"]\nsimilarity = ["alike.csv"]\n'
        'words = ["words.tsv"]\nanalogies = ["analogies.txt"]\n',
        encoding="utf-8",
    )
    return path


def test_a_suite_is_answered_by_what_a_model_can(classified: Summary, tmp_path: Path) -> None:
    asked = suite.read(write_suite(tmp_path))
    lect = load(classified.folder / "pretrained")
    found = {(one.what, one.file): one for one in suite.measure(lect, asked, progress=Silent())}
    hidden = found["hidden tokens guessed", "held.txt"]
    assert 0 < hidden.value < 1
    assert ("bits a character", "held.txt") not in found
    assert found["minimal pairs right", "pairs.tsv"].count == 8
    assert set(found["likeness of sentences", "alike.csv"].beside) == {"latent", "mean of word vectors"}
    assert found["likeness of words", "words.tsv"].count == 3
    again = {(one.what, one.file): one for one in suite.measure(lect, asked, progress=Silent())}
    assert again == found


def test_bits_a_character_do_not_depend_on_how_text_is_cut_into_tokens(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    asked = suite.read(write_suite(tmp_path))
    values = {}
    for kind in ("unigram", "char"):
        found = compared(
            tmp_path / kind,
            f"corpus.files=['{corpus}']",
            f"compare.suite={tmp_path / 'suite.toml'}",
            "objective.kind=causal",
            f"tokenizer.kind={kind}",
            "train.steps=60",
            "compare.seeds=1",
            "compare.arms.one.seed=0",
            "compare.arms.other.train.steps=0",
        )
        names = [measure["name"] for measure in found["measures"]]
        assert names[:2] == ["valid loss", "bits a character, held.txt"]
        values[kind] = [arm["results"]["bits a character, held.txt"]["value"] for arm in found["arms"]]
    for trained, untrained in values.values():
        assert trained < untrained
    assert values["unigram"][0] == pytest.approx(values["char"][0], rel=0.6)
    assert asked.text


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_a_trained_model_finds_the_order_of_words_likelier_that_it_has_seen(
    tmp_path: Path, objective: str
) -> None:
    corpus = write_corpus(tmp_path)
    given = (
        f"corpus.files=['{corpus}']",
        f"objective.kind={objective}",
        "train.steps=200",
        "train.rate=0.01",
    )
    walk(tmp_path, *given, until="pretrained")
    found = suite.measure(
        load(tmp_path / "run" / "pretrained"), suite.read(write_suite(tmp_path)), progress=Silent()
    )
    [pairs] = [one for one in found if one.file == "pairs.tsv"]
    assert pairs.value > 0.8


def test_a_tie_is_wrong(classified: Summary, tmp_path: Path) -> None:
    (tmp_path / "same.tsv").write_text("the cat sees\tthe cat sees\n", encoding="utf-8")
    (tmp_path / "suite.toml").write_text('pairs = ["same.tsv"]\n', encoding="utf-8")
    lect = load(classified.folder / "pretrained")
    [found] = suite.measure(lect, suite.read(tmp_path / "suite.toml"), progress=Silent())
    assert found.value == 0.0


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("s.toml", "", "names no file"),
        ("s.toml", 'text = ["none.txt"]', r"none\.txt: no such file"),
        ("s.toml", 'txt = ["x"]', "unknown key; did you mean 'text'"),
    ],
)
def test_a_suite_that_asks_nothing_is_refused(tmp_path: Path, file: str, text: str, told: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        suite.read(tmp_path / file)


@pytest.mark.parametrize(
    ("key", "name", "text", "told"),
    [
        ("pairs", "p.tsv", "only one\n", r"p\.tsv:1: is not a good and a bad sentence"),
        (
            "pairs",
            "p.jsonl",
            '{"sentence_good": "x"}\n',
            r"p\.jsonl:1: sentence_good or sentence_bad is missing",
        ),
        ("similarity", "a.csv", "a,b,1\nc,d,much\n", r"a\.csv:2: is not two sentences and a number"),
        ("text", "t.txt", " \n", "no text is left"),
    ],
)
def test_a_malformed_file_of_a_suite_is_named_with_its_line(
    classified: Summary, tmp_path: Path, key: str, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "s.toml").write_text(f'{key} = ["{name}"]\n', encoding="utf-8")
    lect = load(classified.folder / "pretrained")
    with pytest.raises(UserError, match=told):
        suite.measure(lect, suite.read(tmp_path / "s.toml"), progress=Silent())

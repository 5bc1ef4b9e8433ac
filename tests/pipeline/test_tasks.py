"""From files to a model in use: pairs, translation, several labels, and bundles compared."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import load_file

from autolect.cli.main import main
from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.core.results import Labels, Rating
from autolect.jobs import evaluate as evaluation_job
from autolect.jobs import finding
from autolect.jobs import judge as judging
from autolect.jobs.judge import judge
from autolect.jobs.run import Summary
from autolect.jobs.tuning.finetune import STRANGE, strangeness
from autolect.jobs.using.use import load
from autolect.nn.keyed import NO_KEY
from autolect.serve.app import create_app
from autolect.serve.limits import ServeSettings
from autolect.text import word_classes
from autolect.text.features import buckets
from autolect.text.labels.labelled import TokenExample
from autolect.text.word_classes import WordClasses
from autolect.vectors import classes

from .conftest import SUBJECTS, VERBS, walk, write_corpus, write_tags

FRENCH = {"the cat": "le chat", "a dog": "un chien", "my old friend": "mon vieil ami"}
VERBES = {"sees": "voit", "likes": "aime", "hears": "entend"}


def sentence(draw: random.Random) -> list[str]:
    return [draw.choice(SUBJECTS), draw.choice(VERBS), draw.choice(SUBJECTS)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("text"))


def write_pairs(folder: Path) -> Path:
    """Sentences of three parts of which some are shared; how many is the score."""
    draw, rows = random.Random(3), ["sentence1\tsentence2\tscore"]
    for number in range(160):
        one, other = sentence(draw), sentence(draw)
        shared = draw.sample(range(3), draw.randrange(4))
        other = [one[at] if at in shared else other[at] for at in range(3)]
        alike = sum(a == b for a, b in zip(one, other, strict=True))
        rows.append(f"{' '.join(one)} {number}\t{' '.join(other)} {number}\t{alike + 0.5}")
    path = folder / "pairs.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_pairs_with_scores_are_learned_and_rated(tmp_path: Path, corpus: Path) -> None:
    pairs = write_pairs(tmp_path)
    summary = walk(tmp_path, f"corpus.files=['{corpus}']", "task.kind=pair", f"task.train={pairs}")
    evaluation = files.read_json(summary.folder / "evaluation" / "evaluation.json")
    assert evaluation["measure"] == "Spearman"
    assert evaluation["model"]["score"] > 0.5
    assert [one["title"] for one in evaluation["baselines"]] == [
        "TF-IDF cosine",
        "shared words and characters",
    ]
    assert len(evaluation["slices"]) == 3
    page = (summary.folder / "report.html").read_text(encoding="utf-8")
    assert "Pearson" in page
    lect = load(summary.folder / "finetuned")
    same, other = lect.predict(
        [("the cat sees a dog", "the cat sees a dog"), ("the cat sees a dog", "her brother")]
    )
    assert isinstance(same, Rating)
    assert isinstance(other, Rating)
    assert same.value > other.value
    (parted,) = lect.predict(["the cat sees a dog\ther brother"])
    assert isinstance(parted, Rating)
    assert parted.value == pytest.approx(other.value, abs=1e-4)


def test_translations_are_written_and_measured(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"{a} {verb} {b}\t{FRENCH[a]} {VERBES[verb]} {FRENCH[b]}"
        for a in FRENCH
        for verb in VERBES
        for b in FRENCH
    ]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "both.txt").write_text("\n".join(rows).replace("\t", "\n"), encoding="utf-8")
    summary = walk(
        tmp_path,
        f"corpus.files=['{corpus}','{tmp_path / 'both.txt'}']",
        "task.kind=translate",
        f"task.train={tmp_path / 'pairs.tsv'}",
        "task.layers=1",
        "task.allow_overlap=true",
        "finetune.epochs=120",
    )
    evaluation = files.read_json(summary.folder / "evaluation" / "evaluation.json")
    assert evaluation["measure"] == "BLEU"
    assert evaluation["model"]["score"] > evaluation["baselines"][0]["score"] - 50
    assert evaluation["calibration"] is None
    with pytest.raises(SystemExit):
        main(["--json", "predict", str(summary.folder / "finetuned"), "the cat sees a dog"])
    assert "chat" in json.loads(capsys.readouterr().out)["written"]


NAMES = ("sun", "moon", "rain", "snow", "wind", "cloud", "river", "stone", "tree", "leaf")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Summary:
    """Learned that a word belongs to the same word backwards."""
    folder, draw = tmp_path_factory.mktemp("embed"), random.Random(5)
    rows = {" ".join(draw.sample(NAMES, 3)): None for _ in range(200)}
    pairs = [f"{row}\t{' '.join(word[::-1] for word in row.split()[::-1])}" for row in rows]
    (folder / "pairs.tsv").write_text("\n".join(["question\tanswer", *pairs]), encoding="utf-8")
    (folder / "both.txt").write_text("\n".join(pairs).replace("\t", "\n"), encoding="utf-8")
    return walk(
        folder,
        f"corpus.files=['{corpus}','{folder / 'both.txt'}']",
        "task.kind=embed",
        f"task.train={folder / 'pairs.tsv'}",
        "task.allow_overlap=true",
        "finetune.epochs=20",
    )


def test_text_that_the_vocabulary_lacks_is_told_from_its_own(embedder: Summary) -> None:
    reader = load(embedder.folder / "finetuned").reader
    assert strangeness(reader, ["the cat sees a dog"] * 3) < STRANGE
    assert strangeness(reader, ["春天来了，我们出去走走吧", "下雨了"]) > STRANGE
    assert strangeness(reader, []) == 0


def test_pairs_that_belong_together_teach_vectors_that_find(
    embedder: Summary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = files.read_json(embedder.folder / "evaluation" / "evaluation.json")
    assert evaluation["measure"] == "mean reciprocal rank"
    assert evaluation["model"]["score"] > 0.6
    assert evaluation["baselines"][0]["title"] == "shared words (BM25)"
    assert evaluation["baselines"][0]["score"] < 0.3
    assert evaluation["mistakes_by"] == "rank"
    assert all(one["confidence"] > 1 and one["gold"] != one["predicted"] for one in evaluation["mistakes"])
    assert "mean reciprocal rank" in (embedder.folder / "report.html").read_text(encoding="utf-8")
    tuned = embedder.folder / "finetuned"
    vectors = load(tuned).embed(["sun rain snow", "wons niar nus", "eert fael enots"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert (vectors**2).sum(axis=1) == pytest.approx(1, abs=1e-5)
    pairs = [line.split("\t") for line in (embedder.folder.parent / "pairs.tsv").read_text().split("\n")[1:]]
    (tmp_path / "texts.txt").write_text("\n".join(answer for _, answer in pairs), encoding="utf-8")
    hits = {}
    for name in ("pretrained", "finetuned"):
        place, texts = tmp_path / name, str(tmp_path / "texts.txt")
        finding.index(place, embedder.folder / name, [texts], column="text", progress=Silent())
        found = finding.Index(place).search([question for question, _ in pairs])
        hits[name] = sum(
            answer in [one.text for one in some] for some, (_, answer) in zip(found, pairs, strict=True)
        )
    assert hits["finetuned"] > 0.8 * len(pairs)
    assert hits["pretrained"] < 0.5 * len(pairs)
    first = judge([tuned], embedder.folder.parent / "pairs.tsv", overrides=[], progress=Silent())[0]
    assert first.figures["score"] > 0.6


def test_vectors_answer_nothing_and_say_what_they_are_for(
    embedder: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = embedder.folder / "finetuned"
    with pytest.raises(UserError, match="answers nothing"):
        load(tuned).predict(["the sun"])
    for verb, status in (("predict", 2), ("embed", 0)):
        with pytest.raises(SystemExit) as caught:
            main(["--json", verb, str(tuned), "the sun"])
        assert caught.value.code == status
    said = capsys.readouterr()
    assert "embed" in said.err
    assert len(json.loads(said.out)["vector"]) == 64
    client = TestClient(create_app(load(tuned), settings=ServeSettings()), base_url="http://localhost")
    with client:
        found = client.post("/v1/embeddings", json={"input": "the sun"}).json()
        assert len(found["data"][0]["embedding"]) == 64
        assert client.post("/classify", json={"texts": ["the sun"]}).status_code == 404
        assert "embed" in client.get("/v1/models").json()["data"][0]["abilities"]


def test_a_file_of_pairs_is_checked_before_it_is_learned(
    embedder: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = str(embedder.folder.parent / "pairs.tsv")
    with pytest.raises(SystemExit) as caught:
        main(["--json", "labels", "check", pairs, "--set", "task.kind=embed"])
    assert caught.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["refusals"]) == ("embed", [])
    assert "'question' and 'answer'" in found["parts"]["train"]["notes"][0]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Summary:
    folder = tmp_path_factory.mktemp("several")
    draw, lines = random.Random(4), []
    for number in range(160):
        labels = [name for name in ("sun", "moon", "rain") if draw.random() < 0.4]
        text = f"{' '.join(sentence(draw))} {' '.join(labels)} {number}"
        lines.append(json.dumps({"text": text, "label": [name.upper() for name in labels]}))
    (folder / "labels.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return walk(
        folder,
        f"corpus.files=['{corpus}']",
        f"task.train={folder / 'labels.jsonl'}",
        "task.several=true",
        "task.allow_overlap=true",
    )


def test_a_text_may_have_several_labels_or_none(several: Summary) -> None:
    evaluation = files.read_json(several.folder / "evaluation" / "evaluation.json")
    assert evaluation["measure"] == "micro F1"
    assert evaluation["model"]["score"] > 0.9
    assert evaluation["calibration"]["ece"] < 0.5
    both, none = load(several.folder / "finetuned").predict(
        ["the cat sees a dog sun rain 3", "a dog likes my old friend 3"]
    )
    assert isinstance(both, Labels)
    assert isinstance(none, Labels)
    assert set(both.labels) == {"SUN", "RAIN"}
    assert none.labels == ()


def test_bundles_are_compared_on_a_file_that_none_has_seen(
    several: Summary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = tmp_path / "new.jsonl"
    rows = [{"text": "the cat hears rain", "label": ["RAIN"]}, {"text": "her brother", "label": []}]
    test.write_text("\n".join(json.dumps(row) for row in rows * 10), encoding="utf-8")
    bundle = several.folder / "finetuned"
    first, second = judge([bundle, bundle], test, overrides=[], progress=Silent())
    assert first.against is None
    assert second.against is not None
    assert second.against.value == 0
    assert second.against.p == 1
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", str(bundle), str(bundle), "--test", str(test)])
    assert caught.value.code == 0
    assert "no difference shown on 20 examples" in capsys.readouterr().out


def test_bundles_that_read_a_file_otherwise_are_not_compared(
    several: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tmp_path / "new.jsonl"
    test.write_text('{"text": "the cat hears rain", "label": ["RAIN"]}\n' * 4, encoding="utf-8")
    reads = iter([4, 3])
    whole = judging.labelled_for
    monkeypatch.setattr(
        judging, "labelled_for", lambda *given, **named: whole(*given, **named)[: next(reads)]
    )
    bundle = several.folder / "finetuned"
    with pytest.raises(UserError, match="otherwise than") as caught:
        judge([bundle, bundle], test, overrides=[], progress=Silent())
    assert "--set task.text_column" in caught.value.fix


def test_the_mistakes_of_a_tagger_without_entities_show_what_was_right() -> None:
    example = TokenExample(text="dogs bark", tokens=((0, 4), (5, 9)), tags=("NOUN", "VERB"), where="a:1")
    answer = SimpleNamespace(spans=[SimpleNamespace(start=0, end=4, label="NOUN")])
    sides = evaluation_job._sides(example, answer)
    assert sides == {"gold": [[0, 4, "NOUN"], [5, 9, "VERB"]], "predicted": [[0, 4, "NOUN"]]}


def test_a_label_s_own_score_is_the_share_of_it_that_is_told_right() -> None:
    run = SimpleNamespace(recipe=SimpleNamespace(seed=0))
    measured = SimpleNamespace(gold=["a"] * 5 + ["b"], run=run)
    predicted = ["a", "a", "a", "b", "b", "a"]
    told = evaluation_job._Evaluation._told_right
    found = told(measured, "a", np.arange(5), predicted)  # type: ignore[arg-type]
    assert (found["slice"], found["examples"], found["score"]) == ("label a, share told right", 5, 0.6)


def test_a_comparison_that_says_little_says_so(
    several: Summary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = several.folder / "finetuned"
    strange = tmp_path / "strange.jsonl"
    strange.write_text('{"text": "the cat hears rain", "label": ["HAIL"]}\n' * 3, encoding="utf-8")
    learned = load(bundle).info.task
    assert learned is not None
    other = tmp_path / "other.jsonl"
    lines = Path(learned.settings["train"]).read_text(encoding="utf-8").replace("the", "The!").splitlines()
    other.write_text("\n".join([*lines[:30], '{"text": "a new text", "label": ["RAIN"]}']), encoding="utf-8")
    told = (
        (strange, "it does not know the label(s) of 3 examples, so that these are mistakes: 'HAIL'"),
        (other, f"of the 31 texts of {other}, so that its score says little of new texts"),
    )
    for test, said in told:
        with pytest.raises(SystemExit):
            main(["evaluate", str(bundle), "--test", str(test)])
        assert said in capsys.readouterr().err


def test_what_learns_is_said_by_the_recipe(tmp_path: Path, corpus: Path) -> None:
    tags = write_tags(tmp_path)
    made = walk(tmp_path, f"corpus.files=['{corpus}']", until="pretrained").folder / "pretrained"
    start = [f"start={made}", "task.kind=tag", f"task.train={tags}", "task.features=none"]
    start.append("task.allow_overlap=true")
    start += ["finetune.steps=20", "task.refit=false"]
    before, shapes = load_file(made / bundle.WEIGHTS), set()
    for learn in ("all", "adapters", "head"):
        run = walk(tmp_path, *start, f"finetune.learn={learn}", name=learn, until="finetuned")
        after = load_file(run.folder / "finetuned" / bundle.WEIGHTS)
        shapes.add(tuple(sorted((name, tuple(value.shape)) for name, value in after.items())))
        moved = {name for name, value in before.items() if not torch.equal(after[f"model.{name}"], value)}
        assert bool(moved) == (learn != "head")
        assert ("embedding.weight" in moved) == (learn == "all")
        assert load(run.folder / "finetuned").predict(["the sun"])
    assert len(shapes) == 1, "a bundle does not show how it was learned"


def test_texts_are_written_for_labels(tmp_path: Path, corpus: Path) -> None:
    draw, rows = random.Random(5), ["label\ttext"]
    for number in range(120):
        label, verb = (("calm", "sees"), ("wild", "follows"))[number % 2]
        rows.append(f"{label}\t{draw.choice(SUBJECTS)} {verb} {draw.choice(SUBJECTS)} {number} times.")
    (tmp_path / "texts.tsv").write_text("\n".join(rows), encoding="utf-8")
    summary = walk(
        tmp_path,
        f"corpus.files=['{corpus}']",
        "task.kind=generate",
        f"task.train={tmp_path / 'texts.tsv'}",
        "task.prompt_column=label",
        "task.text_column=text",
        "task.layers=1",
        "task.allow_overlap=true",
        "finetune.epochs=30",
    )
    evaluation = files.read_json(summary.folder / "evaluation" / "evaluation.json")
    assert evaluation["baselines"][0]["title"] == "nearest training pair"
    assert 0 < evaluation["model"]["distinct"] <= 1
    lect = load(summary.folder / "finetuned")
    assert "generate" in lect.abilities
    calm, wild = (" ".join(lect.generate([label] * 8, length=30)) for label in ("calm", "wild"))
    assert calm.count("sees") > wild.count("sees")
    assert wild.count("follows") > calm.count("follows")
    assert len(lect.predict(["calm"])) == 1
    with pytest.raises(UserError, match="it writes for prompts"):
        lect.generate(["calm"], style="bold")


def test_classes_of_words_go_along_with_a_tagger(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "SIZES", (8,))
    monkeypatch.setattr(classes, "LEAST", 1)
    tags = write_tags(tmp_path)
    made = walk(tmp_path, f"corpus.files=['{corpus}','{tags}']", until="pretrained").folder / "pretrained"
    settings = [f"start={made}", "task.kind=tag", f"task.train={tags}", "task.allow_overlap=true"]
    run = walk(tmp_path, *settings, "finetune.steps=20", "task.refit=false", name="tag", until="finetuned")
    model = run.folder / "finetuned"
    assert (model / word_classes.FILE).read_bytes() == (made / word_classes.FILE).read_bytes()
    known = WordClasses.load(model)
    assert known is not None
    numbers = {known.of(word) for word in ("paris", "rome", "oslo")}
    asked = buckets([f"0C0={number}" for number, *_ in numbers], count=NO_KEY)
    learned = load_file(model / bundle.WEIGHTS)["head.field.keys"].tolist()
    assert set(asked.tolist()) & set(learned), "the class of a city says that it is one"
    first, again = (load(model).predict(["the cat flies to Rome with 3 bags"]) for _ in range(2))
    assert first == again

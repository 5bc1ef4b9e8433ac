"""From text to a model in use, on small text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autolect.core import bundle, files
from autolect.core.errors import DamagedError, UserError
from autolect.jobs.run import Summary
from autolect.jobs.using.use import load

from .conftest import walk, write_corpus, write_labels


def test_a_run_learns_the_words_of_two_labels(classified: Summary) -> None:
    evaluation = files.read_json(classified.folder / "evaluation" / "evaluation.json")
    assert evaluation["model"]["score"] > 0.9
    assert {b["title"] for b in evaluation["baselines"]} == {"most frequent label", "TF-IDF + linear SVM"}
    labels = [one for one in evaluation["slices"] if one["slice"].startswith("label ")]
    assert len(labels) > 1
    assert sum(one["examples"] for one in labels) == evaluation["examples"]["test"]
    assert [one["score"] for one in labels] == sorted(one["score"] for one in labels)
    info = bundle.open_bundle(classified.folder / "pretrained")
    assert info.metrics["valid_loss"] < info.metrics["valid_loss_before"] - 0.1
    assert "report.html" in {path.name for path in classified.folder.iterdir()}


def test_a_bundle_in_few_digits_gives_nearly_the_same_latents(classified: Summary) -> None:
    texts = ["the cat likes a dog", "he flies to New York"]
    wide, narrow = (
        load(classified.folder / "finetuned", dtype=dtype).encode(texts) for dtype in ("float32", "bfloat16")
    )
    assert narrow.dtype == wide.dtype
    cosines = (wide * narrow).sum(axis=1) / np.linalg.norm(wide, axis=1) / np.linalg.norm(narrow, axis=1)
    assert cosines.min() > 0.999


def test_a_run_finds_tagged_spans_with_their_offsets(tagged: Summary) -> None:
    lect = load(tagged.folder / "finetuned")
    text = "the old  dog flies to New York with 99999 bags"
    spans = lect.predict([text])[0]
    assert isinstance(spans, tuple)
    assert [(span.text, span.label) for span in spans] == [("New York", "city")]
    assert text[spans[0].start : spans[0].end] == "New York"


def test_an_unchanged_run_does_nothing_again_and_a_changed_setting_only_what_follows(
    classified: Summary,
) -> None:
    folder = classified.folder.parent
    corpus, labels = folder / "corpus.txt", folder / "labels.tsv"
    common = (f"corpus.files=['{corpus}']", f"task.train={labels}", "task.allow_overlap=true")
    before = {name: bundle.digest(classified.folder / name) for name in ("corpus", "pretrained", "finetuned")}
    walk(folder, *common, "search.trials=2")
    assert before == {name: bundle.digest(classified.folder / name) for name in before}
    copy = folder / "copy"
    import shutil

    shutil.copytree(classified.folder, copy)
    walk(folder, *common, "finetune.epochs=2", name="copy")
    assert bundle.digest(copy / "pretrained") == before["pretrained"]
    assert bundle.digest(copy / "finetuned") != before["finetuned"]


@pytest.mark.parametrize(
    "parts",
    [
        ("encoder.kind=gru", "decoder.kind=lstm", "objective.kind=causal"),
        ("encoder.kind=lstm", "decoder.kind=gru"),
        ("objective.kind=masked", "vectors.kind=none", "tokenizer.kind=char"),
        ("vectors.kind=cbow", "tokenizer.kind=word", "bottleneck.pooling=attention", "bottleneck.size=8"),
        (
            "vectors.kind=fasttext",
            "tokenizer.kind=wordpiece",
            "bottleneck.pooling=cls",
            "corpus.clean=classic",
        ),
        ("tokenizer.kind=bpe", "encoder.shape=bert", "decoder.shape=gpt2", "train.dtype=float32"),
    ],
)
def test_every_part_can_be_swapped_and_the_result_used(tmp_path: Path, parts: tuple[str, ...]) -> None:
    corpus = write_corpus(tmp_path)
    summary = walk(tmp_path, f"corpus.files=['{corpus}']", "train.steps=4", *parts)
    lect = load(summary.folder / "pretrained")
    assert lect.encode(["the cat sees a dog", "x"]).shape[0] == 2
    for ability, ask in (
        ("fill", lambda: lect.fill(["the cat [MASK] a dog"])),
        ("reconstruct", lambda: lect.reconstruct(["the cat"])),
        ("generate", lambda: lect.generate(["the cat"], length=5)),
    ):
        if ability in lect.abilities:
            assert len(ask()) == 1
        else:
            with pytest.raises(UserError, match=f"cannot {ability}"):
                ask()


def test_words_and_sentences_are_marked_where_the_objective_asks(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    tokens = tmp_path / "run" / "tokens"
    for objective, marked in (("masked", False), ("denoise", True), ("causal", False)):
        walk(
            tmp_path,
            f"corpus.files=['{corpus}']",
            f"objective.kind={objective}",
            "train.steps=2",
            until="pretrained",
        )
        assert (tokens / "train.marks").exists() == marked
    walk(tmp_path, f"corpus.files=['{corpus}']", "objective.unit=word", "train.steps=2", until="pretrained")
    assert (tokens / "train.marks").exists()


def test_one_text_has_the_same_answer_alone_and_among_others(classified: Summary) -> None:
    lect = load(classified.folder / "finetuned")
    texts = ["the cat sees the moon", "a dog", "my old friend follows the sun " * 5, ""]
    together = lect.encode(texts)
    alone = np.concatenate([lect.encode([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    assert [a.label for a in lect.predict(texts)] == [lect.predict([text])[0].label for text in texts]  # type: ignore[union-attr]


def test_gaps_are_found_where_they_stand(classified: Summary) -> None:
    lect = load(classified.folder / "pretrained")
    text = "the [MASK] sees my [MASK] friend"
    gaps = lect.fill([text], count=3)[0]
    assert [text[gap.start : gap.end] for gap in gaps] == ["[MASK]", "[MASK]"]
    assert all(len(gap.candidates) == 3 for gap in gaps)
    with pytest.raises(UserError, match="no \\[MASK\\]"):
        lect.fill(["nothing to fill"])


@pytest.mark.parametrize(
    "name", ["model.safetensors", "bundle.json", "tokenizer.json", "words.safetensors", "words.classes.json"]
)
def test_a_bundle_with_one_flipped_bit_is_refused_by_name(
    classified: Summary, tmp_path: Path, name: str
) -> None:
    import shutil

    folder = tmp_path / "bundle"
    shutil.copytree(classified.folder / "pretrained", folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    with pytest.raises(DamagedError, match=name):
        load(folder)


def test_a_bundle_is_its_folder_alone(classified: Summary, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(classified.folder / "finetuned", tmp_path / "elsewhere")
    here, there = load(classified.folder / "finetuned"), load(tmp_path / "elsewhere")
    assert np.array_equal(here.encode(["the cat"]), there.encode(["the cat"]))
    card = (tmp_path / "elsewhere" / "README.md").read_text(encoding="utf-8")
    assert "classify" in card


def test_test_texts_that_stand_in_train_are_refused(tmp_path: Path) -> None:
    corpus, labels = write_corpus(tmp_path), write_labels(tmp_path)
    test = tmp_path / "test.tsv"
    test.write_text("\n".join(labels.read_text(encoding="utf-8").splitlines()[:5]), encoding="utf-8")
    with pytest.raises(UserError, match="5 text\\(s\\) of test stand in train"):
        walk(tmp_path, f"corpus.files=['{corpus}']", f"task.train={labels}", f"task.test={test}")
    assert not (tmp_path / "run" / "pretrained").exists()


def test_labels_that_only_valid_or_test_have_count_as_mistakes_and_end_no_run(
    tagged: Summary, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path)
    rows = labels.read_text(encoding="utf-8").splitlines()
    for name, some in (("valid", rows[:20]), ("test", rows[20:40])):
        (tmp_path / f"{name}.tsv").write_text("\n".join([*some, f"dusk\tneither of {name}"]))
    labels.write_text("\n".join(rows[40:]), encoding="utf-8")
    summary = walk(
        tmp_path,
        f"start={tagged.folder / 'pretrained'}",
        f"task.train={labels}",
        f"task.valid={tmp_path / 'valid.tsv'}",
        f"task.test={tmp_path / 'test.tsv'}",
        "task.allow_overlap=true",
    )
    evaluation = files.read_json(summary.folder / "evaluation" / "evaluation.json")
    assert evaluation["model"]["score"] <= 20 / 21
    assert "dusk" in evaluation["model"]["labels"]


def test_a_bundle_can_be_fine_tuned_on_new_labels(tagged: Summary, tmp_path: Path) -> None:
    labels = write_labels(tmp_path)
    summary = walk(
        tmp_path, f"start={tagged.folder / 'pretrained'}", f"task.train={labels}", "task.allow_overlap=true"
    )
    info = bundle.open_bundle(summary.folder / "finetuned")
    assert info.task is not None
    assert info.parents == (bundle.digest(tagged.folder / "pretrained"),)
    json.dumps(summary.plain())


def test_a_gap_is_never_filled_with_a_piece_of_a_character(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    parts = ("tokenizer.kind=char", "tokenizer.vocab_size=1000", "train.steps=2", "vectors.kind=none")
    lect = load(walk(tmp_path, f"corpus.files=['{corpus}']", *parts).folder / "pretrained")
    tokens = {one.token for one in lect.fill(["a [MASK] b"], count=500)[0][0].candidates}
    assert len(tokens) > 20
    assert not any("\N{REPLACEMENT CHARACTER}" in token or token.startswith("[") for token in tokens)

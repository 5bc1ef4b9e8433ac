"""Every verb on a real, tiny run: from a recipe to answers."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autolect.cli import main
from autolect.core import files

CITIES = ("Paris", "New York", "Rome", "Oslo")
RECIPE = """
[corpus]
files = ["trips.conll"]
language = "en"
[task]
kind = "tag"
train = "trips.conll"
allow_overlap = true
"""
SIZES = ("tokenizer.vocab_size=200", "encoder.width=16", "encoder.layers=1")
TINY = (*SIZES, "corpus.dedup=exact", "train.steps=10")


def called(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main.main(words)
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw, blocks = tmp_path_factory.mktemp("verbs"), random.Random(0), []
    for number in range(80):
        city = draw.choice(CITIES).split()
        tags = ["B-city", *["I-city"] * (len(city) - 1)]
        words = [("I", "O"), ("fly", "O"), ("to", "O"), *zip(city, tags, strict=True), (f"at{number}", "O")]
        blocks.append("\n".join(f"{word}\t{tag}" for word, tag in words))
    (folder / "trips.conll").write_text("\n\n".join(blocks) + "\n")
    (folder / "trips.toml").write_text(RECIPE)
    return folder / "trips.toml"


@pytest.fixture(scope="module")
def made(recipe: Path) -> Path:
    """The run's folder, made by one command."""
    out = recipe.parent / "out"
    budget = ("finetune.steps=10", "finetune.batch_tokens=128")
    assert called("run", str(recipe), "--quiet", "--out", str(out), "--set", *TINY, *budget) == 0
    return out


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    assert called(*words, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_command_makes_a_bundle_and_a_report(made: Path) -> None:
    assert files.verify(made / "finetuned").kind == "bundle"
    assert list(made.glob("report*")) or list(made.glob("report/*"))


def test_the_same_command_again_changes_nothing_and_answers_in_json(
    recipe: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (made / "finetuned" / "model.safetensors").stat().st_mtime_ns
    words = ("run", str(recipe), "--out", str(made), "--set", *TINY)
    [facts] = answers(capsys, *words, "finetune.steps=10", "finetune.batch_tokens=128")
    assert facts["folder"] == str(made)
    assert (made / "finetuned" / "model.safetensors").stat().st_mtime_ns == before


def test_predict_marks_what_it_says_in_json(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "I fly to New York at7"
    [facts] = answers(capsys, "predict", str(made), text)
    assert facts["text"] == text
    for span in facts["spans"]:
        assert text[span["start"] : span["end"]] == span["text"]
    assert called("predict", str(made), text) == 0
    line = capsys.readouterr().out.rstrip("\n")
    assert line.count("](city)") == len(facts["spans"])


def test_a_number_format_can_be_asked_for(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide, narrow = (
        answers(capsys, "encode", str(made / "pretrained"), "I fly to Rome", "--dtype", dtype)[0]["latent"]
        for dtype in ("float32", "bfloat16")
    )
    assert narrow != wide
    assert narrow == pytest.approx(wide, abs=0.1)
    test = str(made.parent / "trips.conll")
    [plain] = answers(capsys, "evaluate", str(made), "--test", test)
    [short] = answers(capsys, "evaluate", str(made), "--test", test, "--dtype", "bfloat16")
    assert short["examples"] == plain["examples"]
    assert short["score"] == pytest.approx(plain["score"], abs=0.1)
    assert called("evaluate", str(made.parent / "trips.toml"), "--dtype", "bfloat16") == 2
    assert "belongs to --test" in capsys.readouterr().err


def test_texts_come_from_arguments_a_file_or_standard_input(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "texts").write_text("I fly\n\nto Rome\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"I fly\n\nto Rome\n")))
    pretrained = str(made / "pretrained")
    given = answers(capsys, "encode", pretrained, "I fly", "to Rome")
    assert [one["text"] for one in given] == ["I fly", "to Rome"]
    assert len(given[0]["latent"]) == 16
    for found in (
        answers(capsys, "encode", pretrained, "--file", str(tmp_path / "texts")),
        answers(capsys, "encode", pretrained),
    ):
        for one, other in zip(given, found, strict=True):
            assert one["text"] == other["text"]
            assert one["latent"] == pytest.approx(other["latent"], abs=1e-5)
    assert called("encode", pretrained, "I fly", " ") == 2
    assert "is empty" in capsys.readouterr().err


def test_embed_compares_texts_after_cleaning_and_is_no_latent(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, spaced, other = (
        np.array(one["vector"])
        for one in answers(
            capsys, "embed", str(made / "pretrained"), "I fly to Rome", " I fly  to Rome ", "no"
        )
    )
    assert same.shape == (16,)
    assert (made / "pretrained" / "likeness.safetensors").exists()
    [latent] = answers(capsys, "encode", str(made / "pretrained"), "I fly to Rome")
    assert not np.allclose(same, latent["latent"])
    assert same @ spaced == pytest.approx(np.linalg.norm(same) * np.linalg.norm(spaced), rel=1e-4)
    assert same @ other < 0.99 * np.linalg.norm(same) * np.linalg.norm(other)


def test_fill_reconstruct_generate_and_neighbours_answer(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(made / "pretrained")
    [filled] = answers(capsys, "fill", bundle, "I [MASK] to Rome", "--count", "3")
    assert [(gap["start"], gap["end"]) for gap in filled["gaps"]] == [(2, 8)]
    assert len(filled["gaps"][0]["candidates"]) == 3
    [rebuilt] = answers(capsys, "reconstruct", bundle, "I fly")
    assert isinstance(rebuilt["reconstruction"], str)
    words = ("generate", bundle, "I fly", "--length", "4", "--seed", "7")
    assert answers(capsys, *words) == answers(capsys, *words)
    [near] = answers(capsys, "neighbours", bundle, "fly", "--count", "2")
    assert len(near["neighbours"]) == 2


def test_what_a_model_cannot_do_is_said_with_what_it_can(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("predict", str(made / "pretrained"), "I fly") == 2
    assert "it can decode, embed, encode" in capsys.readouterr().err


def test_finetune_starts_from_a_bundle(
    recipe: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("finetune", str(recipe), "--from", str(made / "pretrained"), "--out", str(tmp_path / "new"))
    assert called(*words, "--quiet", "--set", "finetune.steps=2", "finetune.batch_tokens=128") == 0
    assert files.verify(tmp_path / "new" / "finetuned").kind == "bundle"
    assert not (tmp_path / "new" / "corpus").exists()


def test_search_asks_for_its_section(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("search", str(recipe)) == 2
    assert "--set search.trials=8" in capsys.readouterr().err

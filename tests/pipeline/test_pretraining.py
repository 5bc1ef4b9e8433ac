"""What pretraining offers besides a loss: styles, new text for an old bundle, latents of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autolect.core import bundle, files, recipe
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.core.recipe import TrainConfig
from autolect.jobs.pretrain import measured
from autolect.jobs.run import Summary, run
from autolect.jobs.using.use import load

from .conftest import TINY, sentences, walk, write_corpus

STYLES = {"night": ("moon", "star", "owl"), "day": ("sun", "bee", "rose")}


def heard(settings: recipe.Recipe, folder: Path) -> list[str]:
    """Pretrain; gives what was said meanwhile."""
    said: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    run(settings, folder=folder, progress=Heard(), until="pretrained")
    return said


def write_styled(folder: Path) -> Path:
    draw, rows = np.random.default_rng(0), []
    for number in range(300):
        style = ("night", "day")[number % 2]
        words = [str(draw.choice(STYLES[style])) for _ in range(4)]
        rows.append({"text": f"{' '.join(words)} {number}", "kind": style if number % 10 else None})
    path = folder / "styled.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("objective", "steps"), [("causal", 120), ("hybrid", 400)])
def test_a_style_decides_what_is_written(tmp_path: Path, objective: str, steps: int) -> None:
    styled = write_styled(tmp_path)
    walk(
        tmp_path,
        f"corpus.files=['{styled}']",
        "corpus.style=kind",
        "corpus.dedup=none",
        f"train.steps={steps}",
        "train.rate=1e-2",
        f"objective.kind={objective}",
        until="pretrained",
    )
    lect = load(tmp_path / "run" / "pretrained")
    assert lect.styles == ("day", "night")
    for style, others in (("day", "night"), ("night", "day")):
        text = " ".join(lect.generate([""] * 3, style=style, temperature=0, length=8))
        assert any(word in text for word in STYLES[style])
        assert not any(word in text for word in STYLES[others])
    with pytest.raises(UserError, match=r"no text of style 'nigth' was seen.*did you mean 'night'"):
        lect.generate([""], style="nigth")


def test_a_file_s_name_can_be_the_style_and_columns_are_asked_of_files_that_have_them(tmp_path: Path) -> None:
    for name, text in (("letters", sentences(80)), ("poems", sentences(80, seed=1))):
        (tmp_path / f"{name}.txt").write_text("\n".join(text), encoding="utf-8")
    common = (f"corpus.files=['{tmp_path}/*.txt']", "train.steps=2", "objective.kind=causal")
    walk(tmp_path, *common, "corpus.style=file", until="pretrained")
    assert load(tmp_path / "run" / "pretrained").styles == ("letters", "poems")
    with pytest.raises(UserError, match=r"letters\.txt: has no column 'author'.*corpus\.style = 'file'"):
        walk(tmp_path, *common, "corpus.style=author", name="other")


def test_too_many_styles_and_a_style_for_a_bundle_without_are_refused(
    classified: Summary, tmp_path: Path
) -> None:
    rows = [json.dumps({"text": f"text number {n}", "id": n}) for n in range(1200)]
    (tmp_path / "many.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(UserError, match=r"corpus\.style: has more than 1000 different values"):
        walk(tmp_path, f"corpus.files=['{tmp_path}/many.jsonl']", "corpus.style=id", "corpus.dedup=none")
    with pytest.raises(UserError, match="it was trained without styles"):
        load(classified.folder / "pretrained").generate(["x"], style="day")


@pytest.mark.parametrize(
    ("budget", "tokens"),
    [({"minutes": 0.5}, 16_384), ({"minutes": 4}, 32_768), ({"minutes": 60}, 65_536), ({"steps": 3}, 65_536)],
)
def test_a_short_training_looks_at_less_of_the_valid_split(budget: dict[str, float], tokens: int) -> None:
    assert measured(TrainConfig.model_validate(budget)) == tokens


def test_a_bundle_goes_on_with_new_text_and_keeps_its_tokenizer(classified: Summary, tmp_path: Path) -> None:
    old = classified.folder / "pretrained"
    new = tmp_path / "new.txt"
    new.write_text("\n".join(f"the ship sails home {n} ☂ times" for n in range(200)), encoding="utf-8")
    given = [f"start={old}", f"corpus.files=['{new}']", "train.steps=40", "corpus.dedup=none"]
    settings = recipe.read(None, overrides=given, environment={})
    said = heard(settings, tmp_path / "run")
    info, before = bundle.open_bundle(tmp_path / "run" / "pretrained"), bundle.open_bundle(old)
    assert info.parents == (bundle.digest(old),)
    assert info.architecture == before.architecture
    assert (tmp_path / "run" / "pretrained" / "tokenizer.json").read_bytes() == (
        old / "tokenizer.json"
    ).read_bytes()
    assert info.metrics["valid_loss"] < info.metrics["valid_loss_before"] - 0.5
    tokens = files.read_json(tmp_path / "run" / "tokens" / "tokens.json")
    rate = tokens["train"]["unknown_rate"]
    assert rate > 0.05, "an umbrella is in no token of the old text"
    assert any(f"of the new tokens the bundle's tokenizer leaves {rate:.2%} unknown" in one for one in said)
    assert load(tmp_path / "run" / "pretrained").neighbours("cat", count=1)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("encoder.width=64", r"encoder\.width: is 64 here and 32 in the bundle"),
        ("corpus.clean=classic", r"corpus\.clean: is 'classic' here"),
        ("objective.kind=causal", "whose network does not serve another way"),
    ],
)
def test_what_does_not_fit_a_bundle_that_goes_on_is_refused(
    classified: Summary, tmp_path: Path, override: str, told: str
) -> None:
    corpus = write_corpus(tmp_path)
    given = [f"start={classified.folder / 'pretrained'}", f"corpus.files=['{corpus}']", override]
    with pytest.raises(UserError, match=told):
        run(recipe.read(None, overrides=given, environment={}), folder=tmp_path / "run", progress=Silent())


@pytest.mark.parametrize(
    "code",
    [
        ("bottleneck.code=variational",),
        ("bottleneck.code=quantised", "bottleneck.size=16"),
        ("bottleneck.code=quantised", "bottleneck.levels=8", "encoder.kind=gru", "decoder.kind=gru"),
    ],
)
def test_every_kind_of_latent_is_trained_used_and_rated(tmp_path: Path, code: tuple[str, ...]) -> None:
    corpus = write_corpus(tmp_path)
    summary = walk(tmp_path, f"corpus.files=['{corpus}']", *code)
    lect = load(tmp_path / "run" / "pretrained")
    texts = ["the cat sees a dog", "her brother"]
    latents = lect.encode(texts)
    assert lect.decode(latents) == lect.decode(latents)
    between = lect.interpolate(*texts, count=4)
    assert len(between) == 4
    # Steps of a loose reconstruction may go on for longer or shorter, but they begin alike.
    assert lect.decode(latents[:1])[0].startswith(between[0])
    [row] = summary.figures["rates"]["rows"]
    assert row["bits"] > 0
    assert 0 <= row["exact"] <= 1
    if "quantised" in code[0]:
        assert len(np.unique(latents)) <= 8
        assert row["bits"] == (16 if len(code) == 2 else 32 * 3)
    assert "What " in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_real_latents_are_rated_at_several_precisions(classified: Summary) -> None:
    rows = classified.figures["rates"]["rows"]
    assert [round(row["bits"] / 32) for row in rows] == [32, 8, 4, 2]
    assert all(row["bits_a_character"] > 0 for row in rows)
    assert classified.figures["rates"]["xz"] > 0


def test_neighbours_in_a_sentence_are_words_of_the_text_and_the_word_must_stand_in_it(
    classified: Summary,
) -> None:
    lect = load(classified.folder / "pretrained")
    found = lect.neighbours("cat", context="the cat sees a dog", count=3)
    assert len(found) == 3
    assert "cat" not in [one.word for one in found]
    assert not np.allclose(
        lect.in_context("cat", "the cat sees a dog"), lect.in_context("cat", "a dog sees the cat")
    )
    with pytest.raises(UserError, match="'bird' does not stand in it"):
        lect.neighbours("bird", context="the cat sees a dog")
    with pytest.raises(UserError, match="ask the pretrained one"):
        load(classified.folder / "finetuned").neighbours("cat", context="the cat")


def test_zero_steps_leave_the_network_as_it_starts(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path)
    walk(tmp_path, f"corpus.files=['{corpus}']", "train.steps=0", until="pretrained")
    info = bundle.open_bundle(tmp_path / "run" / "pretrained")
    assert info.metrics["valid_loss"] == info.metrics["valid_loss_before"]
    assert info.metrics["steps"] == 0


def test_little_text_is_told_of_and_a_vocabulary_that_it_cannot_fill(tmp_path: Path) -> None:
    corpus = tmp_path / "small.txt"
    corpus.write_text("\n".join(sentences(12)), encoding="utf-8")
    given = [*TINY, f"corpus.files=['{corpus}']", "tokenizer.vocab_size=5000", "train.steps=2"]
    said = "\n".join(heard(recipe.read(None, overrides=given, environment={}), tmp_path / "run"))
    assert "less than one step takes (512)" in said
    assert "tokens, not 5,000: it has no more" in said


def test_a_text_without_breaks_is_refused_with_what_to_do(tmp_path: Path) -> None:
    corpus = tmp_path / "endless.txt"
    corpus.write_text(" ".join(sentences(900)), encoding="utf-8")
    with pytest.raises(UserError, match=r"corpus\.files: 1 document\(s\) of up to .* text without breaks"):
        walk(tmp_path, f"corpus.files=['{corpus}']")

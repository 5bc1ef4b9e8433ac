from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from autolect.core import metrics, registry
from autolect.text import segment
from autolect.text.labels.labelled import TokenExample

NAMES = ("crf", "token_majority")


def example(words: Sequence[str], tags: Sequence[str]) -> TokenExample:
    text, spans = segment.join(words)
    return TokenExample(text=text, tokens=tuple(spans), tags=tuple(tags), where="a.conll:1")


def sentence(text: str, **entities: str) -> TokenExample:
    words = text.split()
    return example(words, ["B-" + entities[word] if word in entities else "O" for word in words])


ENGLISH = [
    sentence(f"{verb} {name} in {place} {when}", **{name: "PER", place: "LOC"})
    for verb in ("meet", "call")
    for name, place in (("Anna", "Paris"), ("Peter", "Rome"), ("Maria", "Berlin"), ("John", "Oslo"))
    for when in ("today", "now")
]
CHINESE = [
    example([*f"{name}去了{place}"], ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"])
    for name in ("李明", "王芳", "张伟", "李娜")
    for place in ("北京", "上海", "南京", "广州")
]


def predict(
    name: str, train: list[TokenExample], examples: list[TokenExample], valid: Sequence[TokenExample] = ()
) -> list[tuple[str, ...]]:
    baseline = registry.load("baselines", name).build
    predicted: list[tuple[str, ...]] = baseline.predict(train, valid, examples, language="en", seed=0)
    return predicted


@pytest.mark.parametrize("name", NAMES)
def test_every_token_gets_a_tag_that_was_trained(name: str) -> None:
    asked = [sentence("meet Zoe in Lima"), sentence("now"), example(["=", ":", "\\", "a:b=c\t"], ["O"] * 4)]
    predicted = predict(name, ENGLISH, asked)
    assert [len(tags) for tags in predicted] == [4, 1, 4]
    assert {tag for tags in predicted for tag in tags} <= {"O", "B-PER", "B-LOC"}


@pytest.mark.parametrize("name", NAMES)
def test_tags_of_what_is_asked_are_never_looked_at(name: str) -> None:
    asked = ENGLISH[0]
    blank = example(asked.words(), ["B-LOC"] * len(asked.tags))
    assert predict(name, ENGLISH, [asked]) == predict(name, ENGLISH, [blank])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arguments_give_the_same_answer(name: str) -> None:
    assert predict(name, ENGLISH, CHINESE, CHINESE) == predict(name, ENGLISH, CHINESE, CHINESE)


@pytest.mark.parametrize("name", NAMES)
def test_a_plug_in_says_what_it_is_and_serves(name: str) -> None:
    plugin = registry.load("baselines", name)
    assert plugin.config().model_dump() == {"kind": name}
    assert plugin.build.serves == "tag"
    assert plugin.build.title


def test_token_majority_knows_tokens_and_guesses_the_rest() -> None:
    train = [sentence("Rome is Rome", Rome="LOC"), sentence("Rome plays")]
    assert predict("token_majority", train, [sentence("Rome visits is")]) == [("B-LOC", "O", "O")]


def test_token_majority_learns_from_valid_too() -> None:
    train, valid = [sentence("a Rome")], [sentence("Rome Rome", Rome="LOC")]
    assert predict("token_majority", train, [sentence("Rome")], valid) == [("B-LOC",)]


def test_crf_tags_names_it_never_saw_by_what_stands_around_them() -> None:
    asked = sentence("meet Sofia in Madrid today", Sofia="PER", Madrid="LOC")
    assert predict("crf", ENGLISH, [asked]) == [asked.tags]


def test_crf_tags_chinese_by_characters() -> None:
    asked = [example([*"王明去了天京"], ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"])]
    predicted = predict("crf", CHINESE, asked)
    assert metrics.entity_f1([asked[0].tags], predicted).f1 == 1


def test_crf_learns_from_valid_too() -> None:
    assert predict("crf", CHINESE, [ENGLISH[0]], ENGLISH) == [ENGLISH[0].tags]


def test_crf_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    predict("crf", ENGLISH, ENGLISH[:1])
    assert list(tmp_path.iterdir()) == []

from __future__ import annotations

import pytest

from autolect.baselines import tfidf
from autolect.core import registry
from autolect.text.labels.labelled import TextExample

NAMES = ("majority", "tfidf")


def examples(*pairs: tuple[str, str]) -> list[TextExample]:
    return [
        TextExample(text=text, labels=(label,), where=f"a.tsv:{number}")
        for number, (text, label) in enumerate(pairs, start=1)
    ]


ENGLISH = examples(
    *[(f"the {noun} was warm and sunny today", "weather") for noun in ("morning", "noon", "coast", "day")],
    *[(f"play some {noun} by my favourite band", "music") for noun in ("songs", "jazz", "rock", "tunes")],
    ("it will rain tomorrow", "weather"),
)
CHINESE = examples(
    *[(f"明天{place}的天气很好，阳光明媚", "天气") for place in ("北京", "上海", "广州", "南京")],
    *[(f"请播放一首{name}的歌曲", "音乐") for name in ("周杰伦", "王菲", "邓丽君", "李健")],
)


def predict(name: str, train: list[TextExample], texts: list[str], **settings: object) -> list[str]:
    valid = settings.get("valid", [])
    baseline = registry.load("baselines", name).build
    predicted: list[str] = baseline.predict(
        train, valid, texts, language=settings.get("language", "en"), seed=0
    )
    return predicted


@pytest.mark.parametrize("name", NAMES)
def test_every_text_gets_a_label_that_was_trained(name: str) -> None:
    texts = ["sunny", "", "a band", "\u200b", "zzz qqq"]
    predicted = predict(name, ENGLISH, texts)
    assert len(predicted) == len(texts)
    assert set(predicted) <= {"weather", "music"}
    assert all(type(label) is str for label in predicted)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arguments_give_the_same_answer(name: str) -> None:
    texts = [example.text for example in ENGLISH]
    first = predict(name, ENGLISH, texts, valid=CHINESE)
    assert predict(name, ENGLISH, texts, valid=CHINESE) == first


@pytest.mark.parametrize("name", NAMES)
def test_no_texts_give_no_labels(name: str) -> None:
    assert predict(name, ENGLISH, []) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_plug_in_says_what_it_is_and_serves(name: str) -> None:
    plugin = registry.load("baselines", name)
    assert plugin.config().model_dump() == {"kind": name}
    assert plugin.build.serves == "classify"
    assert plugin.build.title


def test_majority_counts_train_and_valid_together() -> None:
    train = examples(("a", "one"), ("b", "two"), ("c", "two"))
    valid = examples(("d", "one"), ("e", "one"))
    assert predict("majority", train, ["x", "y"]) == ["two", "two"]
    assert predict("majority", train, ["x", "y"], valid=valid) == ["one", "one"]


def test_majority_breaks_ties_by_the_alphabet() -> None:
    assert predict("majority", examples(("a", "b"), ("b", "a")), ["x"]) == ["a"]


def test_tfidf_tells_topics_by_their_words() -> None:
    assert predict("tfidf", ENGLISH, ["how sunny is it", "some rock songs please"]) == ["weather", "music"]


def test_tfidf_reads_chinese_without_blanks() -> None:
    texts = ["今天阳光真好", "播放王菲的歌"]
    assert predict("tfidf", CHINESE, texts, language="zh") == ["天气", "音乐"]


def test_tfidf_does_not_mind_case() -> None:
    assert predict("tfidf", ENGLISH, ["SUNNY"]) == predict("tfidf", ENGLISH, ["sunny"]) == ["weather"]


def test_tfidf_learns_from_valid_in_the_end() -> None:
    valid = examples(*[(f"book a table for {number} people", "music") for number in range(4)])
    train = [*ENGLISH, *examples(("book a flight", "weather"))]
    assert predict("tfidf", train, ["book a table"]) == ["weather"]
    assert predict("tfidf", train, ["book a table"], valid=valid) == ["music"]


def test_tfidf_with_one_label_answers_it() -> None:
    assert predict("tfidf", examples(("a b", "only"), ("c d", "only")), ["x"]) == ["only"]


def test_tfidf_chooses_the_cost_that_is_best_on_valid() -> None:
    # One example of a rare label: the lowest cost lets the many others drown it.
    common = [(f"the {word} film was seen by all of us", "common") for word in "abcdefghijklmnopqrstuvwxyz"]
    train = examples(*common, ("the odd film was seen by all of us", "rare"))
    valid = examples(("the film was seen by all of us, odd", "rare"))
    fitted = tfidf._Fitted.of(train, language="en")
    features = fitted.features([example.text for example in valid])
    right = {cost: fitted.predict(features, cost=cost, seed=0).count("rare") for cost in tfidf.COSTS}
    assert right == {0.3: 0, 1.0: 1, 3.0: 1}
    assert tfidf._choose(train, valid, language="en", seed=0) == 1.0
    misled = [TextExample(text=valid[0].text, labels=("common",), where="a.tsv:1")]
    assert tfidf._choose(train, misled, language="en", seed=0) == 0.3

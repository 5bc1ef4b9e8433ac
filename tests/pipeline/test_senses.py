"""A word of two senses has two sets of neighbours: on the sample's English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from autolect.jobs.using.use import Lect, load
from autolect.text import segment

from .conftest import walk

DATA = Path(__file__).resolve().parents[2] / "data"


def learned(folder: Path, *names: str) -> Lect:
    walk(
        folder,
        f"corpus.files={[str(DATA / name) for name in names]}",
        "tokenizer.vocab_size=2000",
        "encoder.width=96",
        "encoder.layers=2",
        "encoder.dropout=0",
        "decoder.dropout=0",
        "objective.kind=masked",
        "train.steps=700",
        "train.batch_tokens=1024",
        "train.rate=2e-3",
        until="pretrained",
    )
    return load(folder / "run" / "pretrained")


def english(pattern: str) -> list[str]:
    """Pieces of the novels in which "like" stands once, as the pattern has it."""
    text = " ".join((DATA / "en-books.txt").read_text(encoding="utf-8").split())
    around = [text[max(0, found.start() - 50) : found.end() + 50] for found in re.finditer(pattern, text)]
    return [one for one in around if one.count("like") == 1]


def chinese(name: str, word: str) -> list[str]:
    """Pieces of a text in which a word stands once."""
    found = []
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        for start, end in segment.words(line, language="zh"):
            around = line[max(0, start - 15) : end + 15]
            if line[start:end] == word and around.count(word) == 1:
                found.append(around)
    return found[:30]


def told_apart(lect: Lect, word: str, senses: Sequence[Sequence[str]]) -> float:
    """Share of the occurrences most of whose five nearest others, by their states, have the same sense."""
    states = np.array([lect.in_context(word, one) for sense in senses for one in sense])
    labels = np.repeat(np.arange(len(senses)), [len(sense) for sense in senses])
    states -= states.mean(axis=0)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    alike = states @ states.T
    np.fill_diagonal(alike, -np.inf)
    near = np.argsort(-alike, axis=1)[:, :5]
    return float(((labels[near] == labels[:, None]).mean(axis=1) > 0.5).mean())


@pytest.mark.timeout(600)
def test_what_somebody_likes_is_not_what_something_is_like(tmp_path: Path) -> None:
    lect = learned(tmp_path, "en-books.txt")
    fond = english(r"\b(?:should|would|I|you|to|do|not|didn't|don't) like\b")[:30]
    same = english(r"\blike (?:a|an|the|that|this|one)\b")[:30]
    assert min(len(fond), len(same)) >= 15
    assert told_apart(lect, "like", [fond, same]) > 0.75
    near = [
        {one.word for one in lect.neighbours("like", context=sense[0], count=10)} for sense in (fond, same)
    ]
    assert len(near[0] & near[1]) <= 5


@pytest.mark.timeout(600)
def test_and_so_on_is_not_the_plural_of_persons(tmp_path: Path) -> None:
    lect = learned(tmp_path, "zh-law.txt", "zh-novel.txt")
    listed, persons = chinese("zh-law.txt", "等"), chinese("zh-novel.txt", "等")
    assert min(len(listed), len(persons)) >= 20
    assert told_apart(lect, "等", [listed, persons]) > 0.9
    right = next(one for one in listed if "权等" in one)
    monk = next(one for one in persons if "我等" in one)
    near = [[one.word for one in lect.neighbours("等", context=sense, count=10)] for sense in (right, monk)]
    assert any("权" in word for word in near[0])
    assert not any("权" in word for word in near[1])

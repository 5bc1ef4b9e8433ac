"""Generation: texts of a label, drawn anew each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import metrics, recipe
from autolect.core.device import Device
from autolect.nn.model import Model, architecture_for
from autolect.tasks.generate import CONFIG, PLUGIN
from autolect.text.clean import Cleaner
from autolect.text.labels.pairs import PairExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
WORDS = {"animals": ("cat", "dog", "horse", "bird"), "weather": ("rain", "snow", "sun", "wind")}


def pairs() -> list[PairExample]:
    return [
        PairExample(first=label, second=f"the {one} and the {other}", where="a:1")
        for label, words in WORDS.items()
        for one in words
        for other in words
        if one != other
    ]


@pytest.fixture(scope="module")
def learned() -> tuple[Any, Any, Model, Any, Any, Reader]:
    texts = [text for one in pairs() for text in (one.first, one.second)] * 5
    tokenizer = train(texts, kind="word", vocab_size=30, lowercase=False, language="en", seed=0)
    reader = Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)
    table: dict[str, Any] = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
    }
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(tokenizer)))
    task = PLUGIN(CONFIG(train="x", layers=1, dropout=0.0, hide=0.0, temperature=1.0), labels=())
    head = task.head(model.architecture)
    network = torch.nn.ModuleList([model, head])
    rows = task.rows(pairs(), reader, length=16)
    task.begin(model, head, rows, CPU)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        batch = task.collate(rows, np.arange(len(rows.sources)), 16, np.random.default_rng(0))
        loss = task.loss(model, head, batch)
        torch.autograd.backward(loss.total / loss.targets)
        optimizer.step()
    return task, network, model, head, rows, reader


def test_texts_are_of_their_label_and_differ(learned: Any) -> None:
    task, network, model, head, _, reader = learned
    for label, words in WORDS.items():
        rows = task.rows(task.unlabelled([label] * 12), reader, length=16)
        texts = task.answers(network, model, head, rows, CPU)
        told = {word for text in texts for word in text.split()} - {"the", "and"}
        assert len(set(texts)) > 3
        assert told <= set(words)


def test_a_seed_gives_the_same_texts_and_another_gives_others(learned: Any) -> None:
    task, network, model, head, _, reader = learned
    rows = task.rows(task.unlabelled(["animals"] * 6), reader, length=16)

    def written(seed: int, **chance: Any) -> list[str]:
        settings = {"temperature": 1.0, "length": 20, **chance}
        return list(task.write(network, model, head, rows, CPU, seed=seed, **settings))

    assert written(1) == written(1)
    assert written(1) != written(2)
    assert len(set(written(1, temperature=0.0))) == 1
    assert all(len(text.split()) <= 2 for text in written(1, length=2))


def test_what_is_written_is_measured_beside_the_gold_texts(learned: Any) -> None:
    task, *_ = learned
    gold = ["the cat and the dog", "the rain and the sun"]
    found = task.measure(gold, ["the cat and the dog"] * 2, seed=0)
    assert 0 < found["score"] < 100
    assert found["distinct"] == 0.5 < found["distinct_gold"]


def test_distinct_counts_words_or_characters() -> None:
    assert metrics.distinct(["a b a b", "a b"]) == 0.5
    assert metrics.distinct(["好好好好"]) == pytest.approx(1 / 3)
    assert metrics.distinct([""]) == 0

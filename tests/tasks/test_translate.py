"""Translation: a decoder over the encoder's states, started from what is there, and written with beams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import metrics, recipe
from autolect.core.device import Device
from autolect.nn.model import Model, architecture_for
from autolect.tasks.translate import CONFIG, PLUGIN
from autolect.text.clean import Cleaner
from autolect.text.labels.pairs import PairExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
WORDS = {"cat": "chat", "dog": "chien", "sees": "voit", "hears": "entend"}


def pairs() -> list[PairExample]:
    texts = [f"{a} {verb} {b}" for a in ("cat", "dog") for verb in ("sees", "hears") for b in ("cat", "dog")]
    return [
        PairExample(first=text, second=" ".join(WORDS[word] for word in text.split()), where="a:1")
        for text in texts
    ]


@pytest.fixture(scope="module")
def reader() -> Reader:
    texts = [text for one in pairs() for text in (one.first, one.second)] * 5
    tokenizer = train(texts, kind="word", vocab_size=30, lowercase=False, language="en", seed=0)
    return Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)


def made(reader: Reader, objective: str = "masked", **settings: Any) -> tuple[Any, Model, Any]:
    table: dict[str, Any] = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0},
        "decoder": {"layers": 1, "heads": 2},
        "objective": {"kind": objective},
    }
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(reader.tokenizer)))
    task = PLUGIN(CONFIG(train="x", layers=1, dropout=0.0, hide=0.0, **settings), labels=())
    return task, model, task.head(model.architecture)


@pytest.mark.parametrize("decoder", ["transformer", "lstm", "gru"])
def test_it_learns_by_heart_what_a_few_pairs_say(reader: Reader, decoder: str) -> None:
    task, model, head = made(reader, decoder=decoder)
    network = torch.nn.ModuleList([model, head])
    rows = task.rows(pairs(), reader, length=16)
    task.begin(model, head, rows, CPU)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    draw = np.random.default_rng(0)
    before = task.judge(network, model, head, rows, pairs(), CPU).value
    for _ in range(150):
        optimizer.zero_grad()
        loss = task.loss(model, head, task.collate(rows, np.arange(8), 16, draw))
        (loss.total / loss.targets).backward()
        optimizer.step()
    assert task.judge(network, model, head, rows, pairs(), CPU).value > before
    answers = task.answers(network, model, head, task.rows(pairs(), reader, length=16), CPU)
    assert answers == [one.second for one in pairs()]


def test_a_pretrained_decoder_is_taken_over(reader: Reader) -> None:
    task, model, head = made(reader, objective="denoise")
    task.begin(model, head, task.rows(pairs(), reader, length=16), CPU)
    assert model.decoder is not None
    mine, theirs = head.decoder.state_dict(), model.decoder.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_without_one_the_decoder_starts_from_the_encoder(reader: Reader) -> None:
    task, model, head = made(reader)
    task.begin(model, head, task.rows(pairs(), reader, length=16), CPU)
    mine, theirs = head.decoder.state_dict(), model.encoder.state_dict()
    assert any(name in theirs and torch.equal(mine[name], theirs[name]) for name in mine)


def test_padding_changes_no_loss(reader: Reader) -> None:
    task, model, head = made(reader)
    rows = task.rows(pairs()[:2], reader, length=32)
    network = torch.nn.ModuleList([model, head]).eval()
    assert network is not None
    short, long = (
        task.loss(model, head, task.collate(rows, np.arange(2), length, None)) for length in (5, 12)
    )
    assert short.targets == long.targets
    assert short.total.item() == pytest.approx(long.total.item(), rel=1e-5)


def test_bleu_is_that_of_sacrebleu() -> None:
    from sacrebleu.metrics.bleu import BLEU

    gold = ["the cat sat on the mat today", "a dog barked at the old postman again", "it rains in the hills"]
    found = ["the cat sat on a mat today", "the dog barked at the postman again", "it rains in the hills"]
    measured = metrics.translation(gold, found, language="en").facts(seed=0)
    assert measured["score"] == pytest.approx(BLEU(smooth_method="none").corpus_score(found, [gold]).score)
    assert measured["low"] <= measured["score"] <= measured["high"]
    assert metrics.translation(gold, gold, language="en").value == pytest.approx(100)
    assert metrics.translation(gold, ["x y"] * 3, language="en").value == 0


def test_pairs_are_read_without_answers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("Hi.\t嗨。\nRun!\t跑！\n", encoding="utf-8")
    read = PLUGIN.read(tmp_path / "a.tsv", CONFIG(train="x"))
    assert [(one.first, one.second) for one in read.examples] == [("Hi.", "嗨。"), ("Run!", "跑！")]

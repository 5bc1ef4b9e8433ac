"""Classification: a fitted sparse part, a trained network, and how much each counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe
from autolect.core.device import Device
from autolect.nn.heads import TextHead, prototypes
from autolect.nn.model import Model, architecture_for
from autolect.tasks.classify import BALANCE, CONFIG, PLUGIN, ClassifyHead
from autolect.text.clean import Cleaner
from autolect.text.labels.labelled import TextExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
ANIMALS = ("cat", "dog", "bird", "fish", "horse")


def examples(count: int, *, seed: int = 0, noise: float = 0.0) -> list[TextExample]:
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = ("day", "night")[number % 2]
        word = {"day": "sun", "night": "moon"}[
            label if draw.random() >= noise else ("night", "day")[number % 2]
        ]
        text = f"a {draw.choice(ANIMALS)} under the {word} and a {draw.choice(ANIMALS)} {number * 7 + seed}"
        found.append(TextExample(text=text, labels=(label,), where=""))
    return found


@pytest.fixture(scope="module")
def reader() -> Reader:
    texts = [one.text for one in examples(200, seed=9)]
    tokenizer = train(texts, kind="unigram", vocab_size=200, lowercase=False, language="en", seed=0)
    return Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)


def made(reader: Reader, **settings: Any) -> tuple[Any, Model, ClassifyHead, torch.nn.Module]:
    table = {"corpus": {"files": ["x"]}, "encoder": {"width": 16, "layers": 1}}
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(reader.tokenizer)))
    task = PLUGIN(CONFIG(train="x", **settings), labels=("day", "night"))
    head = task.head(model.architecture)
    assert isinstance(head, ClassifyHead)
    return task, model, head, torch.nn.ModuleList([model, head])


def test_the_sparse_part_alone_answers_before_any_training(reader: Reader) -> None:
    task, model, head, network = made(reader)
    task.begin(model, head, task.rows(examples(80), reader, length=64), CPU)
    head.balance.copy_(torch.tensor([0.0, 3.0]))
    tested = examples(40, seed=5)
    answers = task.answers(network, model, head, task.rows(tested, reader, length=64), CPU)
    assert [one.label for one in answers] == [one.label for one in tested]


def test_training_leaves_the_fitted_table_alone(reader: Reader) -> None:
    task, model, head, _ = made(reader)
    rows = task.rows(examples(20), reader, length=64)
    task.begin(model, head, rows, CPU)
    assert head.wide is not None
    batch = task.collate(rows, np.arange(20), 64, np.random.default_rng(0))
    task.loss(model, head, batch).total.backward()
    assert not head.wide.table.requires_grad
    assert head.text.output.weight.grad is not None


def test_what_is_right_on_valid_counts_more_and_noise_makes_less_sure(reader: Reader) -> None:
    balances = []
    for noise in (0.0, 0.4):
        task, model, head, network = made(reader)
        task.begin(model, head, task.rows(examples(80), reader, length=64), CPU)
        before = float(head.balance[1])
        valid = task.rows(examples(60, seed=3, noise=noise), reader, length=64)
        task.settle(network, model, head, valid, CPU)
        balances.append(float(head.balance[1]) / before)
    assert balances[0] > 1 > balances[1]


def test_with_few_texts_folds_of_them_tell_what_each_part_counts(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the network's part starts from says nothing here, so the sparse part is to count far more.
    noise = torch.Generator().manual_seed(0)
    drawn = staticmethod(lambda states, *_: torch.randn(len(states), 48, generator=noise))
    monkeypatch.setattr(TextHead, "pooled", drawn)
    task, model, head, _ = made(reader)
    task.begin(model, head, task.rows(examples(60), reader, length=64), CPU)
    assert float(head.balance[1]) > 2 > 0.9 > float(head.balance[0])
    monkeypatch.setattr("autolect.tasks.classify.FEW", 59)
    task, model, head, _ = made(reader)
    task.begin(model, head, task.rows(examples(60), reader, length=64), CPU)
    assert head.balance.tolist() == pytest.approx(BALANCE)


def test_the_network_starts_from_the_means_of_the_labels(reader: Reader) -> None:
    task, model, head, network = made(reader, features="none")
    rows = task.rows(examples(60), reader, length=64)
    task.begin(model, head, rows, CPU)
    tested = examples(40, seed=5)
    answers = task.answers(network, model, head, task.rows(tested, reader, length=64), CPU)
    right = [one.label == other.labels[0] for one, other in zip(answers, tested, strict=True)]
    assert np.mean(right) > 0.8


def test_a_label_that_all_texts_have_has_no_prototype() -> None:
    pooled = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.1, 1.0]])
    targets = torch.tensor([[True, True, False], [True, False, False], [True, True, False]])
    weight, bias = prototypes(pooled, targets)
    assert weight[[0, 2]].abs().sum() == 0
    assert bias[[0, 2]].abs().sum() == 0
    scores = pooled @ weight.T + bias
    assert (scores[:, 1] > 0).tolist() == [True, False, True]
    assert float(scores[:, 1].std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_valid_labels_that_train_lacks_are_left_out_of_the_settling(reader: Reader) -> None:
    task, model, head, network = made(reader)
    valid = [*examples(10, seed=3), TextExample(text="a third thing", labels=("dusk",), where="")]
    task.begin(model, head, task.rows(examples(40), reader, length=64), CPU)
    task.settle(network, model, head, task.rows(valid, reader, length=64), CPU)
    assert torch.isfinite(head.balance).all()


def test_without_sparse_features_the_network_answers_alone(reader: Reader) -> None:
    task, model, head, network = made(reader, features="none")
    rows = task.rows(examples(10), reader, length=64)
    task.begin(model, head, rows, CPU)
    task.settle(network, model, head, rows, CPU)
    assert head.wide is None
    assert head.balance.shape == (1,)
    assert len(task.answers(network, model, head, rows, CPU)) == 10


@pytest.mark.parametrize("several", [False, True])
def test_balanced_rare_labels_are_found_more_often(reader: Reader, several: bool) -> None:
    # One text in ten is of the night, and of all texts a third shows the wrong word.
    learned = [*examples(200, seed=1, noise=0.3)[::2], *examples(24, seed=2, noise=0.3)[1::2]]
    tested = examples(60, seed=5, noise=0.3)
    found = {}
    for weights in ("even", "balanced"):
        task, model, head, network = made(reader, weights=weights, several=several, features="none")
        rows = task.rows(learned, reader, length=64)
        task.begin(model, head, rows, CPU)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        for _ in range(12):
            batch = task.collate(rows, np.arange(len(learned)), 64, np.random.default_rng(0))
            optimizer.zero_grad()
            loss = task.loss(model, head, batch)
            torch.autograd.backward(loss.total / loss.targets)
            optimizer.step()
        answers = task.answers(network, model, head, task.rows(tested, reader, length=64), CPU)
        found[weights] = sum(one.probabilities["night"] for one in answers) / len(tested)
    assert found["balanced"] > found["even"] + 0.05
    assert task.measured == "macro F1"


def test_a_bundle_holds_what_answers_need_and_no_weights_of_labels(reader: Reader) -> None:
    _, _, head, _ = made(reader, weights="balanced")
    assert set(head.state_dict()) == {
        "text.output.weight",
        "text.output.bias",
        "wide.keys",
        "wide.table",
        "wide.rarity",
        "wide.bias",
        "balance",
    }


def test_balanced_macro_f1_decides(reader: Reader) -> None:
    task, *_ = made(reader, weights="balanced")
    gold, lazy = ["day"] * 9 + ["night"], ["day"] * 10
    keen = ["day"] * 7 + ["night"] * 3
    scores = [task.measure(gold, some, seed=0)["score"] for some in (lazy, keen)]
    assert scores[0] < scores[1]
    assert [task.measure(gold, some, seed=0)["accuracy"] for some in (lazy, keen)] == [0.9, 0.8]

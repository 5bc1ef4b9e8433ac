"""Tagging: a fitted random field, a trained network, and how much each counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe
from autolect.core.device import Device
from autolect.nn.model import Model, architecture_for
from autolect.tasks import _field
from autolect.tasks._kept import Kept
from autolect.tasks._two_fields import BALANCE, TagHead
from autolect.tasks.tag import CONFIG, PLUGIN
from autolect.text import segment
from autolect.text.clean import Cleaner
from autolect.text.labels.labelled import TokenExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
LABELS = ("O", "B-city", "I-city", "B-name", "I-name")
NAMES, CITIES = ("Anna", "Peter", "Maria", "John"), ("Paris", "New York", "Rome", "San Marino")


def examples(count: int, *, seed: int = 0, noise: float = 0.0) -> list[TokenExample]:
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        name, city = str(draw.choice(NAMES)), str(draw.choice(CITIES)).split()
        words = [name, "flies", "to", *city, "with", str(number + 100 * seed), "bags"]
        tags = ["B-name", "O", "O", "B-city", *["I-city"] * (len(city) - 1), "O", "O", "O"]
        if draw.random() < noise:
            tags = ["O"] * len(words)
        text, spans = segment.join(words)
        found.append(TokenExample(text=text, tokens=tuple(spans), tags=tuple(tags), where=""))
    return found


@pytest.fixture(scope="module")
def reader() -> Reader:
    texts = [one.text for one in examples(200, seed=9)]
    tokenizer = train(texts, kind="unigram", vocab_size=120, lowercase=False, language="en", seed=0)
    return Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)


def made(reader: Reader, **settings: Any) -> tuple[Any, Model, TagHead, torch.nn.Module]:
    table = {"corpus": {"files": ["x"]}, "encoder": {"width": 16, "layers": 1}}
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(reader.tokenizer)))
    task = PLUGIN(CONFIG(train="x", **settings), labels=LABELS)
    head = task.head(model.architecture)
    assert isinstance(head, TagHead)
    return task, model, head, torch.nn.ModuleList([model, head])


def test_the_fitted_field_alone_answers_before_any_training(reader: Reader) -> None:
    task, model, head, network = made(reader)
    task.begin(model, head, task.rows(examples(60), reader, length=64), CPU)
    head.balance.copy_(torch.tensor([0.0, 1.0]))
    tested = examples(30, seed=5)
    answers = task.answers(network, model, head, task.rows(tested, reader, length=64), CPU)
    assert [one.tags for one in answers] == [one.tags for one in tested]
    first = answers[0].spans[0]
    assert (first.start, first.text, first.label) == (0, tested[0].words()[0], "name")
    assert 0.5 < first.probability <= 1


def test_the_field_in_the_head_is_as_sure_as_crfsuite(reader: Reader) -> None:
    from autolect.train.field import fitted

    task, model, head, network = made(reader)
    known, tested = examples(40, noise=0.2), examples(20, seed=3)
    rows = task.rows(known, reader, length=64)
    task.begin(model, head, rows, CPU)
    head.balance.copy_(torch.tensor([0.0, 1.0]))
    names = [[[str(one) for one in unit] for unit in piece.features] for piece in rows.pieces]
    asked = task.rows(tested, reader, length=64)
    answers = task.answers(network, model, head, asked, CPU)
    with fitted(names, [one.tags for one in known]) as tagger:
        for piece, answer in zip(asked.pieces, answers, strict=True):
            tagger.set([[str(one) for one in unit] for unit in piece.features])
            expected = [tagger.marginal(tag, place) for place, tag in enumerate(answer.tags)]
            assert answer.probabilities == pytest.approx(expected, abs=0.01)


def test_training_leaves_the_fitted_field_alone(reader: Reader) -> None:
    task, model, head, _ = made(reader)
    rows = task.rows(examples(20), reader, length=64)
    task.begin(model, head, rows, CPU)
    assert head.field is not None
    batch = task.collate(rows, np.arange(20), 64, np.random.default_rng(0))
    task.loss(model, head, batch).total.backward()
    assert not head.field.table.requires_grad
    assert head.units.output.weight.grad is not None
    assert head.moves.grad is not None


def test_what_is_right_on_valid_counts_more_and_noise_makes_less_sure(reader: Reader) -> None:
    balances = []
    for noise in (0.0, 0.5):
        task, model, head, network = made(reader)
        task.begin(model, head, task.rows(examples(60), reader, length=64), CPU)
        valid = task.rows(examples(60, seed=3, noise=noise), reader, length=64)
        task.settle(network, model, head, valid, CPU)
        balances.append(head.balance.tolist())
    assert balances[0][1] > BALANCE[1] > balances[1][1]


def test_where_entities_are_missed_it_leans_away_from_o(reader: Reader) -> None:
    # Half of the train examples lack their entities, so the field says O too often.
    task, model, head, network = made(reader)
    task.begin(model, head, task.rows(examples(80, noise=0.6), reader, length=64), CPU)
    valid, tested = examples(60, seed=3), examples(60, seed=4)
    task.settle(network, model, head, task.rows(valid, reader, length=64), CPU)
    lean = head.lean.clone()
    assert float(lean) > 0
    rows = task.rows(tested, reader, length=64)
    leaning = task.judge(network, model, head, rows, tested, CPU).figures["f1"]
    head.lean.zero_()
    assert leaning > task.judge(network, model, head, rows, tested, CPU).figures["f1"]


def test_tags_that_are_no_entities_do_not_lean(reader: Reader) -> None:
    plain = [replace(one, tags=tuple("N" if t != "O" else "X" for t in one.tags)) for one in examples(30)]
    _, model, _, network = made(reader)
    task: Any = PLUGIN(CONFIG(train="x"), labels=("N", "X"))
    head = task.head(model.architecture)
    rows = task.rows(plain, reader, length=64)
    task.begin(model, head, rows, CPU)
    task.settle(network, model, head, rows, CPU)
    assert float(head.lean) == 0
    assert [one.tags for one in task.answers(network, model, head, rows, CPU)] == [p.tags for p in plain]


def test_without_sparse_features_the_network_answers_alone(reader: Reader) -> None:
    task, model, head, network = made(reader, features="none")
    rows = task.rows(examples(10), reader, length=64)
    task.begin(model, head, rows, CPU)
    task.settle(network, model, head, rows, CPU)
    assert head.field is None
    assert head.balance.shape == (1,)
    assert len(task.answers(network, model, head, rows, CPU)) == 10


def test_a_piece_that_begins_inside_an_entity_can_be_learned(reader: Reader) -> None:
    words = ["Anna", "sees", *["very"] * 6, "San", "Marino", "now"]
    tags = ["B-name", "O", *["O"] * 6, "B-city", "I-city", "O"]
    text, spans = segment.join(words)
    long = TokenExample(text=text, tokens=tuple(spans), tags=tuple(tags), where="")
    for length in range(8, 24):
        task, model, head, _ = made(reader)
        rows = task.rows([long], reader, length=length)
        batch = task.collate(rows, np.arange(len(rows.pieces)), length, np.random.default_rng(0))
        assert float(task.loss(model, head, batch).total.detach()) < 100


def test_one_field_serves_all_trials_of_a_search(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
    fits: list[Any] = []
    fit = _field._fit

    def counted(*arguments: Any) -> _field.Field:
        fits.append(arguments)
        return fit(*arguments)

    monkeypatch.setattr(_field, "_fit", counted)
    monkeypatch.setattr(_field, "_KEPT", Kept())
    for seed in (0, 0, 1):
        task, model, head, _ = made(reader)
        task.begin(model, head, task.rows(examples(20, seed=seed), reader, length=64), CPU)
    assert len(fits) == 2

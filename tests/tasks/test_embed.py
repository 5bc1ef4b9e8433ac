"""Vectors from pairs start as the untrained ones, learn what belongs together, and do not fall behind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from autolect.core import recipe
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.nn.model import Model, architecture_for
from autolect.tasks.embed import CONFIG, PLUGIN
from autolect.text.clean import Cleaner
from autolect.text.labels.pairs import PairExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
WORDS = ("sun", "moon", "rain", "snow", "wind", "cloud", "river", "stone", "tree", "leaf", "bird", "fish")
FOREIGN = {word: f"{word[::-1]}u" for word in WORDS}
"""A language that shares no word with English."""


def pairs(count: int, *, seed: int) -> list[PairExample]:
    draw, found = random.Random(seed), []
    for _ in range(count):
        words = draw.sample(WORDS, 3)
        foreign = " ".join(FOREIGN[word] for word in draw.sample(words, 3))
        found.append(PairExample(first=" ".join(words), second=foreign, where="a:1"))
    return found


def of(*texts: tuple[str, str]) -> list[PairExample]:
    return [PairExample(first=first, second=second, where="") for first, second in texts]


@pytest.fixture(scope="module")
def reader() -> Reader:
    texts = [text for one in pairs(100, seed=9) for text in (one.first, one.second)]
    tokenizer = train(texts, kind="word", vocab_size=300, lowercase=False, language="en", seed=0)
    return Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)


def made(reader: Reader, known: list[PairExample], **settings: Any) -> tuple[Any, Any, Any, Any]:
    """A task, its network with a new head, and the rows that the head began with."""
    table: dict[str, Any] = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0},
    }
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(reader.tokenizer)))
    task = PLUGIN(CONFIG(train="x", **settings), labels=())
    head = task.head(model.architecture)
    rows = task.rows(known, reader, length=16)
    task.begin(model, head, rows, CPU)
    return task, torch.nn.ModuleList([model, head]), head, rows


def learn(task: Any, network: Any, rows: Any, *, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    draw, (model, head) = np.random.default_rng(0), network
    network.train()
    for _ in range(steps):
        chosen = draw.choice(len(rows.first), 32, replace=False)
        loss = task.loss(model, head, task.collate(rows, chosen, 16, draw))
        optimizer.zero_grad()
        (loss.total / loss.targets).backward()
        optimizer.step()


def vectors(task: Any, network: Any, reader: Reader, texts: list[str]) -> NDArray[np.float32]:
    ids = [one.ids for one in reader.read(texts)]
    found: NDArray[np.float32] = task.vectors(network, *network, ids, CPU)
    return found


def test_texts_that_share_no_words_find_each_other(reader: Reader) -> None:
    task, network, head, rows = made(reader, pairs(300, seed=0))
    new = pairs(60, seed=1)
    asked = task.rows(new, reader, length=16)
    before = task.judge(network, *network, asked, new, CPU).figures["untrained"]
    learn(task, network, rows, steps=60)
    task.settle(network, *network, asked, CPU)
    after = task.judge(network, *network, asked, new, CPU).value
    assert before < 0.3
    assert after > 0.9
    assert float(head.balance) > 0
    one, other, far = vectors(
        task, network, reader, ["sun moon rain", "nusu noomu niaru", "hsifu faelu dribu"]
    )
    assert one @ other > one @ far + 0.1, (one @ other, one @ far)


def test_before_any_training_it_says_what_the_likeness_says(reader: Reader) -> None:
    task, network, head, _ = made(reader, pairs(300, seed=0))
    texts = ["sun moon rain", "moon", "leaf tree leaf bird"]
    plain = head.likeness().vectors([one.ids for one in reader.read(texts)])
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    for balance in (0.0, 0.5, 1.0):
        head.balance.fill_(balance)
        found = vectors(task, network, reader, texts)
        assert found @ found.T == pytest.approx(plain @ plain.T, abs=1e-3)


def test_what_belongs_together_anywhere_in_train_is_no_negative(reader: Reader) -> None:
    known = of(("sun", "nusu"), ("moon", "nusu"), ("sun", "noomu"), ("nusu", "rain"), ("leaf", "faelu"))
    task, network, _, rows = made(reader, known)
    batch = task.collate(rows, np.arange(5), 16, None)
    assert batch["wrong"].tolist() == [
        [False, False, False, True, True],  # sun: nusu and noomu are right, wherever they stand
        [False, False, True, True, True],
        [False, False, False, True, True],
        [False, False, True, False, True],  # nusu: the same text is not wrong for itself
        [True, True, True, True, False],
    ]
    alone = task.loss(*network, task.collate(rows, np.array([0, 1]), 16, None))
    assert alone.total.item() == pytest.approx(0)
    assert task.loss(*network, task.collate(rows, np.array([0, 4]), 16, None)).total.item() > 0


def test_what_learned_nothing_counts_nothing(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(2)
    drawn = [sorted(draw.sample(WORDS, 4)) for _ in range(80)]
    same = of(*((" ".join(words), " ".join(words[::-1])) for words in drawn))
    task, network, head, rows = made(reader, same)
    sound = task.judge(network, *network, rows, same, CPU).figures["untrained"]

    def noise(model: Any, head: Any, tokens: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.randn(len(tokens), 32), dim=-1)

    monkeypatch.setattr(task, "_learned", noise)
    assert task.judge(network, *network, rows, same, CPU).value < sound
    task.settle(network, *network, rows, CPU)
    assert float(head.balance) == 0
    assert task.judge(network, *network, rows, same, CPU).value == sound


def test_neighbours_in_a_batch_and_padding_change_no_vector(reader: Reader) -> None:
    task, network, _, rows = made(reader, pairs(300, seed=0))
    learn(task, network, rows, steps=3)
    texts = ["sun", " ".join(WORDS), "moon rain", ""]
    together = vectors(task, network, reader, texts)
    alone = np.concatenate([vectors(task, network, reader, [text]) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)
    assert np.isfinite(together).all()


def test_no_text_is_hidden_whole(reader: Reader) -> None:
    task, _, _, rows = made(reader, of(("sun", "nusu"), ("moon rain", "noomu niaru")), hide=0.5)
    plain = task.collate(rows, np.arange(2), 16, None)
    draw = np.random.default_rng(0)
    seen = [task.collate(rows, np.arange(2), 16, draw) for _ in range(20)]
    assert all(torch.equal(one["first"][0], plain["first"][0]) for one in seen)
    assert any(not torch.equal(one["first"][1], plain["first"][1]) for one in seen)


def test_each_side_is_as_long_as_its_own_texts(reader: Reader) -> None:
    task, _, _, rows = made(reader, of(("sun", " ".join(WORDS)), ("moon", "rain")))
    batch = task.collate(rows, np.arange(2), 16, None)
    assert (batch["first"].shape[1], batch["second"].shape[1]) == (8, 16)


def test_ranks_become_a_score_and_recall() -> None:
    task = PLUGIN(CONFIG(train="x"), labels=())
    found = task.measure([1, 1, 1, 1], [1, 2, 10, 20], seed=0)
    assert found["score"] == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 20) / 4)
    assert (found["recall_at_1"], found["recall_at_10"]) == (0.25, 0.75)
    assert found["low"] <= found["score"] <= found["high"]


def test_it_answers_nothing_and_refuses_pairs_without_a_wrong_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="answers nothing"):
        PLUGIN.unlabelled(["a"])
    (tmp_path / "a.tsv").write_text("question\tanswer\nhow?\tso\nwhy?\tso\n", encoding="utf-8")
    read = PLUGIN.read(tmp_path / "a.tsv", CONFIG(train="x"))
    assert [(one.first, one.second) for one in read.examples] == [("how?", "so"), ("why?", "so")]
    with pytest.raises(UserError, match="same second text"):
        PLUGIN.find_labels(read.examples)

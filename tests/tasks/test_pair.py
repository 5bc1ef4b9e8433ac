"""Two texts: trees over what they share, a network over both, and how much each counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe
from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.core.results import Rating
from autolect.nn.heads import Trees
from autolect.nn.model import Model, architecture_for
from autolect.tasks import _trees
from autolect.tasks.pair import CONFIG, PLUGIN
from autolect.text.clean import Cleaner
from autolect.text.labels.pairs import PairExample
from autolect.text.reading import Reader
from autolect.text.tokenizer import train

CPU = Device(torch.device("cpu"), torch.float32)
WORDS = ("cat", "dog", "bird", "fish", "horse", "sun", "moon", "rain")


def pairs(count: int, *, seed: int, scored: bool) -> list[PairExample]:
    """Pairs of four words, of which some are shared; how many is the score."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        first = draw.choice(WORDS, size=4, replace=False)
        shared = int(draw.integers(0, 5))
        others = [word for word in WORDS if word not in first]
        second = [*first[:shared], *draw.choice(others, size=4 - shared, replace=False)]
        answer: dict[str, Any] = {"score": float(shared)} if scored else {"labels": (str(shared > 2),)}
        found.append(PairExample(first=" ".join(first), second=" ".join(second), where="", **answer))
    return found


@pytest.fixture(scope="module")
def reader() -> Reader:
    texts = [one.first for one in pairs(100, seed=9, scored=True)]
    tokenizer = train(texts, kind="unigram", vocab_size=100, lowercase=False, language="en", seed=0)
    return Reader(cleaner=Cleaner((), language="en"), tokenizer=tokenizer)


def made(reader: Reader, labels: tuple[str, ...], **settings: Any) -> tuple[Any, Model, Any, torch.nn.Module]:
    table = {"corpus": {"files": ["x"]}, "encoder": {"width": 16, "layers": 1}}
    torch.manual_seed(0)
    model = Model(architecture_for(recipe.from_table(table), vocab_size=len(reader.tokenizer)))
    task = PLUGIN(CONFIG(train="x", **settings), labels=labels)
    head = task.head(model.architecture)
    return task, model, head, torch.nn.ModuleList([model, head])


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("encoder", ["bi", "cross"])
def test_what_is_shared_is_learned_before_any_training(reader: Reader, encoder: str, scored: bool) -> None:
    task, model, head, network = made(reader, () if scored else ("False", "True"), encoder=encoder)
    known, asked = pairs(200, seed=1, scored=scored), pairs(60, seed=2, scored=scored)
    task.begin(model, head, task.rows(known, reader, length=64), CPU)
    task.settle(network, model, head, task.rows(pairs(60, seed=3, scored=scored), reader, length=64), CPU)
    answers = task.answers(network, model, head, task.rows(asked, reader, length=64), CPU)
    assert task.score(asked, answers).value > 0.8
    measured = task.measure([task.gold(one) for one in asked], [task.raw(one) for one in answers], seed=0)
    assert measured["low"] <= measured["score"] <= measured["high"]


def longer(one: PairExample) -> PairExample:
    """What is said by a pair in more words, the same ones in both texts."""
    more = " ".join(["old", "new", "red"] * 2)
    return replace(one, first=f"{one.first} {more}", second=f"{one.second} {more}")


def test_a_label_that_length_tells_by_accident_is_not_learned_from_length(reader: Reader) -> None:
    """Half of the pairs that differ are short and no others are; asked of are short ones of both kinds."""
    kept = [*pairs(400, seed=1, scored=False), *pairs(100, seed=3, scored=False)]
    known = [one if one.labels == ("False",) and at % 2 else longer(one) for at, one in enumerate(kept)]
    asked, scores = pairs(100, seed=2, scored=False), {}
    for even in (False, True):
        task, model, head, network = made(reader, ("False", "True"), even_lengths=even)
        task.begin(model, head, task.rows(known[:400], reader, length=64), CPU)
        valid = task.rows(known[400:], reader, length=64)
        task.settle(network, model, head, valid, CPU)
        answers = task.answers(network, model, head, task.rows(asked, reader, length=64), CPU)
        scores[even] = task.score(asked, answers).value
        judged = task.judge(network, model, head, valid, known[400:], CPU).figures["loss"]
        plain = task.score(known[400:], task.answers(network, model, head, valid, CPU)).figures["loss"]
        assert (judged == plain) != even
    assert scores[False] < 0.97 < 0.99 < scores[True]


def test_pairs_whose_length_tells_all_teach_a_network_nearly_nothing(reader: Reader) -> None:
    known = [
        one if one.labels == ("False",) and at % 2 else longer(one)
        for at, one in enumerate(pairs(400, seed=1, scored=False))
    ]
    short = np.array([at for at, one in enumerate(known) if "red" not in one.first])
    losses = {}
    for even in (False, True):
        task, model, head, _ = made(reader, ("False", "True"), even_lengths=even)
        rows = task.rows(known, reader, length=64)
        task.begin(model, head, rows, CPU)
        losses[even] = float(task.loss(model, head, task.collate(rows, short, 64, None)).total.detach())
    assert losses[True] < 0.2 * losses[False]


def test_scores_have_no_labels_that_lengths_could_tell(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a text\tanother\t0.5\nb text\tother\t0.1\n")
    with pytest.raises(UserError, match="even_lengths"):
        PLUGIN.read(tmp_path / "a.tsv", CONFIG(train=str(tmp_path / "a.tsv"), even_lengths=True))


def test_pairs_that_length_tells_apart_altogether_are_refused(reader: Reader) -> None:
    known = [
        longer(longer(one)) if one.labels == ("True",) else one for one in pairs(1000, seed=1, scored=False)
    ]
    task, model, head, _ = made(reader, ("False", "True"), even_lengths=True)
    with pytest.raises(UserError, match="pairs are left"):
        task.begin(model, head, task.rows(known, reader, length=64), CPU)


@pytest.mark.parametrize("encoder", ["bi", "cross"])
def test_the_loss_reaches_the_encoder_and_not_the_trees(reader: Reader, encoder: str) -> None:
    task, model, head, _ = made(reader, (), encoder=encoder)
    rows = task.rows(pairs(20, seed=1, scored=True), reader, length=64)
    task.begin(model, head, rows, CPU)
    task.loss(model, head, task.collate(rows, np.arange(20), 64, np.random.default_rng(0))).total.backward()
    assert model.embedding.weight.grad is not None
    assert not list(head.shared.parameters())


@pytest.mark.parametrize("encoder", ["bi", "cross"])
def test_a_pair_has_the_same_answer_alone_and_among_others(reader: Reader, encoder: str) -> None:
    task, model, head, network = made(reader, (), encoder=encoder)
    many = pairs(30, seed=1, scored=True)
    task.begin(model, head, task.rows(many, reader, length=64), CPU)
    together = task.answers(network, model, head, task.rows(many, reader, length=64), CPU)
    alone = task.answers(network, model, head, task.rows(many[:1], reader, length=64), CPU)
    assert isinstance(alone[0], Rating)
    assert alone[0].value == pytest.approx(together[0].value, abs=1e-4)


def test_no_rating_goes_beyond_what_training_has_seen(reader: Reader) -> None:
    task, model, head, network = made(reader, ())
    task.begin(model, head, task.rows(pairs(100, seed=1, scored=True), reader, length=64), CPU)
    strange = [
        PairExample(first="cat " * 50, second="zzz", where=""),
        PairExample(first="x", second="x", where=""),
    ]
    answers = task.answers(network, model, head, task.rows(strange, reader, length=64), CPU)
    assert all(0 <= one.value <= 4 for one in answers)


def test_trees_say_what_the_library_that_fitted_them_says() -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    draw = np.random.default_rng(0)
    features = draw.normal(size=(300, 5)).astype(np.float32)
    targets = (features[:, 0] * features[:, 1] + draw.normal(size=300) * 0.1).astype(float)
    trees = Trees(1, num_trees=_trees.NUM_TREES, depth=_trees.DEPTH)
    trees.fill(_trees.fit(features, targets[:, None], np.ones(len(targets)), seed=0))
    machine = GradientBoostingRegressor(
        n_estimators=_trees.NUM_TREES,
        max_depth=_trees.DEPTH,
        learning_rate=_trees.RATE,
        subsample=_trees.SUBSAMPLE,
        min_samples_leaf=_trees.LEAST,
        random_state=0,
    ).fit(features, targets)
    said = trees(torch.from_numpy(features))[:, 0].numpy()
    assert said == pytest.approx(machine.predict(features), abs=1e-5)


@pytest.mark.parametrize(
    ("answers", "scored"),
    [(("0", "1"), False), (("0.5", "1", "2.25"), True), (("yes", "no"), False), (map(str, range(12)), True)],
)
def test_numbers_are_scores_where_they_look_like_it(
    tmp_path: Path, answers: tuple[str, ...], scored: bool
) -> None:
    rows = "".join(f"text {n}\tother {n}\t{answer}\n" for n, answer in enumerate(answers))
    (tmp_path / "a.tsv").write_text(rows)
    (tmp_path / "b.tsv").write_text("one text\tanother text\t1\n")
    config = CONFIG(train=str(tmp_path / "a.tsv"))
    assert (PLUGIN.read(tmp_path / "a.tsv", config).examples[0].score is not None) == scored
    # Another split is read as train is, whatever stands in it.
    assert (PLUGIN.read(tmp_path / "b.tsv", config).examples[0].score is not None) == scored


@pytest.mark.parametrize("odd", ["NaN", "4,5", "much"])
def test_a_slip_among_scores_makes_no_labels_of_them(tmp_path: Path, odd: str) -> None:
    rows = "".join(f"text {n}\tother {n}\t{n / 4}\n" for n in range(20))
    (tmp_path / "a.tsv").write_text(f"{rows}one\ttwo\t{odd}\n")
    with pytest.raises(UserError, match="is no number") as caught:
        PLUGIN.read(tmp_path / "a.tsv", CONFIG(train=str(tmp_path / "a.tsv")))
    assert caught.value.where.endswith(":21")
    read = PLUGIN.read(tmp_path / "a.tsv", CONFIG(train=str(tmp_path / "a.tsv"), answer="label"))
    assert read.notes[-1] == "answers are labels"


def test_a_score_that_is_no_number_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\ttwo\t1.5\nthree\tfour\tmuch\n")
    with pytest.raises(UserError, match="'much' is no number") as caught:
        PLUGIN.read(tmp_path / "a.tsv", CONFIG(train=str(tmp_path / "a.tsv"), answer="score"))
    assert caught.value.where.endswith(":2")

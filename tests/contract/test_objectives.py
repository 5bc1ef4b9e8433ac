"""Every objective, found by its file name, under every encoder and decoder kind."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe, registry
from autolect.core.errors import UserError
from autolect.nn.losses import NO_TARGET
from autolect.nn.model import Model, architecture_for, architecture_from
from autolect.text.noise import Texts
from autolect.text.shards import SENTENCE, WORD
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD

OBJECTIVES = registry.names("objectives")
KINDS = registry.names("encoders")
VOCABULARY = 40


def ids() -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(0)
    rows = np.full((6, 12), PAD, dtype=np.int64)
    for row, length in enumerate((1, 3, 5, 8, 10, 10)):
        rows[row, 0], rows[row, length + 1] = BOS, EOS
        rows[row, 1 : length + 1] = draw.integers(NUM_SPECIAL, VOCABULARY, length)
    return rows


def build(objective: str, encoder: str = "transformer", decoder: str = "transformer") -> tuple[Model, Any]:
    table = {
        "corpus": {"files": ["x.txt"]},
        "encoder": {"kind": encoder, "width": 16, "layers": 1},
        "decoder": {"kind": decoder},
        "objective": {"kind": objective},
    }
    settings = recipe.from_table(table)
    torch.manual_seed(0)
    model = Model(architecture_for(settings, vocab_size=VOCABULARY))
    return model, registry.load("objectives", objective).build(settings.objective, vocab_size=VOCABULARY)


def texts() -> Texts:
    """Words of two tokens, sentences of four."""
    rows = ids()
    place = np.broadcast_to(np.arange(rows.shape[1]) - 1, rows.shape)
    return Texts(rows, ((place % 2 == 0) * WORD + (place % 4 == 0) * SENTENCE).astype(np.uint8))


def possible(name: str, encoder: str, decoder: str) -> bool:
    """A stack that also looks both ways is a transformer."""
    both = "both" in registry.load("objectives", name).build.PARTS
    return not both or encoder == decoder == "transformer"


COMBINATIONS = [one for one in product(OBJECTIVES, KINDS, KINDS) if possible(*one)]


@pytest.mark.parametrize(("name", "encoder", "decoder"), COMBINATIONS)
def test_every_combination_learns_to_repeat_its_batch(name: str, encoder: str, decoder: str) -> None:
    model, objective = build(name, encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = objective.loss(model, objective.corrupt(texts(), np.random.default_rng(0)))
        (loss.total / loss.targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.total.item() / loss.targets)
    assert losses[-1] < losses[0] - 0.3


@pytest.mark.parametrize("name", OBJECTIVES)
def test_noise_follows_from_the_draw_alone_and_leaves_the_ids_as_they_are(name: str) -> None:
    objective, before, given = build(name)[1], texts(), texts()
    one = objective.corrupt(given, np.random.default_rng(5))
    two = objective.corrupt(given, np.random.default_rng(5))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert np.array_equal(given.ids, before.ids)
    assert given.marks is not None
    assert before.marks is not None
    assert np.array_equal(given.marks, before.marks)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_that_is_not_marked_needs_no_marks(name: str) -> None:
    objective = build(name)[1]
    if objective.config.marked:
        with pytest.raises(AssertionError, match="is `marked`"):
            objective.corrupt(Texts(ids(), None), np.random.default_rng(0))
        return
    one, other = (
        objective.corrupt(given, np.random.default_rng(0)) for given in (Texts(ids(), None), texts())
    )
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_targets_are_never_padding_and_every_weight_has_a_gradient(name: str) -> None:
    model, objective = build(name)
    batch = objective.corrupt(texts(), np.random.default_rng(1))
    for key in ("targets", "following"):
        if key in batch:
            assert not torch.isin(batch[key], torch.tensor([PAD, BOS, MASK])).any()
    loss = objective.loss(model, batch)
    assert loss.targets == sum(
        int((batch[k] != NO_TARGET).sum()) for k in ("targets", "following") if k in batch
    )
    loss.total.backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_architecture_survives_being_written_down(name: str) -> None:
    architecture = build(name)[0].architecture
    assert architecture_from(architecture.plain()) == architecture


@pytest.mark.parametrize("name", ["masked", "autoencode"])
def test_the_set_share_of_ordinary_tokens_is_hidden_and_specials_never(name: str) -> None:
    objective = build(name)[1]
    rows = np.tile(ids()[-1:], (400, 1))
    batch = objective.corrupt(Texts(rows, np.ones(rows.shape, dtype=np.uint8)), np.random.default_rng(2))
    chosen = (batch["targets"] != NO_TARGET).numpy()
    assert chosen.sum() == 400 * 2
    assert not chosen[rows < NUM_SPECIAL].any()
    tokens = batch["tokens"].numpy()
    assert np.array_equal(tokens[~chosen], rows[~chosen])
    assert abs((tokens[chosen] == MASK).mean() - 0.8) < 0.05
    assert not np.isin(tokens[chosen], [PAD, BOS, EOS]).any()


def test_an_impossible_width_is_refused_with_one_that_fits() -> None:
    settings = recipe.from_table({"corpus": {"files": ["x"]}, "encoder": {"width": 250}})
    with pytest.raises(UserError, match=r"encoder\.width.*try 248"):
        Model(architecture_for(settings, vocab_size=10))

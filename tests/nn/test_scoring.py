"""How likely texts are: every token once, padding never, ties wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autolect.core import recipe
from autolect.nn import scoring
from autolect.nn.model import Model, architecture_for

BOS, EOS, PAD, MASK = 2, 3, 0, 4


def model(objective: str, kind: str = "transformer") -> Model:
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"kind": kind, "width": 16, "layers": 1},
        "decoder": {"kind": kind},
        "objective": {"kind": objective},
    }
    torch.manual_seed(0)
    return Model(architecture_for(recipe.from_table(table), vocab_size=30)).eval()


@pytest.mark.parametrize("size", [1, 6, 7, 8, 13, 40])
@pytest.mark.parametrize("length", [8, 9])
def test_windows_score_every_token_and_the_end_once_with_half_a_window_before_it(
    size: int, length: int
) -> None:
    ids = np.arange(10, 10 + size)
    body = [*ids.tolist(), EOS]
    scored: list[int] = []
    for piece in scoring.windows(ids, begin=BOS, stop=EOS, length=length):
        assert len(piece.ids) <= length
        assert piece.ids[0] == BOS
        place = len(scored)
        scored += piece.ids[piece.first :].tolist()
        assert piece.ids[1 : piece.first].tolist() == body[max(0, place - piece.first + 1) : place]
        assert place == 0 or piece.first - 1 >= min(place, (length - 1) // 2)
    assert scored == body


@pytest.mark.parametrize("kind", ["transformer", "lstm", "gru"])
def test_the_likelihood_of_a_text_is_the_product_over_its_tokens_whatever_stands_beside_it(kind: str) -> None:
    network = model("causal", kind)
    texts = [np.array([9, 10, 11, 12, 13]), np.array([20]), np.array([9, 25, 10])]
    pieces = [scoring.windows(one, begin=BOS, stop=EOS, length=16)[0] for one in texts]
    found = scoring.log_likelihoods(network, pieces, pad=PAD)
    for text, value in zip(texts, found, strict=True):
        ids, total = [BOS], 0.0
        for token in [*text.tolist(), EOS]:
            tokens = torch.tensor([ids])
            states = network.continue_(tokens, torch.ones_like(tokens, dtype=torch.bool))
            total += float(network.scores(states[0, -1]).log_softmax(dim=-1)[token])
            ids.append(token)
        assert value == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("objective", ["masked", "hybrid"])
def test_the_pseudo_likelihood_hides_each_inner_token_alone(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = model(objective)
    ids = np.array([BOS, 9, 10, 11, EOS])
    total = 0.0
    for place in (1, 2, 3):
        tokens = torch.from_numpy(ids)[None].clone()
        tokens[0, place] = MASK
        states = network.guesses(tokens, torch.ones_like(tokens, dtype=torch.bool))
        total += float(network.scores(states[0, place]).log_softmax(dim=-1)[ids[place]])
    assert scoring.pseudo_log_likelihood(network, ids, mask=MASK) == pytest.approx(total, abs=1e-4)
    monkeypatch.setattr(scoring, "TOKENS", 5)
    assert scoring.pseudo_log_likelihood(network, ids, mask=MASK) == pytest.approx(total, abs=1e-4)


def test_a_network_that_knows_nothing_needs_the_logarithm_of_its_vocabulary() -> None:
    network = model("causal")
    with torch.no_grad():
        network.embedding.weight.zero_()
    pieces = scoring.windows(np.arange(5, 25), begin=BOS, stop=EOS, length=8)
    found = scoring.log_likelihoods(network, pieces, pad=PAD)
    assert found.sum() == pytest.approx(-21 * math.log(30), rel=1e-5)


def test_hidden_tokens_are_counted_and_nothing_else() -> None:
    network = model("masked")
    ids = np.array([[BOS, 9, 10, EOS, PAD], [BOS, 11, 12, 13, EOS]])
    hidden = np.zeros(ids.shape, dtype=bool)
    hidden[0, 1] = hidden[1, 3] = True
    with torch.no_grad():
        network.output_bias[9] = 50.0
    guessed = scoring.guess_hidden(network, ids, hidden, pad=PAD, mask=MASK)
    assert (guessed.count, guessed.right) == (2, 1)
    assert guessed.loss > 20

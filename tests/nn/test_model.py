"""The network: vectors that arrive, weights that are refused, text that is written."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe
from autolect.core.errors import DamagedError, UserError
from autolect.nn import weights
from autolect.nn.model import (
    EMBEDDING_STD,
    Model,
    architecture_for,
    architecture_from,
    start_from_counts,
    start_from_vectors,
)
from autolect.nn.writing import _choose, search, write


def model(objective: str = "autoencode", decoder: str = "transformer") -> Model:
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"width": 16, "layers": 1},
        "decoder": {"kind": decoder},
        "objective": {"kind": objective},
    }
    torch.manual_seed(0)
    return Model(architecture_for(recipe.from_table(table), vocab_size=30)).eval()


def test_vectors_arrive_in_encoder_decoder_and_output_at_the_right_spread() -> None:
    network = model()
    random_rows = network.embedding.weight.detach().clone()
    matrix = np.random.default_rng(0).normal(0, 3.0, (30, 16)).astype(np.float32)
    matrix[7] = 0.0
    start_from_vectors(network, matrix)
    rows = network.embedding.weight.detach()
    known = np.delete(np.arange(30), 7)
    scale = EMBEDDING_STD / matrix[known].std()
    torch.testing.assert_close(rows[known], torch.from_numpy(matrix[known] * scale))
    assert abs(float(rows[known].std()) - EMBEDDING_STD) < 1e-3
    torch.testing.assert_close(rows[7], random_rows[7])
    tokens = torch.tensor([[2, 9, 3]])
    keep = torch.ones(1, 3, dtype=torch.bool)
    before = network.decode(tokens, keep, torch.zeros(1, 1, 16))
    with torch.no_grad():
        network.embedding.weight[9] += 1.0
    assert not torch.allclose(network.decode(tokens, keep, torch.zeros(1, 1, 16)), before)
    assert network.scores(torch.randn(2, 16)).shape == (2, 30)


@pytest.mark.parametrize("damage", ["missing", "foreign", "misshapen", "cut"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, damage: str) -> None:
    network, path = model(), tmp_path / "model.safetensors"
    values = dict(network.state_dict())
    if damage == "missing":
        del values["output_bias"]
    elif damage == "foreign":
        values["more"] = torch.zeros(1)
    elif damage == "misshapen":
        values["output_bias"] = torch.zeros(31)
    weights.save(values, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DamagedError):
        weights.load(network, path)


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    network, path = model(), tmp_path / "model.safetensors"
    weights.save(network.state_dict(), path)
    other = model()
    with torch.no_grad():
        for value in other.parameters():
            value.zero_()
    weights.load(other, path)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("decoder", ["transformer", "lstm", "gru"])
def test_writing_greedily_takes_the_likeliest_token_each_time(decoder: str) -> None:
    network = model(decoder=decoder)
    latent = torch.randn(1, 16, generator=torch.Generator().manual_seed(3))
    memory = network.memory(latent)
    new = write(network, begin=torch.tensor([2]), stop=3, length=6, memory=memory)[0]
    ids = [2]
    for token in new:
        tokens = torch.tensor([ids])
        states = network.decode(tokens, torch.ones_like(tokens, dtype=torch.bool), memory)
        assert int(network.scores(states[0, -1]).argmax()) == token
        ids.append(token)


def test_writing_is_repeatable_by_its_seed_and_never_uses_forbidden_ids() -> None:
    network, never = model("causal"), torch.tensor([0, 1, 2, 4])
    begin = torch.tensor([2, 9])

    def text(seed: int) -> list[int]:
        return write(
            network, begin=begin, stop=3, length=20, memory=None, temperature=1.0, seed=seed, never=never
        )[0]

    assert text(1) == text(1)
    assert any(text(1) != text(seed) for seed in range(2, 6))
    assert not set(text(1)) & {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("settings", "allowed"), [({"top_k": 2}, {0, 3}), ({"top_p": 0.6}, {0, 3}), ({}, {0, 1, 2, 3})]
)
def test_drawing_among_the_likeliest_leaves_the_others_out(
    settings: dict[str, float], allowed: set[int]
) -> None:
    scores = torch.tensor([[0.5, 0.1, 0.1, 0.3]]).log().expand(400, 4)
    chance = torch.Generator().manual_seed(0)
    drawn = _choose(scores, chance, **{"temperature": 1.0, "top_k": 0, "top_p": 1.0, **settings})  # type: ignore[arg-type]
    assert set(drawn.tolist()) == allowed


def test_a_stack_that_goes_both_ways_guesses_a_token_one_place_before_it() -> None:
    network = model("hybrid")
    tokens = torch.tensor([[2, 9, 4, 10, 3]])
    keep = torch.ones_like(tokens, dtype=torch.bool)
    whole = network.continue_(tokens, keep, both=True)
    torch.testing.assert_close(network.guesses(tokens, keep)[:, 1:], whole[:, :-1])
    changed = tokens.clone()
    changed[0, 3] = 11
    assert not torch.allclose(network.guesses(changed, keep)[0, 2], whole[0, 1])
    torch.testing.assert_close(
        network.continue_(changed, keep)[0, :3], network.continue_(tokens, keep)[0, :3]
    )


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_recurrent_stack_cannot_go_both_ways_with_the_same_weights(part: str) -> None:
    table = {"corpus": {"files": ["x"]}, "objective": {"kind": "hybrid"}, part: {"kind": "gru"}}
    with pytest.raises(UserError, match=rf"{part}\.kind: gru reads one way"):
        architecture_for(recipe.from_table(table), vocab_size=30)


def test_a_bundle_of_before_there_was_a_choice_still_says_what_it_can() -> None:
    plain = model().architecture.plain()
    for key in ("both", "states", "fill"):
        del plain[key]
    assert architecture_from(plain) == model().architecture


@pytest.mark.parametrize("decoder", ["transformer", "lstm", "gru"])
def test_enough_beams_find_the_likeliest_text_of_all(decoder: str) -> None:
    network = model("causal", decoder)
    with torch.no_grad():
        network.output_bias.normal_(std=2.0, generator=torch.Generator().manual_seed(7))
    begin, stop, length = torch.tensor([2, 9]), 3, 3
    kept = [3, 5, 6, 7]
    never = torch.tensor([token for token in range(30) if token not in kept])

    def value(text: tuple[int, ...], *, ended: bool) -> float:
        ids = torch.tensor([[2, 9, *text]])
        states = network.continue_(ids, torch.ones_like(ids, dtype=torch.bool))[0, 1:]
        scores = network.scores(states).detach()
        scores[:, never] = -torch.inf
        wanted = [*text, *([stop] if ended else [])]
        found = scores.log_softmax(dim=-1)[range(len(wanted)), wanted].sum()
        return float(found) / float(len(wanted) ** 0.6)

    texts = [
        (value(text, ended=ended), list(text))
        for size in range(length + 1)
        for text in itertools.product(kept[1:], repeat=size)
        for ended in ((True,) if size < length else (False,))
    ]
    (found,) = search(network, begin=begin, stop=stop, length=length, memory=None, beams=64, never=never)
    assert found == max(texts)[1]


@pytest.mark.parametrize("decoder", ["transformer", "lstm"])
@pytest.mark.parametrize("beams", [1, 3])
def test_texts_that_are_searched_together_are_those_found_alone(decoder: str, beams: int) -> None:
    network = model("denoise", decoder=decoder)
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in network.parameters():
            if value.dim() > 1:
                value.normal_(std=0.5, generator=chance)
    memory = torch.randn(9, 4, 16, generator=torch.Generator().manual_seed(1)) * 3
    settings: dict[str, Any] = {"begin": torch.tensor([2]), "stop": 3, "length": 7, "beams": beams}
    together = search(network, memory=memory, **settings)
    alone = [text for row in memory for text in search(network, memory=row[None], **settings)]
    assert together == alone
    assert len({len(text) for text in together}) > 1


@pytest.mark.parametrize("objective", ["autoencode", "denoise"])
def test_beams_with_a_memory_are_never_less_likely_than_greed(objective: str) -> None:
    network = model(objective)
    memory = torch.randn(
        2, 1 if objective == "autoencode" else 4, 16, generator=torch.Generator().manual_seed(1)
    )
    settings = {"begin": torch.tensor([2]), "stop": 3, "length": 6}

    def value(row: int, text: list[int]) -> float:
        ids = torch.tensor([[2, *text]])
        states = network.decode(ids, torch.ones_like(ids, dtype=torch.bool), memory[row : row + 1])[0]
        wanted = [*text, 3][:6]
        return float(
            network.scores(states).detach().log_softmax(dim=-1)[range(len(wanted)), wanted].sum()
        ) / float(len(wanted) ** 0.6)

    greedy = write(network, memory=memory, **settings)  # type: ignore[arg-type]
    found = write(network, memory=memory, beams=8, **settings)  # type: ignore[arg-type]
    for row in range(2):
        assert value(row, found[row]) >= value(row, greedy[row]) - 1e-5


def test_the_output_starts_with_how_frequent_tokens_are() -> None:
    network = model()
    counts = np.zeros(30, dtype=np.int64)
    counts[[7, 9]] = 99, 49
    start_from_counts(network, counts)
    shares = network.output_bias.detach().softmax(dim=0)
    assert float(shares[7]) == pytest.approx(100 / 178)
    assert float(shares[0]) == pytest.approx(1 / 178)


@pytest.mark.parametrize("objective", ["autoencode", "denoise"])
def test_an_objective_that_needs_a_decoder_says_so(objective: str) -> None:
    table = {"corpus": {"files": ["x"]}, "objective": {"kind": objective}, "decoder": {"kind": "none"}}
    with pytest.raises(UserError, match=rf"decoder\.kind: {objective} writes the text again with a decoder"):
        architecture_for(recipe.from_table(table), vocab_size=30)


def test_a_stack_without_a_decoder_is_the_encoder_alone() -> None:
    table = {"corpus": {"files": ["x"]}, "objective": {"kind": "causal"}, "decoder": {"kind": "none"}}
    settings = recipe.from_table({**table, "encoder": {"width": 16, "layers": 1}})
    assert recipe.to_table(settings)["decoder"] == {"kind": "none"}
    network = Model(architecture_for(settings, vocab_size=30)).eval()
    assert network.decoder is None
    assert (
        len(
            write(network, begin=torch.tensor([2]), stop=3, length=4, memory=None, never=torch.tensor([3]))[0]
        )
        == 4
    )

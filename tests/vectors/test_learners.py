from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import sparse

from autolect.core import registry
from autolect.core.errors import UserError
from autolect.vectors.learners import _gensim, counts
from autolect.vectors.store import Learned, Purpose, WordVectors
from autolect.vectors.texts import spelt

NAMES = registry.names("vectors")
RANKS = np.arange(10, dtype=np.int32)


@cache
def sequences() -> list[list[str]]:
    """Animals stand with animal verbs, foods with food verbs."""
    chance = random.Random(0)
    topics = (
        ["cat", "dog", "horse", "cow", "runs", "barks", "sleeps"],
        ["bread", "soup", "rice", "cheese", "boils", "bakes", "fries"],
    )
    return [chance.choices(topics[number % 2], k=8) for number in range(600)]


def learn(
    name: str, texts: list[list[str]] | None = None, *, seed: int = 1, purpose: Purpose = "tokens"
) -> Learned:
    plugin = registry.load("vectors", name)
    small = {"epochs": 8, "subsample": 0} if name != "counts" else {}
    small |= {"buckets": 500} if name == "fasttext" else {}
    config = plugin.config.model_validate(small)
    learned = plugin.build(
        spelt(sequences() if texts is None else texts),
        config=config,
        width=12,
        seed=seed,
        purpose=purpose,
    )
    assert isinstance(learned, Learned)
    return learned


def test_the_learners_are_found() -> None:
    assert {"counts", "skipgram", "cbow", "fasttext"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_words_of_one_topic_become_neighbours(name: str) -> None:
    learned = learn(name)
    vectors = WordVectors(keys=learned.keys, matrix=learned.matrix, counts=learned.counts)
    near = {neighbour.word for neighbour in vectors.neighbours("cat", count=6)}
    assert near == {"dog", "horse", "cow", "runs", "barks", "sleeps"}


@pytest.mark.parametrize("name", NAMES)
def test_keys_counts_and_rows_belong_together(name: str) -> None:
    learned = learn(name)
    assert learned.matrix.shape == (14, 12)
    assert learned.matrix.dtype == np.float32
    assert learned.counts.dtype == np.int64
    truth = {key: sum(text.count(key) for text in sequences()) for key in learned.keys}
    assert dict(zip(learned.keys, learned.counts.tolist(), strict=True)) == truth
    assert learned.counts.tolist() == sorted(truth.values(), reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_result(name: str) -> None:
    one, same, other = learn(name), learn(name), learn(name, seed=2)
    assert one.keys == same.keys
    assert np.array_equal(one.matrix, same.matrix)
    assert not np.array_equal(one.matrix, other.matrix)


def test_counts_reach_as_far_as_the_window_and_never_into_the_next_text() -> None:
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 2] = 1.0
    expected[0, 2] = 0.5
    expected += expected.T
    near, around = counts._near(spelt([["a", "b", "c"], ["d"]]), RANKS[:4], size=4, window=2)
    assert np.array_equal(near.toarray(), expected)
    assert np.array_equal(around, expected.sum(axis=1))


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
def test_counts_of_blocks_add_up_and_rare_words_are_no_columns(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = spelt([list(text) for text in ["abcab", "", "c", "dabcadd", "bb"] * 3])
    whole, _ = counts._near(texts, RANKS[:4], size=4, window=3)
    monkeypatch.setattr("autolect.vectors.texts.BLOCK", block)
    parts, around = counts._near(texts, RANKS[:4], size=4, window=3)
    np.testing.assert_allclose(parts.toarray(), whole.toarray(), rtol=1e-6)
    monkeypatch.setattr(counts, "DENSE", 2)
    narrow, same = counts._near(texts, RANKS[:4], size=4, window=3)
    np.testing.assert_allclose(narrow.toarray(), whole.toarray()[:, :2], rtol=1e-6)
    np.testing.assert_allclose(same, around)
    np.testing.assert_allclose(around, whole.toarray().sum(axis=1), rtol=1e-6)


def test_information_is_what_pairs_have_beyond_chance() -> None:
    near = sparse.csr_array(np.array([[0, 6, 2], [6, 0, 0], [2, 0, 0]], np.float32))
    of_word = np.array([8.0, 6.0, 2.0])
    found = counts._information(near, of_word, 1.0).toarray()
    with np.errstate(divide="ignore"):
        expected = np.maximum(np.log(near.toarray() * 16 / np.outer(of_word, of_word)), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_weighted_fit_is_nearer_where_the_weights_are_and_undone_by_them() -> None:
    chance = np.random.default_rng(1)
    whole = chance.standard_normal((30, 30))
    whole = sparse.csr_array((whole + whole.T).astype(np.float32))
    weights = counts._weights(np.arange(30, 0, -1), 1.0)
    assert np.isclose((weights**2).mean(), 1.0)

    def missed(weights: np.ndarray) -> Any:
        weighted = counts._weighted(whole, weights)
        left, _ = counts._decomposed(weighted, 4, seed=1)
        fitted = left @ (left.T @ weighted.toarray())
        return (fitted / np.outer(weights, weights) - whole.toarray()) ** 2

    alike, unlike = missed(np.ones(30, np.float32)), missed(weights)
    assert unlike[:8, :8].mean() < alike[:8, :8].mean()
    assert unlike.mean() > alike.mean()
    assert (unlike * np.outer(weights, weights) ** 2).sum() < (alike * np.outer(weights, weights) ** 2).sum()


def test_the_decomposition_is_that_of_numpy() -> None:
    chance = np.random.default_rng(0)
    matrix = (chance.standard_normal((60, 8)) @ chance.standard_normal((8, 60))).astype(np.float32)
    left, values = counts._decomposed(sparse.csr_array(matrix), 8, seed=1)
    truth, true_values, _ = np.linalg.svd(matrix)
    np.testing.assert_allclose(values, true_values[:8], rtol=1e-4)
    np.testing.assert_allclose(np.abs((left * truth[:, :8]).sum(axis=0)), 1.0, rtol=1e-3)
    assert (left[np.abs(left).argmax(axis=0), np.arange(8)] > 0).all()


def test_rare_words_are_put_among_the_frequent_ones_that_decide() -> None:
    chance = np.random.default_rng(0)
    matrix = (chance.standard_normal((60, 8)) @ chance.standard_normal((8, 60))).astype(np.float32)
    left, values = counts._decomposed(sparse.csr_array(matrix[:, :40]), 8, seed=1)
    np.testing.assert_allclose(values, np.linalg.svd(matrix[:40, :40])[1][:8], rtol=1e-4)
    rows = left * values
    np.testing.assert_allclose(rows @ rows.T, matrix[:, :40] @ matrix[:, :40].T, atol=1e-3)


def test_vectors_do_not_depend_on_the_hashes_of_a_process() -> None:
    program = (
        "from autolect.vectors.learners.skipgram import PLUGIN, CONFIG\n"
        "from autolect.vectors.texts import spelt\n"
        "found = PLUGIN(spelt([list('abcab')] * 50), config=CONFIG(epochs=2), width=8, seed=3,"
        " purpose='tokens')\n"
        "print(found.keys, found.matrix.tobytes().hex())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs != {""}


@pytest.mark.parametrize("name", NAMES)
def test_rare_words_get_no_vector(name: str) -> None:
    learned = learn(name, [*sequences(), ["cat", "hapax"]], purpose="words")
    assert "hapax" not in learned.keys
    assert "cat" in learned.keys


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [[], [[]], [[" ", "\n", ""]], [["one", "two"]]])
def test_text_without_a_frequent_word_is_refused(name: str, texts: list[list[str]]) -> None:
    with pytest.raises(UserError, match="no word occurs 2 times"):
        learn(name, texts, purpose="words")


def test_blank_tokens_get_no_vector() -> None:
    blanks = ["\n", " ", "\u3000", ""]
    for name in ("skipgram", "counts"):
        assert len(learn(name, [[*text, *blanks] for text in sequences()]).keys) == 14


def test_nothing_behind_the_ten_thousandth_token_is_lost() -> None:
    learned = learn("cbow", [["a", "b"] * 12_500])
    assert dict(zip(learned.keys, learned.counts.tolist(), strict=True)) == {"a": 12_500, "b": 12_500}
    parts = list(_gensim.Sentences(spelt([["a", "b"] * 12_500])))
    assert [len(part) for part in parts] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize(("tokens", "epochs"), [(1, 30), (1_000_000, 20), (100_000_000, 5)])
def test_little_text_gets_more_passes(tokens: int, epochs: int) -> None:
    assert _gensim.passes(tokens, "words") == epochs


def test_ngrams_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="shortest 6 is above longest 5"):
        registry.load("vectors", "fasttext").config.model_validate({"shortest": 6})

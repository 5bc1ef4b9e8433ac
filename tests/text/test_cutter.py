"""The cutter remembers words, and nobody can tell: it cuts every text as the tokenizer does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.text import cutter
from autolect.text.cutter import Cutter
from autolect.text.tokenizer import Encoding, Kind, Tokenizer, train

LINES = [
    "The students like to walk by the lake, and the lake likes them.",
    'He said: "don\'t" [twice] <p> and 3.14 % of it, ΟΔΟΣ İstanbul.',
    "我们 今天 下午 去 图书馆 看书。",
    "L'été dernier, naïve cafés étaient fermés à Besançon.",
]
CHARACTERS = "  ab.,'-[<]%3\n\t\r▁我们。été́ΣİßZ\ud800🙂\u200d\u3000\xa0"
TOKENIZERS = [(kind, lower) for kind in get_args(Kind) for lower in (False, True)]


@pytest.fixture(scope="module")
def tokenizers() -> dict[tuple[Kind, bool], Tokenizer]:
    return {
        (kind, lower): train(LINES * 4, kind=kind, vocab_size=1100, lowercase=lower, language="en")
        for kind, lower in TOKENIZERS
    }


def same(cut: Cutter, texts: list[str]) -> None:
    for text, one, other in zip(texts, cut.cut(texts), cut.tokenizer.encode_batch(texts), strict=True):
        assert one.ids.tolist() == other.ids.tolist(), text
        assert one.offsets.tolist() == other.offsets.tolist(), text
        assert (one.ids.dtype, one.offsets.dtype) == (other.ids.dtype, other.offsets.dtype)


@pytest.mark.parametrize("key", TOKENIZERS)
@given(
    some=st.lists(st.text(CHARACTERS, max_size=40) | st.text(max_size=20), min_size=1, max_size=6),
    more=st.lists(st.text(CHARACTERS, max_size=40), min_size=1, max_size=6),
)
def test_any_texts_are_cut_as_the_tokenizer_cuts_them(
    tokenizers: dict[tuple[Kind, bool], Tokenizer], key: tuple[Kind, bool], some: list[str], more: list[str]
) -> None:
    cut = Cutter(tokenizers[key])
    # Blanks beside them, so that words are remembered.
    spaced = [f"{text} a b" for text in some]
    same(cut, spaced)
    same(cut, [*more, *spaced, " " * 90])


@pytest.mark.parametrize("texts", [["", ""], ["", "a b"], ["a b", ""], [" "], ["a" * 50]])
def test_empty_texts_and_blanks(tokenizers: dict[tuple[Kind, bool], Tokenizer], texts: list[str]) -> None:
    for tokenizer in tokenizers.values():
        same(Cutter(tokenizer), texts)


def test_what_is_remembered_stays_small(
    tokenizers: dict[tuple[Kind, bool], Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutter, "MOST_CHARACTERS", 200)
    cut, draw = Cutter(tokenizers["unigram", False]), np.random.default_rng(0)
    for _ in range(20):
        same(cut, [" ".join("".join(draw.choice(list("abcd"), 6)) for _ in range(20))])
        assert len(cut._numbers) < 100


def test_a_word_is_cut_once(
    tokenizers: dict[tuple[Kind, bool], Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = tokenizers["unigram", False]
    asked: list[str] = []
    real = tokenizer.encode_batch

    def heard(texts: Sequence[str]) -> list[Encoding]:
        asked.extend(texts)
        return real(texts)

    cut = Cutter(tokenizer)
    monkeypatch.setattr(tokenizer, "encode_batch", heard)
    cut.cut(["the lake the lake", "the lake likes the"])
    cut.cut(["the likes lake the"])
    assert asked == ["the", " lake the likes"]

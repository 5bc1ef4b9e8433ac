from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.core.errors import DamagedError, UserError
from autolect.text import tokenizer
from autolect.text.tokenizer import MASK, NUM_SPECIAL, SPECIALS, UNK, Kind, Tokenizer
from autolect.text.tokenizer_parts import readable, rust_errors

TEXTS = [
    "The cat sat on the mat, and the dog sat on the log.",
    "A cat and a dog: the best of friends (they say)!",
    "猫坐在垫子上，狗坐在木头上。",
    "天气很好，我们去公园散步吧。天气不好，我们在家读书。",
    "Кошка сидит на ковре, а собака сидит на бревне.",
    "  two  spaces\tand a tab\nand a second line [x] <y>",
] * 5
KINDS: tuple[Kind, ...] = get_args(Kind)
EXACT: tuple[Kind, ...] = ("unigram", "bpe", "char")
HOSTILE = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "[MASK]", "<0x41>", "##a", "a[PAD]b[[MASK]]", "[pad]")


@pytest.fixture(scope="module")
def trained() -> dict[Kind, Tokenizer]:
    return {kind: tokenizer.train(TEXTS, kind=kind, vocab_size=1200, language="zh") for kind in KINDS}


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("text", [*TEXTS[:6], "", " ", "  中 文 ", "🙂🙃 naïve 𠮷野家 ｶﾅ\r\n\0▅"])
def test_text_survives_encoding_and_decoding(trained: dict[Kind, Tokenizer], kind: Kind, text: str) -> None:
    assert trained[kind].decode(trained[kind].encode(text).ids) == text


@given(text=st.text(alphabet=st.characters(exclude_characters="▁", exclude_categories=["Cs"])))
def test_any_text_survives_and_its_spans_tile_it(trained: dict[Kind, Tokenizer], text: str) -> None:
    for kind in EXACT:
        found = trained[kind].encode(text)
        assert trained[kind].decode(found.ids) == text
        assert "".join(text[start:end] for start, end in dict.fromkeys(map(tuple, found.offsets))) == text


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_slice_the_pieces_out_of_the_text(trained: dict[Kind, Tokenizer], kind: Kind) -> None:
    own = trained[kind]
    for text in TEXTS[:6]:
        found = own.encode(text)
        assert found.ids.dtype == found.offsets.dtype == np.int32
        assert found.offsets.shape == (len(found.ids), 2)
        for number, (start, end) in zip(found.ids, found.offsets, strict=True):
            piece = own.token(number).replace("▁", " ").removeprefix("##")
            if number != UNK and not piece.startswith("<0x"):
                assert text[start:end] == piece


@pytest.mark.parametrize("kind", EXACT)
def test_bytes_of_a_character_carry_its_span(trained: dict[Kind, Tokenizer], kind: Kind) -> None:
    found = trained[kind].encode("狗🙂🙃狗")
    assert found.offsets.tolist() == [[0, 1], *[[1, 2]] * 4, *[[2, 3]] * 4, [3, 4]]


@pytest.mark.parametrize("vocab_size", [120, 1200])
@settings(deadline=None)
@given(text=st.text())
def test_offsets_are_those_of_the_runtime(vocab_size: int, text: str) -> None:
    for kind in EXACT:
        own = _small(kind, vocab_size)
        found, truth = own.encode(text), own._encoding(own._runtime.encode(readable(text)))
        assert found.ids.tolist() == truth.ids.tolist()
        assert found.offsets.tolist() == truth.offsets.tolist()


@cache
def _small(kind: Kind, vocab_size: int) -> Tokenizer:
    return tokenizer.train(TEXTS, kind=kind, vocab_size=vocab_size, language="zh")


def test_lowercase_keeps_spans_inside_the_text() -> None:
    own = tokenizer.train(TEXTS, kind="unigram", vocab_size=1200, lowercase=True)
    found = own.encode("İSTANBUL the CAT")
    assert own.decode(found.ids) == "i̇stanbul the cat"
    assert found.offsets.min() == 0
    assert found.offsets.max() == 16
    assert (np.diff(found.offsets[:, 0]) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_training_twice_gives_the_same_bytes(kind: Kind, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tokenizer.train(TEXTS, kind=kind, vocab_size=300, language="zh").save(tmp_path / name)
    assert (tmp_path / "one/tokenizer.json").read_bytes() == (tmp_path / "two/tokenizer.json").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab_size", [16, 40, 300, 1200])
def test_vocabulary_keeps_its_size_and_its_special_ids(kind: Kind, vocab_size: int) -> None:
    own = tokenizer.train(TEXTS, kind=kind, vocab_size=vocab_size, language="en")
    assert NUM_SPECIAL < len(own) <= vocab_size
    assert tuple(own.tokens[:NUM_SPECIAL]) == SPECIALS
    assert [own.id(token) for token in own.tokens] == list(range(len(own)))
    assert own.id("no such piece") is None
    spelt = kind not in ("wordpiece", "word") and vocab_size >= 1000
    assert ("<0x41>" in own.tokens) == spelt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [["a"], ["[MASK] [PAD]"], ["▅"], ["\0"], ["猫"], ["a▁b a b"], ["\ud800"]])
def test_smallest_texts_give_a_vocabulary(kind: Kind, texts: list[str]) -> None:
    own = tokenizer.train(texts, kind=kind, vocab_size=50, language="en")
    assert UNK not in own.encode(texts[0]).ids
    assert own.encode(texts[0]).ids.min() >= NUM_SPECIAL


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [""], [" \n"]])
def test_training_without_text_is_refused(kind: Kind, texts: list[str]) -> None:
    with pytest.raises(UserError, match="no text"):
        tokenizer.train(texts, kind=kind, vocab_size=50)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_spells_a_special_token(kind: Kind, text: str) -> None:
    own = tokenizer.train([*TEXTS, *HOSTILE], kind=kind, vocab_size=1200, language="en")
    found = own.encode(text)
    assert set(found.ids) & set(range(NUM_SPECIAL)) <= {UNK}
    if kind in EXACT:
        assert own.decode(found.ids) == text


@pytest.mark.parametrize("kind", KINDS)
def test_masks_stand_where_they_are_asked_for(trained: dict[Kind, Tokenizer], kind: Kind) -> None:
    text = "[MASK] the [MASK][MASK] 狗[EOS]"
    found = trained[kind].encode(text, masks=True)
    spans = found.offsets[found.ids == MASK].tolist()
    assert spans == [[0, 6], [11, 17], [17, 23]]
    assert set(found.ids) & {0, 2, 3} == set()
    dog = int(np.flatnonzero(found.ids == trained[kind].id("狗"))[0]) if kind != "word" else 4
    assert text[slice(*found.offsets[dog])].strip() == "狗"


def test_batches_give_what_single_texts_give(trained: dict[Kind, Tokenizer]) -> None:
    for own in trained.values():
        for text, found in zip(TEXTS, own.encode_batch(TEXTS), strict=True):
            alone = own.encode(text)
            assert found.ids.tolist() == alone.ids.tolist()
            assert found.offsets.tolist() == alone.offsets.tolist()


def test_lone_surrogates_are_read_as_one_unknown_character(trained: dict[Kind, Tokenizer]) -> None:
    found = trained["unigram"].encode("狗\ud800狗")
    assert trained["unigram"].decode(found.ids) == "狗\ufffd狗"
    assert found.offsets[-1].tolist() == [2, 3]


def test_special_tokens_leave_nothing_in_the_text(trained: dict[Kind, Tokenizer]) -> None:
    for kind in EXACT:
        ids = trained[kind].encode("the cat").ids
        assert trained[kind].decode([2, *ids, 4, 1, 3, 0]) == "the cat"


def test_words_are_joined_as_their_script_is_written(trained: dict[Kind, Tokenizer]) -> None:
    assert trained["word"].decode(trained["word"].encode("天气很好 the cat").ids) == "天气很好 the cat"
    assert trained["wordpiece"].decode(trained["wordpiece"].encode("天气 the cat").ids) == "天气 the cat"


def test_unknown_rate_counts_unknown_tokens(trained: dict[Kind, Tokenizer]) -> None:
    own = trained["word"]
    assert own.unknown_rate(own.encode("the zebra").ids) == 0.5
    assert own.unknown_rate([]) == 0.0


def test_large_corpora_are_thinned_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autolect.text.tokenizer_training.SAMPLE", 200)
    texts = [f"word{number:03d}" for number in range(500)]

    def vocabulary(seed: int) -> list[str]:
        return tokenizer.train(iter(texts), kind="word", vocab_size=600, seed=seed).tokens

    assert vocabulary(1) == vocabulary(1) != vocabulary(2)
    assert NUM_SPECIAL < len(vocabulary(1)) <= NUM_SPECIAL + 200 // 7


@pytest.mark.parametrize("kind", KINDS)
def test_saved_tokenizer_acts_as_before(trained: dict[Kind, Tokenizer], kind: Kind, tmp_path: Path) -> None:
    trained[kind].save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert (again.kind, again.language, again.lowercase) == (kind, "zh", False)
    assert again.tokens == trained[kind].tokens
    for text in [*TEXTS, *HOSTILE, "🙂"]:
        assert again.encode(text).ids.tolist() == trained[kind].encode(text).ids.tolist()
    before = (tmp_path / "tokenizer.json").read_bytes()
    again.save(tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == before


def _damages() -> Iterator[tuple[str, Any]]:
    pattern = {"type": "Replace", "pattern": {"String": ""}, "content": "x"}
    slow = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "x"}
    for normalizer in (pattern, slow, {"type": "Lowercase"}):
        yield "normalizer", normalizer
    yield "pre_tokenizer", {"type": "Whitespace"}
    yield "decoder", None
    yield "post_processor", {"type": "ByteLevel", "trim_offsets": True}
    yield "added_tokens", [{"id": 0, "content": "[PAD]", "special": True}]
    yield "truncation", {"type": "x"}
    yield "model", {"type": "Unigram", "vocab": [["[PAD]", 0.0]]}
    yield "model", {"type": "BPE", "vocab": {}}
    yield "model", None


@pytest.mark.parametrize(("key", "value"), list(_damages()))
def test_foreign_components_are_refused(
    trained: dict[Kind, Tokenizer], tmp_path: Path, key: str, value: object
) -> None:
    trained["unigram"].save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DamagedError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_vocabularies_with_gaps_or_foreign_merges_are_refused(
    trained: dict[Kind, Tokenizer], tmp_path: Path
) -> None:
    trained["bpe"].save(tmp_path)
    path = tmp_path / "tokenizer.json"
    raw = json.loads(path.read_text())
    vocab = raw["model"]["vocab"]
    last = next(reversed(vocab))
    changed: list[dict[str, Any]] = [
        {"vocab": {**vocab, last: len(vocab)}},
        {"vocab": {**vocab, "[PAD]": 1, "[UNK]": 0}},
        {"vocab": {**vocab, last: "7"}},
        {"merges": [["no such", "piece"]]},
        {"merges": [["a"]]},
    ]
    for change in changed:
        path.write_text(json.dumps({**raw, "model": {**raw["model"], **change}}))
        with pytest.raises(DamagedError, match=r"tokenizer\.json"):
            Tokenizer.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"schema_version": 1, "kind": "x"}'])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.settings.json"])
def test_damaged_files_are_named(
    trained: dict[Kind, Tokenizer], tmp_path: Path, name: str, content: str
) -> None:
    trained["char"].save(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(DamagedError, match=name.replace(".", r"\.")):
        Tokenizer.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DamagedError, match="missing"):
        Tokenizer.load(tmp_path)


def test_newer_settings_are_refused_with_their_version(
    trained: dict[Kind, Tokenizer], tmp_path: Path
) -> None:
    trained["char"].save(tmp_path)
    path = tmp_path / "tokenizer.settings.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(UserError, match="version 2 is newer"):
        Tokenizer.load(tmp_path)


def test_panics_of_the_rust_side_become_user_errors() -> None:
    class PanicException(BaseException): ...

    with pytest.raises(UserError, match="boom"), rust_errors("here"):
        raise PanicException("boom")
    with pytest.raises(KeyboardInterrupt), rust_errors("here"):
        raise KeyboardInterrupt

"""Noise: the share it takes, what it leaves whole, and where words begin under every tokenizer."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from autolect.text.marks import token_marks
from autolect.text.noise import (
    Chosen,
    Hiding,
    Ids,
    Texts,
    choose,
    groups,
    hide,
    infill,
    permute,
    rotate,
    rows_of,
    spans,
)
from autolect.text.shards import SENTENCE, WORD
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD, Kind, Tokenizer, train

CHINESE = [
    "我们今天下午去图书馆看书。",
    "北京大学的学生喜欢在未名湖边散步。",
    "这家餐厅的服务员态度非常好，下次还会再来。",
    "天气很好。",
    "科学家们发现了一种新的材料，可以用来制造电池。",
    "他昨天买了一台笔记本电脑。",
]
ENGLISH = ["The students like to walk by the lake.", "He bought a new laptop yesterday. It is fast!"]


@pytest.fixture(scope="module", params=get_args(Kind))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train(
        CHINESE * 3 + ENGLISH * 3, kind=request.param, vocab_size=300, lowercase=False, language="zh", seed=0
    )


def texts_of(tokenizer: Tokenizer, lines: list[str], language: str) -> Texts:
    found = tokenizer.encode_batch(lines)
    marks = token_marks(lines, [one.offsets for one in found], language=language)
    return rows_of([one.ids for one in found], marks, 2 + max(len(one.ids) for one in found))


def plain(rows: int = 300, length: int = 30) -> Texts:
    """Rows of equal length; words of one to four tokens, sentences of three words."""
    draw = np.random.default_rng(3)
    ids = np.full((rows, length + 3), PAD, dtype=np.int64)
    ids[:, 0], ids[:, length + 1] = BOS, EOS
    ids[:, 1 : length + 1] = NUM_SPECIAL + np.arange(length)
    marks = np.zeros(ids.shape, dtype=np.uint8)
    for row in range(rows):
        starts = np.cumsum(draw.integers(1, 5, size=length)) + 1
        marks[row, starts[starts <= length]] |= WORD
        marks[row, starts[starts <= length][::3]] |= SENTENCE
    return Texts(ids, marks)


def test_every_tokenizer_begins_a_word_where_the_language_does(tokenizer: Tokenizer) -> None:
    (line,) = ENGLISH[:1]
    encoding = tokenizer.encode(line)
    (marks,) = token_marks([line], [encoding.offsets], language="en")
    begun = [
        line[start:end].strip()
        for (start, end), mark in zip(encoding.offsets, marks, strict=True)
        if mark & WORD
    ]
    words = ["The", "students", "like", "to", "walk", "by", "the", "lake", "."]
    assert len(begun) == len(words)
    assert all(word.startswith(piece) for word, piece in zip(words, begun, strict=True))
    assert [bool(mark & SENTENCE) for mark in marks] == [True] + [False] * (len(marks) - 1)


def test_sentences_begin_after_their_stops() -> None:
    line = "他买了。It is fast! He said 3.5 is fine. 好！"
    offsets = np.array([[place, place + 1] for place in range(len(line))], dtype=np.int32)
    (marks,) = token_marks([line], [offsets], language="zh")
    starts = [place for place, mark in enumerate(marks) if mark & SENTENCE]
    assert [line[start] for start in starts] == ["他", "I", "H", "好"]


def test_marks_of_many_texts_are_those_of_each(tokenizer: Tokenizer) -> None:
    lines = [*CHINESE, "", "  two blanks before. And behind.  ", *ENGLISH, "\n", "end"]
    offsets = [one.offsets for one in tokenizer.encode_batch(lines)]
    together = token_marks(lines, offsets, language="zh")
    alone = [token_marks([line], [of], language="zh")[0] for line, of in zip(lines, offsets, strict=True)]
    assert [marks.tolist() for marks in together] == [marks.tolist() for marks in alone]
    assert token_marks(["", ""], offsets[3:3] + [np.zeros((0, 2), np.int32)] * 2, language="zh")[1].size == 0


@pytest.mark.parametrize("unit", ["word", "span"])
@pytest.mark.parametrize("share", [0.15, 0.3, 0.6])
def test_the_share_of_characters_hidden_in_chinese_is_the_share_that_was_set(
    tokenizer: Tokenizer, unit: str, share: float
) -> None:
    texts = texts_of(tokenizer, CHINESE, "zh")
    sizes = np.zeros(texts.ids.shape)
    for row, line in enumerate(CHINESE):
        spans_of = tokenizer.encode(line).offsets
        sizes[row, 1 : 1 + len(spans_of)] = spans_of[:, 1] - spans_of[:, 0]
    draw, hidden = np.random.default_rng(0), 0.0
    rounds = 600
    for _ in range(rounds):
        chosen = choose(texts, share, draw, units=groups(texts, draw, unit=unit))  # type: ignore[arg-type]
        hidden += sizes[chosen].sum()
        assert not chosen[~texts.ordinary].any()
    # A tokenizer whose pieces differ in characters meets the share in tokens, which is a little off.
    assert abs(hidden / (rounds * sizes[texts.ordinary].sum()) - share) < 0.03


@pytest.mark.parametrize("unit", ["word", "span"])
def test_units_are_hidden_whole_and_the_share_is_met(unit: str) -> None:
    texts, draw = plain(), np.random.default_rng(1)
    units = groups(texts, draw, unit=unit)  # type: ignore[arg-type]
    assert units is not None
    chosen = choose(texts, 0.25, draw, units=units)
    for row in range(len(chosen)):
        ordinary = texts.ordinary[row]
        inside, outside = set(units[row][chosen[row]]), set(units[row][ordinary & ~chosen[row]])
        assert not inside & outside
    assert abs(chosen.sum() / texts.ordinary.sum() - 0.25) < 0.01


def test_spans_are_as_long_as_asked() -> None:
    texts = plain()
    numbers, words = spans(texts, np.random.default_rng(2), mean=3.0), texts.words()
    lengths = []
    for row in range(len(numbers)):
        ordinary = texts.ordinary[row]
        lengths += [
            len(set(words[row][ordinary & (numbers[row] == n)])) for n in range(numbers[row][ordinary].max())
        ]
    # The last span of a row is cut by its end, so it is left out. max(1, Poisson(3)) has the mean 3.05.
    assert 2.5 < np.mean(lengths) < 3.2


def test_a_span_becomes_one_mask_and_what_is_gone_leaves_no_trace() -> None:
    ids = np.array([[BOS, 10, 11, 12, 13, 14, 15, EOS, PAD]])
    chosen = np.array([[0, 1, 1, 1, 0, 0, 0, 0, 0]], dtype=bool)
    gone = np.array([[0, 0, 0, 0, 0, 1, 0, 0, 0]], dtype=bool)
    units = np.array([[0, 0, 0, 1, 2, 2, 2, 2, 2]])
    assert infill(ids, chosen, units, gone).tolist() == [[BOS, MASK, MASK, 13, 15, EOS, PAD, PAD, PAD]]


def test_sentences_change_places_and_stay_whole() -> None:
    texts = plain(rows=50)
    other = permute(texts, np.random.default_rng(4))
    assert not np.array_equal(other.ids, texts.ids)
    assert np.array_equal(other.ids[~texts.ordinary], texts.ids[~texts.ordinary])
    for row in range(50):
        ordinary = texts.ordinary[row]
        assert sorted(other.ids[row]) == sorted(texts.ids[row])

        def parts(one: Texts, row: int = row, ordinary: Chosen = ordinary) -> set[tuple[int, ...]]:
            numbers: Ids = texts.sentences()[row][ordinary]
            order = {int(t): int(n) for t, n in zip(texts.ids[row][ordinary], numbers, strict=True)}
            runs: list[list[int]] = []
            for token in one.ids[row][ordinary].tolist():
                if not runs or order[runs[-1][-1]] != order[token]:
                    runs.append([])
                runs[-1].append(token)
            return {tuple(run) for run in runs}

        assert parts(other) == parts(texts)


def test_a_rotated_text_is_the_same_circle() -> None:
    texts = plain(rows=20)
    other = rotate(texts, np.random.default_rng(5))
    for row in range(20):
        before, after = (one.ids[row][texts.ordinary[row]].tolist() for one in (texts, other))
        assert after == before[before.index(after[0]) :] + before[: before.index(after[0])]
    assert not np.array_equal(other.ids, texts.ids)


def test_all_that_is_hidden_may_become_a_mask() -> None:
    texts, draw = plain(), np.random.default_rng(6)
    chosen = choose(texts, 0.4, draw)
    assert set(hide(texts.ids, chosen, draw, vocab_size=50, swap=False)[chosen]) == {MASK}


def test_rows_without_a_token_are_left_alone() -> None:
    empty = Texts(np.array([[BOS, EOS, PAD]]), np.zeros((1, 3), dtype=np.uint8))
    draw = np.random.default_rng(0)
    for one in (permute(empty, draw), rotate(empty, draw)):
        assert np.array_equal(one.ids, empty.ids)
    assert not choose(empty, 0.5, draw, units=empty.words()).any()


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.5), (0.5, 0.3), (1.0, 0.1)])
def test_the_share_that_is_hidden_follows_a_straight_line(done: float, share: float) -> None:
    texts = plain()
    hiding = Hiding(share=0.5, share_end=0.1, swap=False)
    ids, chosen = hiding.hide(texts, np.random.default_rng(0), done=done, vocab_size=100)
    assert abs(chosen.sum() / texts.ordinary.sum() - share) < 0.01
    assert np.array_equal(ids == MASK, chosen)
    constant = Hiding(share=0.5).hide(texts, np.random.default_rng(0), done=done, vocab_size=100)[1]
    assert abs(constant.sum() / texts.ordinary.sum() - 0.5) < 0.01


def test_a_control_token_stands_in_front_and_no_noise_ever_touches_it() -> None:
    sequences = [np.arange(8, 8 + size, dtype=np.int32) for size in (3, 12, 7)] * 20
    marks = [np.full(len(one), WORD | SENTENCE, dtype=np.uint8) for one in sequences]
    begins = np.full(len(sequences), 777)
    begins[::2] = BOS
    texts = rows_of(sequences, marks, 14, begins=begins)
    draw = np.random.default_rng(0)
    assert np.array_equal(texts.ids[:, 0], begins)
    hidden = Hiding(share=0.9).hide(texts, draw, done=0.0, vocab_size=100)[0]
    units = spans(texts, draw, mean=3.0)
    gone = choose(texts, 0.5, draw, units=texts.words())
    for noisy in (hidden, permute(texts, draw).ids, rotate(texts, draw).ids):
        assert np.array_equal(noisy[:, 0], begins)
    filled = infill(texts.ids, choose(texts, 0.4, draw, units=units), units, gone)
    assert np.array_equal(filled[:, 0], begins)

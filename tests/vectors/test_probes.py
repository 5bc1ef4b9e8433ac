from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from autolect.core.errors import UserError
from autolect.vectors.probes import Pair, Probe, analogies, read_analogies, read_pairs, similarity
from autolect.vectors.store import WordVectors


def vectors(**rows: list[float]) -> WordVectors:
    return WordVectors(
        keys=list(rows), matrix=np.array(list(rows.values()), np.float32), counts=np.ones(len(rows), np.int64)
    )


def pair(word1: str, word2: str, score: float) -> Pair:
    return Pair(word1=word1, word2=word2, score=score)


def scored(score: float, *, covered: int, total: int) -> Probe:
    return Probe(score=cast("float", pytest.approx(score)), covered=covered, total=total)


PLANE = vectors(a=[1, 0], b=[0.9, 0.1], c=[0.5, 0.5], d=[-1, 0])


def test_similarity_is_the_correlation_of_the_ranks() -> None:
    pairs = [pair("a", "b", 9), pair("a", "c", 5), pair("a", "d", 1)]
    assert similarity(PLANE, pairs) == scored(1.0, covered=3, total=3)
    turned = [pair(one.word1, one.word2, -one.score) for one in pairs]
    assert similarity(PLANE, turned).score == pytest.approx(-1.0)


def test_similarity_shares_ranks_between_equal_scores() -> None:
    pairs = [pair("a", "b", 5), pair("a", "c", 5), pair("a", "d", 1)]
    assert similarity(PLANE, pairs).score == pytest.approx(0.8660254)


def test_similarity_says_what_it_covers() -> None:
    pairs = [pair("A", "b", 9), pair("a", "c", 5), pair("a", "nowhere", 1)]
    assert similarity(PLANE, pairs) == scored(1.0, covered=2, total=3)


def test_probes_without_a_score_say_none() -> None:
    assert similarity(PLANE, []) == Probe(score=None, covered=0, total=0)
    assert similarity(PLANE, [pair("a", "b", 1), pair("a", "c", 1)]).score is None
    assert analogies(PLANE, [("x", "y", "z", "a")]) == Probe(score=None, covered=0, total=1)


ROYAL = vectors(
    man=[1, 0, 0.2],
    woman=[0, 1, 0.2],
    king=[1, 0, 1],
    queen=[0, 1, 1],
    apple=[-1, -1, 0.3],
    noise=[0.5, 0.5, -1],
)


def test_analogies_are_solved_without_the_words_of_the_question() -> None:
    questions = [
        ("man", "woman", "king", "queen"),
        ("Man", "king", "woman", "queen"),
        ("man", "woman", "king", "apple"),
        ("man", "woman", "king", "emperor"),
    ]
    assert analogies(ROYAL, questions) == scored(2 / 3, covered=3, total=4)


def test_analogies_in_many_batches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [("man", "woman", "king", "queen"), ("man", "woman", "king", "apple")] * 5
    whole = analogies(ROYAL, questions)
    monkeypatch.setattr("autolect.vectors.probes._CELLS", 6)
    assert analogies(ROYAL, questions) == whole


@pytest.mark.parametrize(
    "content",
    [
        "love\tsex\t6.77\nnew\told\t1.5\n",
        "love\tsex\t6.77\r\nnew\told\t1.5\r\n",
        "\ufeffWord 1,Word 2,Human (mean)\nlove,sex,6.77\nnew,old,1.5",
        "# remark\nlove sex 6.77\n\nnew  old 1.5\n",
        "word1\tword2\tPOS\tSimLex999\tconc\nlove\tsex\tN\t6.77\t3\nnew\told\tA\t1.5\t2\n",
        "love\t sex\t6.77\nnew \told\t1.5\n",
    ],
)
def test_pairs_are_read_in_every_usual_shape(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(content.encode())
    assert read_pairs(path) == [pair("love", "sex", 6.77), pair("new", "old", 1.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\t1\nc\td\n", "pairs.txt:2"),
        ("head\nstill no number\n", "pairs.txt:2"),
        ("a\tb\tnan\nc\td\tinf\n", "pairs.txt:2"),
        ("\tb\t1\n,c,2\n", "pairs.txt:"),
        ("", "holds no word pairs"),
    ],
)
def test_malformed_pairs_are_refused_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_pairs(path)


def test_questions_are_read_without_their_sections(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_bytes(": capitals\r\nAthens Greece Oslo Norway\r\n: 省\r\n避 避一避 补 补一补\r\n".encode())
    assert read_analogies(path) == [
        ("Athens", "Greece", "Oslo", "Norway"),
        ("避", "避一避", "补", "补一补"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b": s\na b c\n", "questions.txt:2: has 3 words"), (b": s\n", "no questions"), (b"\xff", "not UTF-8")],
)
def test_malformed_questions_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "questions.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_analogies(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_analogies(tmp_path / "nowhere")

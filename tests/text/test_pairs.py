"""Pairs of texts: which columns hold them, and what the two share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autolect.core.errors import UserError
from autolect.text import pair_features
from autolect.text.labels.pairs import PairExample, parted, read_pairs


def file(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "a plane flies,an aeroplane flies,4.5\na dog,a cat,1.0\n"),
        ("a.tsv", "score\tsentence1\tsentence2\n4.5\ta plane flies\tan aeroplane flies\n1.0\ta dog\ta cat\n"),
        ("a.tsv", "4.5\ta plane flies\tan aeroplane flies\n1.0\ta dog\ta cat\n"),
        (
            "a.jsonl",
            '{"id": 1, "premise": "a plane flies", "hypothesis": "an aeroplane flies", "label": "4.5"}\n'
            '{"id": 2, "premise": "a dog", "hypothesis": "a cat", "label": "1.0"}\n',
        ),
    ],
)
def test_the_texts_and_the_answer_are_found(tmp_path: Path, name: str, content: str) -> None:
    read = read_pairs(file(tmp_path, name, content))
    assert [(one.first, one.second, one.labels) for one in read.examples] == [
        ("a plane flies", "an aeroplane flies", ("4.5",)),
        ("a dog", "a cat", ("1.0",)),
    ]
    assert "texts from columns" in read.notes[0]


def test_translations_have_no_answer_and_further_columns_are_left(tmp_path: Path) -> None:
    path = file(tmp_path, "a.tsv", "Hi.\t嗨。\tCC-BY 2.0 (France) Attribution: tatoeba.org #538123\n")
    (one,) = read_pairs(path, answered=False).examples
    assert (one.first, one.second, one.labels) == ("Hi.", "嗨。", ())


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        ("one\ttwo\n", "2 column(s), and 3 are asked for", "a.tsv"),
        ("one\ttwo\t1\nthree\t\t0\n", "column 2 is empty", "a.tsv:2"),
        ("", "has no rows", "a.tsv"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_place(
    tmp_path: Path, content: str, what: str, where: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_pairs(file(tmp_path, "a.tsv", content))
    assert what in caught.value.what
    assert caught.value.where.endswith(where)


@pytest.mark.parametrize("line", ["one", "one\ttwo\tthree", "one\t "])
def test_a_line_without_two_texts_is_refused(line: str) -> None:
    with pytest.raises(UserError, match="two are asked for"):
        parted(line)


def test_equal_texts_share_all_and_strangers_nothing() -> None:
    pairs = [
        PairExample(first="the grey cat", second="the grey cat", where=""),
        PairExample(first="abc", second="xyz", where=""),
    ]
    found = pair_features.of_examples(pairs, language="en")
    overlaps = pair_features.overlaps(found, rarity=pair_features.rarity_of(found))
    cosines = overlaps[:, : pair_features.KINDS * pair_features.OF_KIND : pair_features.OF_KIND]
    assert cosines[0] == pytest.approx(1)
    # Both have the blanks around a word.
    assert np.delete(cosines[1], 2) == pytest.approx(0)


def test_likeness_by_vectors_is_highest_for_the_same_tokens_and_zero_for_none() -> None:
    draw = np.random.default_rng(0)
    directions = draw.normal(size=(20, 8)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weights = np.ones(20, dtype=np.float32)
    ids = [np.array(one, dtype=np.int32) for one in ([3, 4, 5], [7, 8], [])]
    pairs = [
        pair_features.matched("x", "y", (one, other), language="en")
        for one, other in ((ids[0], ids[0]), (ids[0], ids[1]), (ids[0], ids[2]))
    ]
    found = pair_features.likenesses(pairs, directions=directions, weights=weights)
    assert found[0, :4] == pytest.approx(1, abs=1e-5)
    assert (found[1, :4] < found[0, :4]).all()
    assert not found[2].any()


@pytest.mark.parametrize(
    "content",
    [
        "s1,s2,score\nfoo bar,foo baz,4.2\none,two,1.0\n",
        "id,english,german\n1,Hello,Hallo\n2,Bye,Tschüss\n",
    ],
)
def test_a_header_is_no_example(tmp_path: Path, content: str) -> None:
    read = read_pairs(file(tmp_path, "a.csv", content), answered="score" in content)
    assert len(read.examples) == 2
    assert read.examples[0].first in ("foo bar", "Hello")


def test_numbers_are_no_texts(tmp_path: Path) -> None:
    path = file(tmp_path, "a.tsv", "1\tA man\tA guy\t4.25\n2\tA dog\tA cat\t1.0\n")
    with pytest.raises(UserError, match="are asked for"):
        read_pairs(path)
    read = read_pairs(path, gold="4")
    assert (read.examples[0].first, read.examples[0].second) == ("A man", "A guy")


def test_scores_may_be_numbers_in_json(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"sentence1": "a b", "sentence2": "c d", "score": 4.5}\n')
    assert read_pairs(path).examples[0].labels == ("4.5",)


@pytest.mark.parametrize("column", ["from", "4"])
def test_a_column_of_kinds_is_no_text_of_the_pair(tmp_path: Path, column: str) -> None:
    content = "one\tother\tscore\tfrom\na plane flies\ta jet flies\t4.5\tnews\na dog\ta cat\t1.0\tforums\n"
    read = read_pairs(file(tmp_path, "a.tsv", content), slices=column)
    assert [(one.first, one.second, one.slice) for one in read.examples] == [
        ("a plane flies", "a jet flies", "news"),
        ("a dog", "a cat", "forums"),
    ]


def test_a_column_of_kinds_that_is_not_there_is_refused(tmp_path: Path) -> None:
    content = "one\tother\tscore\na plane flies\ta jet flies\t4.5\na dog\ta cat\t1.0\n"
    with pytest.raises(UserError, match=r"no column 'from'.*task\.slice_column"):
        read_pairs(file(tmp_path, "a.tsv", content), slices="from")


def test_label_studio_s_pairs_are_read_with_choices_and_ratings(tmp_path: Path) -> None:
    def task(number: int, result: list[Any] | None) -> dict[str, Any]:
        data = {"text1": f"one {number}", "text2": f"other {number}"}
        return {"data": data, "annotations": [{"result": result}] if result else []}

    chosen = [{"type": "choices", "value": {"choices": ["same"]}}]
    rated = [{"type": "rating", "value": {"rating": 4}}]
    path = file(tmp_path, "a.json", json.dumps([task(1, chosen), task(2, rated), task(3, None)]))
    read = read_pairs(path)
    assert [(one.first, one.second, one.labels) for one in read.examples] == [
        ("one 1", "other 1", ("same",)),
        ("one 2", "other 2", ("4",)),
    ]
    assert read.notes[-1] == "1 pair(s) that nobody has labelled are left out"


def test_translations_in_an_object_are_columns(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps({"id": n, "translation": {"en": f"text {n}", "fr": f"texte {n}"}}) + "\n" for n in range(3)
    )
    read = read_pairs(file(tmp_path, "a.jsonl", lines), answered=False)
    assert (read.examples[0].first, read.examples[0].second) == ("text 0", "texte 0")


def test_names_that_may_be_words_make_no_header(tmp_path: Path) -> None:
    read = read_pairs(file(tmp_path, "a.tsv", "a\tun\nabandon\tabandonner\n"), answered=False)
    assert [(one.first, one.second) for one in read.examples] == [("a", "un"), ("abandon", "abandonner")]
    read = read_pairs(file(tmp_path, "b.csv", "a,b,label\none,two,x\nthree,four,y\n"))
    assert (read.examples[0].first, read.examples[0].second) == ("one", "two")


def test_without_a_header_the_first_row_is_shown(tmp_path: Path) -> None:
    path = file(tmp_path, "a.tsv", "anfrage\tantwort\nhow?\tso\nwhen?\tnow\n")
    assert "the first row is anfrage | antwort" in read_pairs(path, answered=False).notes[0]


def test_the_keys_of_the_task_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_pairs(file(tmp_path, "a.tsv", "one\ntwo\n"), answered=False, keys=("task.a", "task.b"))
    assert "set task.a, task.b" in caught.value.fix

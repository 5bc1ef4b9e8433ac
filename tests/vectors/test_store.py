from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from autolect.core.errors import DamagedError, UserError
from autolect.vectors.formats import read_word2vec
from autolect.vectors.store import WordVectors

KEYS = ["cat", "dog", "car", "猫", "new york", "\n", "zero"]


def vectors() -> WordVectors:
    matrix = np.array([[1, 0.1], [1, 0.2], [0, 1], [1, 0.3], [-1, 0], [3, 1 / 3], [0, 0]], np.float32)
    return WordVectors(keys=KEYS, matrix=matrix, counts=np.arange(7, 0, -1))


def test_neighbours_come_best_first_without_the_word_itself() -> None:
    found = vectors().neighbours("cat", count=3)
    assert [neighbour.word for neighbour in found] == ["\n", "dog", "猫"]
    assert found[1].similarity == pytest.approx(1.02 / (np.hypot(1, 0.1) * np.hypot(1, 0.2)))
    assert len(vectors().neighbours("cat", count=100)) == len(KEYS) - 1
    assert vectors().neighbours("cat", count=0) == []


def test_a_row_of_zeros_is_near_to_nothing() -> None:
    assert {neighbour.similarity for neighbour in vectors().neighbours("zero")} == {0.0}


def test_words_are_found_in_lower_case_too() -> None:
    assert np.array_equal(vectors().vector("Cat"), vectors().vector("cat"))
    assert "Cat" not in vectors()
    assert vectors().place("nothing") is None


def test_unknown_words_are_refused_with_near_spellings() -> None:
    with pytest.raises(UserError, match="no vector for 'catt'; did you mean cat"):
        vectors().neighbours("catt")
    with pytest.raises(UserError, match="no vector for 'qqqq'; it is too rare"):
        vectors().vector("qqqq")


def test_saved_vectors_are_read_as_they_were(tmp_path: Path) -> None:
    vectors().save(tmp_path, name="words")
    again = WordVectors.load(tmp_path, name="words")
    assert again.keys == KEYS
    assert np.array_equal(again.matrix, vectors().matrix)
    assert again.counts.tolist() == [7, 6, 5, 4, 3, 2, 1]
    assert len(again) == 7


def test_other_tools_read_the_text_file(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    vectors().save(tmp_path, name="words")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "words.word2vec.txt"))
    assert theirs.index_to_key == ["cat", "dog", "car", "猫", "zero"]
    np.testing.assert_allclose(theirs["猫"], [1, 0.3], rtol=1e-6)
    ours = read_word2vec(tmp_path / "words.word2vec.txt")
    assert ours.keys == theirs.index_to_key
    assert np.array_equal(ours.matrix, theirs.vectors)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '["a", "a"]', '["a"]'])
def test_damaged_keys_are_refused(tmp_path: Path, content: str) -> None:
    vectors().save(tmp_path, name="words")
    (tmp_path / "words.keys.json").write_text(content)
    with pytest.raises(DamagedError, match="words"):
        WordVectors.load(tmp_path, name="words")


@pytest.mark.parametrize("matrix", [np.zeros((7, 2)), np.zeros(7, np.float32), np.full((7, 2), np.nan, "f4")])
def test_damaged_matrices_are_refused(tmp_path: Path, matrix: np.ndarray) -> None:
    vectors().save(tmp_path, name="words")
    path = tmp_path / "words.safetensors"
    save_file({"matrix": matrix, "counts": np.arange(7)}, path)
    with pytest.raises(DamagedError, match=r"words\.safetensors"):
        WordVectors.load(tmp_path, name="words")


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"words\.keys\.json"):
        WordVectors.load(tmp_path, name="words")
    (tmp_path / "words.keys.json").write_text(json.dumps(KEYS))
    with pytest.raises(DamagedError, match=r"words\.safetensors"):
        WordVectors.load(tmp_path, name="words")
    (tmp_path / "words.safetensors").write_bytes(b"\x80pickle" * 9)
    with pytest.raises(DamagedError, match="not a safetensors file"):
        WordVectors.load(tmp_path, name="words")
    save_file({"other": np.zeros(7)}, tmp_path / "words.safetensors")
    with pytest.raises(DamagedError, match="other"):
        WordVectors.load(tmp_path, name="words")

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.vectors.formats import read_word2vec


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "vectors"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "2 3\ncat 1 2 3\n猫 4 5 6\n",
        "2 3\r\ncat 1 2 3\r\n猫 4 5 6\r\n",
        "2 3\ncat 1 2 3 \n猫 4 5 6 \n\n",
        "cat 1 2 3\n猫 4 5 6",
        "cat 1 2 3\n猫 4 5 6\ncat 7 8 9\n",
    ],
)
def test_text_with_and_without_header_is_read(tmp_path: Path, content: str) -> None:
    found = read_word2vec(written(tmp_path, content))
    assert found.keys == ["cat", "猫"]
    assert found.matrix.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.matrix.dtype == np.float32
    assert found.counts.tolist() == [0, 0]


def test_words_with_blanks_keep_them(tmp_path: Path) -> None:
    found = read_word2vec(written(tmp_path, "the 1 2\n. . . 3 4\n"))
    assert found.keys == ["the", ". . ."]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary_is_read(tmp_path: Path, end: bytes) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 5)).astype("<f4")
    content = b"2 5\n" + b"".join(
        word.encode() + b" " + row.tobytes() + end for word, row in zip(["cat", "猫"], rows, strict=True)
    )
    found = read_word2vec(written(tmp_path, content))
    assert found.keys == ["cat", "猫"]
    assert np.array_equal(found.matrix, rows)


def test_binary_of_gensim_is_read(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(4)
    theirs.add_vectors(["cat", "猫"], np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32))
    theirs.save_word2vec_format(str(tmp_path / "vectors"), binary=True)
    found = read_word2vec(tmp_path / "vectors")
    assert found.keys == theirs.index_to_key
    assert np.array_equal(found.matrix, theirs.vectors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no vectors"),
        ("2 2\ncat 1 2\n", "promises 2 vectors and holds 1"),
        ("cat 1 2\ndog 1\n", "vectors:2: has 2 fields"),
        ("cat 1 2\ndog 1 x\n", "vectors:2: a field is not a number"),
        ("cat 1 2\ndog 1 nan\n", "vectors:2: a number is not finite"),
        ("2 2\ncat 1 2\n 1 2\n", "vectors:3: has 3 fields"),
        ("word\n", "vectors:1: has 1 fields"),
        (b"cat 1 2\n\xff 1 2\n", "vectors:2: is not UTF-8"),
        ("999999999999 300\ncat 1\n", "more than the file can hold"),
        (b"2 2\ncat \0\0\0\0\0\0\0\0dog \0\0", "vector 2: is neither whole"),
        (b"1 1\ncat \0\0\xc0\x7f", "vector 1: a number is not finite"),
        (b"1 1\n\xff \0\0\0\0", "vector 1: its word is not UTF-8"),
    ],
)
def test_malformed_files_are_refused_with_the_place(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_word2vec(written(tmp_path, content))


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_word2vec(tmp_path / "nowhere")


@given(content=st.binary(max_size=80), header=st.sampled_from([b"", b"1 1\n", b"2 2\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_vectors_or_a_user_error(tmp_path: Path, content: bytes, header: bytes) -> None:
    try:
        found = read_word2vec(written(tmp_path, header + content))
    except UserError:
        return
    assert np.isfinite(found.matrix).all()

"""Static word vectors: kept, read from other tools' files, and asked for neighbours."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import DamagedError, UserError
from autolect.core.results import Neighbour

_FIX = "restore the folder from a copy, or run the job that made it again"
_LOOKED_AT = 20_000

Purpose = Literal["tokens", "words"]
"""What vectors are learned for: tokens start a network, words are looked at and compared."""
LEAST: dict[Purpose, int] = {"tokens": 1, "words": 2}
"""How often a key must stand in the text to get a vector."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What a learner gives back: row i of the matrix belongs to keys[i], frequent ones first.

    matrix: (N, D) float32.  counts: (N,) int64, how often each key stood in the text.
    """

    keys: list[str]
    matrix: NDArray[np.float32]
    counts: NDArray[np.int64]


def nothing_to_learn(purpose: Purpose) -> UserError:
    """What is said where no key stands in the text often enough."""
    return UserError(
        f"no word occurs {LEAST[purpose]} times, so there is nothing to learn vectors from",
        where="vectors",
        fix="give more text under corpus.files, or set vectors.kind to none",
    )


class WordVectors:
    """Words or tokens with a vector each. Immutable.

    keys: N different strings.  matrix: (N, D) float32.  counts: (N,) int64, zeros where unknown.
    """

    def __init__(
        self, *, keys: Sequence[str], matrix: NDArray[np.float32], counts: NDArray[np.int64]
    ) -> None:
        assert matrix.ndim == 2, "a matrix has two axes"
        assert len(keys) == len(matrix) == len(counts), "one row and one count a key"
        self.keys = list(keys)
        self.matrix = matrix
        self.counts = counts
        self._places = {key: place for place, key in enumerate(self.keys)}
        assert len(self._places) == len(self.keys), "a key stands twice"

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, word: str) -> bool:
        return word in self._places

    def place(self, word: str) -> int | None:
        """The row of a word; else of its lower-case form; else None."""
        found = self._places.get(word)
        return self._places.get(word.lower()) if found is None else found

    def vector(self, word: str) -> NDArray[np.float32]:
        """The (D,) vector of a word; UserError names the nearest spellings of an unknown one."""
        row: NDArray[np.float32] = self.matrix[self._known(word)]
        return row

    def neighbours(self, word: str, *, count: int = 10) -> list[Neighbour]:
        """The ``count`` nearest other words by cosine, best first; UserError for an unknown word."""
        place = self._known(word)
        found = self.nearest(self.matrix[place], count=count + 1)
        return [one for one in found if one.word != self.keys[place]][: max(count, 0)]

    def nearest(self, vector: NDArray[np.float32], *, count: int = 10) -> list[Neighbour]:
        """The ``count`` words nearest to a vector (D,) by cosine, best first."""
        similarity = self.unit @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        best = np.argsort(-similarity, kind="stable")[: max(count, 0)]
        return [Neighbour(word=self.keys[i], similarity=float(similarity[i])) for i in best]

    @functools.cached_property
    def unit(self) -> NDArray[np.float32]:
        """(N, D): every row divided by its length; a row of zeros stays."""
        norms = np.sqrt(np.square(self.matrix).sum(axis=1, keepdims=True))
        norms[norms == 0] = 1
        scaled: NDArray[np.float32] = (self.matrix / norms).astype(np.float32, copy=False)
        return scaled

    def save(self, folder: Path, *, name: str) -> None:
        """Write the vectors into a folder that its owner makes durable.

        NAME.safetensors and NAME.keys.json are what `load` reads; NAME.word2vec.txt is for other
        tools. It lacks the keys that hold white space, because its readers would stumble over them
        (gensim issue 2795).
        """
        from safetensors.numpy import save_file

        tensors: dict[str, NDArray[Any]] = {
            "matrix": np.ascontiguousarray(self.matrix),
            "counts": self.counts,
        }
        save_file(tensors, folder / f"{name}.safetensors")
        keys = json.dumps(self.keys, ensure_ascii=False, indent=0)
        (folder / f"{name}.keys.json").write_text(keys + "\n", encoding="utf-8")
        plain = [place for place, key in enumerate(self.keys) if key.split() == [key]]
        width = self.matrix.shape[1]
        row = " ".join(["%.7g"] * width)
        with (folder / f"{name}.word2vec.txt").open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(f"{len(plain)} {width}\n")
            for place in plain:
                stream.write(f"{self.keys[place]} {row % tuple(self.matrix[place].tolist())}\n")

    @classmethod
    def load(cls, folder: Path, *, name: str) -> WordVectors:
        """Read what `save` wrote; DamagedError names the file that is missing or not as it was."""
        keys = _read_keys(folder / f"{name}.keys.json")
        matrix, counts = _read_tensors(folder / f"{name}.safetensors")
        if not len(keys) == len(matrix) == len(counts):
            raise DamagedError(
                f"{len(keys)} keys, {len(matrix)} vectors and {len(counts)} counts",
                where=str(folder / f"{name}.safetensors"),
                fix=_FIX,
            )
        return cls(keys=keys, matrix=matrix, counts=counts)

    def _known(self, word: str) -> int:
        place = self.place(word)
        if place is None:
            near = difflib.get_close_matches(word, self.keys[:_LOOKED_AT], n=3, cutoff=0.5)
            fix = f"did you mean {', '.join(near)}?" if near else "it is too rare in the text, or not in it"
            raise UserError(f"there is no vector for {word!r}", fix=fix)
        return place


def _read_keys(path: Path) -> list[str]:
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror})", where=str(path), fix=_FIX) from None
    except (ValueError, RecursionError):
        raise DamagedError("is not valid JSON", where=str(path), fix=_FIX) from None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DamagedError("is not a list of words", where=str(path), fix=_FIX)
    if len(set(keys)) != len(keys):
        raise DamagedError("a word stands twice", where=str(path), fix=_FIX)
    return keys


def _read_tensors(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except OSError as error:
        raise DamagedError(f"cannot be read ({error})", where=str(path), fix=_FIX) from None
    except SafetensorError as error:
        raise DamagedError(f"is not a safetensors file ({error})", where=str(path), fix=_FIX) from None
    if set(tensors) != {"matrix", "counts"}:
        raise DamagedError(f"holds {sorted(tensors)}, not counts and matrix", where=str(path), fix=_FIX)
    matrix, counts = tensors["matrix"], tensors["counts"]
    right = matrix.dtype == np.float32 and counts.dtype == np.int64
    if not right or matrix.ndim != 2 or counts.ndim != 1:
        raise DamagedError("its tensors have another shape or type", where=str(path), fix=_FIX)
    if not np.isfinite(matrix).all():
        raise DamagedError("holds numbers that are not finite", where=str(path), fix=_FIX)
    return matrix, counts

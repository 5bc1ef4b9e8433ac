"""texts -> an index that finds them by their words and by what they are about.

What grows with the texts is read from the disk as it is asked for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import files
from autolect.core.errors import DamagedError, UserError
from autolect.core.progress import Progress
from autolect.jobs.using.use import Lect, load
from autolect.text import lexical, readers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

KIND = "index"
TEXTS, ENDS, VECTORS, BUNDLE = "texts.jsonl", "ends.npy", "vectors.npy", "bundle"
BY_TEXT, BY_TERM = "by-text", "by-term"
AT_ONCE = 512
"""Texts whose vectors are made together."""
Places = tuple[Sequence[int], Sequence[int]]
"""Rows and columns of some scores."""
NOWHERE: Places = ((), ())
QUERIES, SCORES = 64, 1 << 24
"""Queries that are compared with all texts together, but for no more scores than so many at once."""
MEANING = 0.7
"""What a cosine of 1 counts beside the best score by words. Chosen on every other query of two sets, where
adding scores was better than adding reciprocal ranks (docs/LOG.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A text of an index, its number there, and how well it fits; where is "file:line" of its source."""

    number: int
    text: str
    where: str
    score: float


def index(
    folder: Path,
    model: Path,
    patterns: Sequence[str],
    *,
    column: str,
    encoding: str = "utf-8",
    progress: Progress,
) -> int:
    """Make an index of files' texts; gives their number. It holds a copy of the bundle, so it is enough."""
    files.refuse_other(folder, kind=KIND)
    lect = load(model)
    if "embed" not in lect.abilities:
        raise UserError("cannot compare texts", where=str(model), fix="name a bundle with vectors")
    documents = readers.gather(patterns, column=column, encoding=encoding)
    texts = [one.text for one in documents]
    vectors = embedded(lect, texts, progress=progress)
    postings = lexical.Postings.of(texts, language=lect.info.language)
    lines = [
        (json.dumps({"text": one.text, "where": one.where}, ensure_ascii=False) + "\n").encode()
        for one in documents
    ]
    with files.saving(folder, kind=KIND, facts={"texts": len(texts), "bundle": lect.name}) as beside:
        (beside / TEXTS).write_bytes(b"".join(lines))
        np.save(beside / ENDS, np.cumsum([0, *map(len, lines)], dtype=np.int64))
        np.save(beside / VECTORS, vectors)
        _save_matrix(beside / BY_TEXT, postings.by_text)
        _save_matrix(beside / BY_TERM, postings.by_term)
        shutil.copytree(model, beside / BUNDLE)
    return len(texts)


def embedded(lect: Lect, texts: Sequence[str], *, progress: Progress) -> NDArray[np.float32]:
    """Unit vectors (N,D) of texts."""
    parts = []
    for begin in range(0, len(texts), AT_ONCE):
        parts.append(lect.embed(texts[begin : begin + AT_ONCE]))
        progress.advance("vectors", min(begin + AT_ONCE, len(texts)), len(texts), "texts")
    found = np.concatenate(parts)
    unit: NDArray[np.float32] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return unit


def _save_matrix(folder: Path, matrix: csr_matrix) -> None:
    folder.mkdir()
    for part in ("data", "indices", "indptr"):
        np.save(folder / f"{part}.npy", getattr(matrix, part))


def _open_matrix(folder: Path, shape: tuple[int, int]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    data, indices, indptr = (_opened(folder / f"{part}.npy") for part in ("data", "indices", "indptr"))
    return csr_matrix((data, indices, indptr), shape=shape, copy=False)


def _opened(path: Path) -> NDArray[Any]:
    """An array on the disk, read where it is used."""
    array: NDArray[Any] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return array


class Index:
    """Texts that can be found. Every byte of the folder is verified."""

    def __init__(self, folder: Path) -> None:
        if not (folder / files.MANIFEST).is_file():
            raise UserError("is no index", where=str(folder), fix="name a folder that `autolect index` made")
        files.verify(folder, kind=KIND)
        if not (folder / ENDS).is_file():
            raise UserError("is of an earlier version", where=str(folder), fix="make the index again")
        self.lect = load(folder / BUNDLE)
        self._lines = np.memmap(folder / TEXTS, np.uint8, mode="r")
        self._ends, self._vectors = _opened(folder / ENDS), _opened(folder / VECTORS)
        if len(self._vectors) != len(self):
            raise DamagedError("texts and vectors differ in number", where=str(folder), fix="make it again")
        by_text = _open_matrix(folder / BY_TEXT, (len(self), lexical.BUCKETS))
        by_term = _open_matrix(folder / BY_TERM, (lexical.BUCKETS, len(self)))
        self._postings = lexical.Postings(by_text, by_term)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def search(self, queries: Sequence[str], *, count: int = 10) -> list[list[Found]]:
        """The texts that fit each query best, best first."""
        found: list[list[Found]] = []
        together = max(1, min(QUERIES, SCORES // len(self)))
        for begin in range(0, len(queries), together):
            some = queries[begin : begin + together]
            found += [self._best(fused, count) for fused in self.scores(some)]
        return found

    def shared(self, queries: Sequence[str]) -> list[bool]:
        """Whether any text has a word, or the beginning of one, of each query."""
        words = self._postings.scores(lexical.asked(queries, language=self.lect.info.language))
        return [bool(row.any()) for row in words]

    def like(self, number: int, *, count: int = 10) -> list[Found]:
        """The texts that are most like one of the index, that one left out."""
        if not 0 <= number < len(self):
            what = f"there is no text {number} among {len(self):,}"
            raise UserError(what, where="NUMBER", fix=f"numbers go from 0 to {len(self) - 1}")
        fused = self.scores([self._found(number, 0.0).text], own=([0], [number]))[0]
        return [one for one in self._best(fused, count + 1) if one.number != number][:count]

    def scores(self, queries: Sequence[str], *, own: Places = NOWHERE) -> NDArray[np.float32]:
        """(Q,N) how well each text fits, by shared words and by vectors; own: where a text asks itself."""
        asked = lexical.asked(queries, language=self.lect.info.language)
        vectors = self.lect.embed(queries)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return fit(self._postings, asked, vectors @ self._vectors.T, own=own)

    def _best(self, scores: NDArray[np.float32], count: int) -> list[Found]:
        return [self._found(int(at), float(scores[at])) for at in lexical.best(scores, count)]

    def _found(self, number: int, score: float) -> Found:
        begin, end = self._ends[number : number + 2]
        one = json.loads(self._lines[begin:end].tobytes())
        return Found(number=number, text=one["text"], where=one["where"], score=score)


def fit(
    postings: lexical.Postings, asked: Any, cosines: NDArray[np.float32], *, own: Places = NOWHERE
) -> NDArray[np.float32]:
    """(Q,N) how well texts fit queries (Q,BUCKETS) by words and cosines; each query is followed up.

    own: where a text asks itself; there it fits worst, and is no measure for the others.
    """
    first = joined(postings.scores(asked), cosines, own=own)
    return joined(postings.scores(postings.followed(asked, first)), cosines, own=own)


def joined(
    words: NDArray[np.float32], cosines: NDArray[np.float32], *, own: Places = NOWHERE
) -> NDArray[np.float32]:
    """Scores by words and cosines (Q,N) -> one: the best by words counts 1, a cosine of 1 `MEANING`."""
    words[own] = 0
    best = words.max(axis=1, keepdims=True, initial=0.0)
    found: NDArray[np.float32] = words / np.maximum(best, 1e-9) + MEANING * cosines
    found[own] = -1
    return found

"""texts -> an index that finds them by their words and by what they are about."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import files
from autolect.core.errors import DamagedError, UserError
from autolect.core.progress import Progress
from autolect.jobs.using.use import Lect, load
from autolect.text import lexical, readers

KIND = "index"
TEXTS, ARRAYS, BUNDLE = "texts.jsonl", "arrays.safetensors", "bundle"
AT_ONCE = 512
"""Texts whose vectors are made together."""
Places = tuple[Sequence[int], Sequence[int]]
"""Rows and columns of some scores."""
NOWHERE: Places = ((), ())
QUERIES = 64
"""Queries that are compared with all texts together."""
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


def index(folder: Path, model: Path, patterns: Sequence[str], *, column: str, progress: Progress) -> int:
    """Make an index of files' texts; gives their number. It holds a copy of the bundle, so it is enough."""
    from safetensors.numpy import save_file

    files.refuse_other(folder, kind=KIND)
    lect = load(model)
    if "embed" not in lect.abilities:
        raise UserError("cannot compare texts", where=str(model), fix="name a bundle with vectors")
    paths = readers.expand(patterns)
    documents = [one for path in paths for one in readers.read(path, column=column) if one.text.strip()]
    if not documents:
        raise UserError("there is no text in it", where=str(paths[0]), fix="check the files and --column")
    texts = [one.text for one in documents]
    vectors = embedded(lect, texts, progress=progress)
    weights = lexical.weighed(lexical.count(texts, language=lect.info.language))
    arrays = {
        "vectors": vectors.astype(np.float16),
        "data": weights.data,
        "indices": weights.indices.astype(np.int64),
        "indptr": weights.indptr.astype(np.int64),
    }
    with files.saving(folder, kind=KIND, facts={"texts": len(texts), "bundle": lect.name}) as beside:
        lines = [json.dumps({"text": one.text, "where": one.where}, ensure_ascii=False) for one in documents]
        (beside / TEXTS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        save_file(arrays, beside / ARRAYS)
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


class Index:
    """Texts that can be found. Every byte of the folder is verified."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from scipy.sparse import csr_matrix

        files.verify(folder, kind=KIND)
        self.lect = load(folder / BUNDLE)
        arrays = load_file(folder / ARRAYS)
        lines = (folder / TEXTS).read_text(encoding="utf-8").split("\n")[:-1]
        self.texts: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._vectors = arrays["vectors"].astype(np.float32)
        shape = (len(self.texts), lexical.BUCKETS)
        weights = csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        self._postings = lexical.Postings(weights)
        if len(self._vectors) != len(self.texts):
            raise DamagedError("texts and vectors differ in number", where=str(folder), fix="make it again")

    def search(self, queries: Sequence[str], *, count: int = 10) -> list[list[Found]]:
        """The texts that fit each query best, best first."""
        found: list[list[Found]] = []
        for begin in range(0, len(queries), QUERIES):
            some = queries[begin : begin + QUERIES]
            found += [self._best(fused, count) for fused in self.scores(some)]
        return found

    def like(self, number: int, *, count: int = 10) -> list[Found]:
        """The texts that are most like one of the index, that one left out."""
        if not 0 <= number < len(self.texts):
            what = f"there is no text {number} among {len(self.texts):,}"
            raise UserError(what, where="NUMBER", fix=f"numbers go from 0 to {len(self.texts) - 1}")
        fused = self.scores([self.texts[number]["text"]], own=([0], [number]))[0]
        return [one for one in self._best(fused, count + 1) if one.number != number][:count]

    def scores(self, queries: Sequence[str], *, own: Places = NOWHERE) -> NDArray[np.float32]:
        """(Q,N) how well each text fits, by shared words and by vectors; own: where a text asks itself."""
        asked = lexical.asked(queries, language=self.lect.info.language)
        vectors = self.lect.embed(queries)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return fit(self._postings, asked, vectors @ self._vectors.T, own=own)

    def _best(self, scores: NDArray[np.float32], count: int) -> list[Found]:
        best = np.argsort(-scores, kind="stable")[:count]
        return [self._found(int(at), float(scores[at])) for at in best]

    def _found(self, number: int, score: float) -> Found:
        one = self.texts[number]
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

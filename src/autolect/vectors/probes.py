"""What vectors know, asked directly: do they agree with people on similarity, do they solve analogies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autolect.core.errors import UserError
from autolect.vectors.store import WordVectors

Question = tuple[str, str, str, str]
"""a is to b as c is to d."""

_CELLS = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two words and how alike people find them, on any scale."""

    word1: str
    word2: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A score over the ``covered`` items of ``total`` whose words all have vectors.

    similarity: Spearman's rank correlation, -1 to 1; analogies: share of right answers, 0 to 1. None
    where it is not defined (nothing covered, or nothing that varies).
    """

    score: float | None
    covered: int
    total: int


def similarity(vectors: WordVectors, pairs: Sequence[Pair]) -> Probe:
    """Spearman's correlation between cosine and human score; a word may stand in lower case."""
    from scipy.stats import rankdata

    ours: list[float] = []
    theirs: list[float] = []
    for pair in pairs:
        one, two = vectors.place(pair.word1), vectors.place(pair.word2)
        if one is not None and two is not None:
            ours.append(float(vectors.unit[one] @ vectors.unit[two]))
            theirs.append(pair.score)
    score = None
    if len(set(ours)) > 1 and len(set(theirs)) > 1:
        score = float(np.corrcoef(rankdata(ours), rankdata(theirs))[0, 1])
    return Probe(score=score, covered=len(ours), total=len(pairs))


def analogies(vectors: WordVectors, questions: Sequence[Question]) -> Probe:
    """Share of questions whose fourth word is nearest to b - a + c (3CosAdd, Mikolov 2013).

    The three words of the question are no answers (arXiv:1310.4546).
    """
    places = [[vectors.place(word) for word in question] for question in questions]
    known = [[place for place in row if place is not None] for row in places]
    asked = np.array([row for row in known if len(row) == 4], np.int64).reshape(-1, 4)
    right = 0
    step = max(1, _CELLS // max(1, len(vectors)))
    for start in range(0, len(asked), step):
        a, b, c, d = asked[start : start + step].T
        scores = (vectors.unit[b] - vectors.unit[a] + vectors.unit[c]) @ vectors.unit.T
        rows = np.arange(len(a))
        for given in (a, b, c):
            scores[rows, given] = -np.inf
        right += int((scores.argmax(axis=1) == d).sum())
    return Probe(score=right / len(asked) if len(asked) else None, covered=len(asked), total=len(questions))


def read_pairs(path: Path) -> list[Pair]:
    """Read word pairs with scores: two words, then a number, parted by tab, comma or blanks.

    A first line without a number is a header, lines that start with # are remarks, columns between
    the words and the number (SimLex-999's part of speech) and after it are left out. UserError names
    the line that is none of these.
    """
    pairs: list[Pair] = []
    first = True
    for line_number, line in _lines(path):
        if line.startswith("#"):
            continue
        fields = _fields(line)
        score = next((number for number in map(_number, fields[2:]) if number is not None), None)
        if score is None and first:
            first = False
            continue
        first = False
        if score is None or not all(fields[:2]):
            raise UserError(
                f"{line!r} is not two words and a score",
                where=f"{path}:{line_number}",
                fix="write word, tab, word, tab, number",
            )
        pairs.append(Pair(word1=fields[0], word2=fields[1], score=score))
    if not pairs:
        raise UserError("holds no word pairs", where=str(path))
    return pairs


def read_analogies(path: Path) -> list[Question]:
    """Read questions of four words a line; lines that start with a colon name sections."""
    questions: list[Question] = []
    for line_number, line in _lines(path):
        if line.startswith(":"):
            continue
        fields = line.split()
        if len(fields) != 4:
            raise UserError(
                f"has {len(fields)} words, four expected", where=f"{path}:{line_number}", fix="mend the line"
            )
        a, b, c, d = fields
        questions.append((a, b, c, d))
    if not questions:
        raise UserError("holds no questions", where=str(path))
    return questions


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"is not UTF-8 (byte {error.start})", where=str(path), fix="convert the file to UTF-8"
        ) from None
    for line_number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield line_number, line.strip()


def _fields(line: str) -> list[str]:
    separator = next((mark for mark in "\t," if mark in line), None)
    parts = line.split(separator) if separator else re.split(r"\s+", line)
    return [part.strip() for part in parts]


def _number(field: str) -> float | None:
    try:
        number = float(field)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

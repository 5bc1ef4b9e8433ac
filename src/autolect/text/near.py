"""Finds texts of one set that nearly stand in another, exactly: every pair above the threshold, no other.

Similarity is the Jaccard index of the sets of character 5-grams. Two sets that are alike must share one of
their rarest members (prefix filtering, Chaudhuri 2006), early enough in that order (Xiao 2008); only such
pairs are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 5
"""Characters in a gram; a text with fewer is near to nothing."""

_BLOCK = 1 << 21
"""Characters whose grams are held at a time."""
_PAIRS = 1 << 21
"""Pairs that are looked at in one step."""
_BUCKETS = 20
"""Bits of the table of gram counts. Grams that share a bucket seem less rare than they are, no worse."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def nearest(earlier: Sequence[str], later: Sequence[str], *, threshold: float) -> list[int | None]:
    """For each later text the number of the most similar earlier one, None below the threshold.

    Of equally similar texts the first one is taken. threshold: Jaccard index above 0, up to 1.
    """
    assert 0 < threshold <= 1
    counts = np.zeros(1 << _BUCKETS, dtype=np.int64)
    for texts in (earlier, later):
        for block in _blocks(texts):
            counts += np.bincount(_bucket(_grams(block).gram), minlength=len(counts))
    index = _Prefixes.together([_prefixes(block, counts, threshold) for block in _blocks(earlier)])
    index = index.take(np.argsort(index.gram, kind="stable"))
    found: list[int | None] = [None] * len(later)
    for block in _blocks(later):
        pairs = _candidates(_prefixes(block, counts, threshold), index, threshold)
        _settle(pairs, earlier, later, threshold, found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Consecutive texts; the first one has this number in its set."""

    first: int
    texts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grams:
    """(N,) hashes of grams and the number of the text of each; a text may have a gram twice."""

    gram: NDArray[np.uint64]
    text: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prefixes:
    """(N,) the rarest grams of texts: text number, rank within its set, and the size of that set."""

    gram: NDArray[np.uint64]
    text: NDArray[np.int64]
    rank: NDArray[np.int64]
    size: NDArray[np.int64]

    def take(self, at: NDArray[np.intp] | NDArray[np.bool_]) -> _Prefixes:
        return _Prefixes(gram=self.gram[at], text=self.text[at], rank=self.rank[at], size=self.size[at])

    @staticmethod
    def together(parts: Sequence[_Prefixes]) -> _Prefixes:
        none = np.zeros(0, dtype=np.int64)
        return _Prefixes(
            gram=np.concatenate([none.astype(np.uint64), *(part.gram for part in parts)]),
            text=np.concatenate([none, *(part.text for part in parts)]),
            rank=np.concatenate([none, *(part.rank for part in parts)]),
            size=np.concatenate([none, *(part.size for part in parts)]),
        )


def _blocks(texts: Sequence[str]) -> Iterator[_Block]:
    first = size = 0
    for at, text in enumerate(texts):
        size += len(text)
        if size >= _BLOCK:
            yield _Block(first=first, texts=texts[first : at + 1])
            first, size = at + 1, 0
    if first < len(texts):
        yield _Block(first=first, texts=texts[first:])


def _grams(block: _Block) -> _Grams:
    joined = "".join(block.texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, dtype="<u4").astype(np.uint64)
    text = np.repeat(np.arange(len(block.texts)), [len(text) for text in block.texts])
    num_grams = max(0, len(codes) - SIZE + 1)
    gram = np.zeros(num_grams, dtype=np.uint64)
    for step in range(SIZE):
        gram = (gram ^ (gram >> np.uint64(29))) * _MULTIPLIER + codes[step : step + num_grams]
    whole = text[:num_grams] == text[SIZE - 1 :]
    return _Grams(gram=gram[whole], text=text[:num_grams][whole] + block.first)


def _bucket(gram: NDArray[np.uint64]) -> NDArray[np.int64]:
    return ((gram * _MULTIPLIER) >> np.uint64(64 - _BUCKETS)).astype(np.int64)


def _prefixes(block: _Block, counts: NDArray[np.int64], threshold: float) -> _Prefixes:
    grams = _grams(block)
    order = np.lexsort((grams.gram, counts[_bucket(grams.gram)], grams.text))
    gram, text = grams.gram[order], grams.text[order]
    fresh = np.ones(len(gram), dtype=np.bool_)
    fresh[1:] = (gram[1:] != gram[:-1]) | (text[1:] != text[:-1])
    gram, text = gram[fresh], text[fresh]
    starts = np.flatnonzero(np.diff(text, prepend=-1))
    sizes = np.diff(starts, append=len(text))
    rank = np.arange(len(text)) - np.repeat(starts, sizes)
    size = np.repeat(sizes, sizes)
    # A set that is alike has at least threshold * size of these, so it misses fewer than the prefix holds.
    prefix = rank <= size - np.ceil(threshold * size - 1e-9)
    return _Prefixes(gram=gram, text=text, rank=rank, size=size).take(prefix)


def _candidates(wanted: _Prefixes, index: _Prefixes, threshold: float) -> NDArray[np.int64]:
    """(N, 2) later and earlier text of each pair that may be alike, sorted, each once."""
    low = np.searchsorted(index.gram, wanted.gram, side="left")
    num = np.searchsorted(index.gram, wanted.gram, side="right") - low
    ends = np.cumsum(num)
    num_earlier = 1 + int(index.text.max(initial=0))
    pairs = [np.zeros(0, dtype=np.int64)]
    first = 0
    while first < len(num):
        done = ends[first] - num[first]
        last = max(first + 1, int(np.searchsorted(ends, done + _PAIRS, side="right")))
        here = np.repeat(np.arange(first, last), num[first:last])
        offset = np.arange(len(here)) + done - (ends - num)[here]
        one, other = wanted.take(here), index.take(low[here] + offset)
        # The first gram that two sets share leaves at most these to be shared.
        most = np.minimum(one.size - one.rank, other.size - other.rank)
        alike = most >= threshold / (1 + threshold) * (one.size + other.size) - 1e-9
        pairs.append(np.unique(one.text[alike] * num_earlier + other.text[alike]))
        first = last
    return np.stack(np.divmod(np.unique(np.concatenate(pairs)), num_earlier), axis=1)


def _settle(
    pairs: NDArray[np.int64],
    earlier: Sequence[str],
    later: Sequence[str],
    threshold: float,
    found: list[int | None],
) -> None:
    """Compare the pairs in full and note the best match of each later text."""
    known: dict[int, frozenset[str]] = {}
    held, current, best = 0, -1, 0.0
    grams: frozenset[str] = frozenset()
    for one, other in pairs.tolist():
        if one != current:
            current, best, grams = one, 0.0, _set(later[one])
        if other not in known:
            if held > _BLOCK:
                known.clear()
                held = 0
            known[other] = _set(earlier[other])
            held += len(known[other])
        shared = len(grams & known[other])
        similarity = shared / (len(grams) + len(known[other]) - shared)
        if similarity >= threshold and similarity > best:
            best, found[one] = similarity, other


def _set(text: str) -> frozenset[str]:
    return frozenset(text[at : at + SIZE] for at in range(len(text) - SIZE + 1))

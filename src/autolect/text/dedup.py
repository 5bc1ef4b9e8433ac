"""Drops documents that were seen before: the same text, or nearly the same.

Exact: a 64-bit hash of the text with case and blanks folded. Near: MinHash signatures (Broder 1997) of
shingles, 8 bits kept of each minimum (b-bit minwise hashing, Li & König 2010), looked up by bands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NUM_PERMUTATIONS = 128
SEED = 0
SHINGLE_CHARACTERS = 5
SHINGLE_WORDS = 3
SHORTEST = 50
"""Characters below which a document has too few shingles for a sound estimate: exact check only."""

_BITS = 8
_WAYS = 4
_BLOCK = 1 << 16
_SPACED = 12
"""Text with a blank at least every so many characters is taken in words."""
_ODD = 0x9E3779B97F4A7C15
_WORD64 = 1 << 64

Verdict = Literal["new", "exact", "near"]


class Deduplicator:
    """Tells of each document of a stream whether it repeats an earlier one.

    Memory: 8 bytes a document for "exact", 250 to 450 more for "near" at the default threshold; the text
    itself is not kept. Of 100 million documents one is taken for another with a chance of 0.03 %.
    threshold: Jaccard similarity of the shingle sets, from 0.3 to 1.
    """

    def __init__(self, mode: Literal["none", "exact", "near"], *, threshold: float = 0.85) -> None:
        assert 0.3 <= threshold <= 1
        self._mode = mode
        self._threshold = threshold
        self._seen = _Hashes()
        self._near = _Signatures(threshold) if mode == "near" else None
        self._shingles = _Shingles() if mode == "near" else None

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """Whether each text is new, in order. What is not new is no measure for the texts that follow."""
        if self._mode == "none":
            return ["new"] * len(texts)
        folded = [" ".join(text.casefold().split()) for text in texts]
        digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8) for text in folded)
        hashes = np.frombuffer(b"".join(one.digest() for one in digests), dtype=np.uint64)
        verdicts: list[Verdict] = ["new" if is_new else "exact" for is_new in self._seen.add(hashes).tolist()]
        if self._near is not None and self._shingles is not None:
            told = [at for at, text in enumerate(folded) if verdicts[at] == "new" and len(text) >= SHORTEST]
            signatures = self._shingles.signatures([folded[at] for at in told])
            for at, is_new in zip(told, self._near.add(signatures), strict=True):
                verdicts[at] = "new" if is_new else "near"
        return verdicts

    def describe(self) -> dict[str, object]:
        """What the verdicts depend on, for the manifest; rensa's version, because its hashes may change."""
        told: dict[str, object] = {"mode": self._mode}
        if self._near is not None:
            from importlib.metadata import version

            from rensa import RMinHash

            told |= {"threshold": self._threshold, "permutations": NUM_PERMUTATIONS, "seed": SEED}
            told |= {"bands": self._near.num_bands, "rows": NUM_PERMUTATIONS // self._near.num_bands}
            told |= {"characters": SHINGLE_CHARACTERS, "words": SHINGLE_WORDS}
            told |= {"rensa": version("rensa"), "algorithm": int(RMinHash.ALGORITHM_VERSION)}
        return told


class _Hashes:
    """Numbers seen so far, in sorted runs, each more than twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(N,) -> whether each is neither known nor among those before it; they are known from now on."""
        different, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(different), dtype=bool)
        for run in self._runs:
            places = np.searchsorted(run, different)
            fresh &= run[np.minimum(places, len(run) - 1)] != different
        is_new = np.zeros(len(numbers), dtype=bool)
        is_new[first[fresh]] = True
        if fresh.any():
            self._runs.append(different[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return is_new


class _Shingles:
    """Turns text into a signature: hashes of all shingles, then the least of each permutation.

    The hash of text[s:e] is a difference of running sums of c[i] * B**i, brought back by B**-s: any
    piece of the text costs the same, so characters and words share one way.
    """

    def __init__(self) -> None:
        size = _BLOCK + 1
        self._powers = _powers(_ODD, size)
        self._inverses = _powers(pow(_ODD, -1, _WORD64), size)

    def signatures(self, folded: Sequence[str]) -> NDArray[np.uint8]:
        """(N, NUM_PERMUTATIONS) low bits of the minima, of texts whose blanks are single spaces."""
        found = np.empty((len(folded), NUM_PERMUTATIONS), dtype=np.uint8)
        kinds: dict[bool, list[int]] = {False: [], True: []}
        for at, text in enumerate(folded):
            kinds[text.count(" ") * _SPACED >= len(text)].append(at)
        for in_words, places in kinds.items():
            for some in _together([folded[at] for at in places]):
                texts = [folded[places[at]] for at in some]
                if len(texts) == 1:
                    least = self._least(texts[0], in_words)
                else:
                    least = _minima(*self._hashes(" ".join(texts), [len(text) for text in texts], in_words))
                found[[places[at] for at in some]] = (least & ((1 << _BITS) - 1)).astype(np.uint8)
        return found

    def _least(self, text: str, in_words: bool) -> NDArray[np.uint32]:
        """(1, NUM_PERMUTATIONS) minima of one text of any length."""
        blocks = [text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK)]
        each = [_minima(*self._hashes(block, [len(block)], in_words)) for block in blocks]
        least: NDArray[np.uint32] = np.minimum.reduce(each)
        return least

    def _hashes(
        self, joined: str, sizes: Sequence[int], in_words: bool
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Hashes of the shingles of texts of these sizes, joined by blanks, and where each text's begin."""
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum((codes + np.uint64(1)) * self._powers[: len(codes)], out=sums[1:])
        if in_words:
            blanks = np.flatnonzero(codes == ord(" "))
            starts = np.concatenate(([0], blanks + 1))
            ends = np.concatenate((blanks, [len(codes)]))
            width = min(SHINGLE_WORDS, len(starts))
        else:
            starts = np.arange(len(codes))
            ends = starts + 1
            width = min(SHINGLE_CHARACTERS, len(starts))
        begins = np.cumsum([0, *(size + 1 for size in sizes[:-1])])
        starts, ends = starts[: len(starts) - width + 1], ends[width - 1 :]
        text = np.searchsorted(begins, starts, side="right") - 1
        inside = ends <= (begins + sizes)[text]
        starts, ends, text = starts[inside], ends[inside], text[inside]
        hashes: NDArray[np.uint64] = (sums[ends] - sums[starts]) * self._inverses[starts]
        return hashes ^ (hashes >> np.uint64(29)), np.searchsorted(text, np.arange(len(sizes) + 1))


def _together(texts: Sequence[str]) -> Iterator[list[int]]:
    """Numbers of texts that fit into one block; a longer text stands alone."""
    some: list[int] = []
    size = 0
    for at, text in enumerate(texts):
        if some and size + 1 + len(text) > _BLOCK:
            yield some
            some, size = [], 0
        size += len(text) + (1 if some else 0)
        some.append(at)
    if some:
        yield some


def _minima(hashes: NDArray[np.uint64], offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
    """(N, NUM_PERMUTATIONS) least of each permutation of the hashes of each text."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.tolist(), NUM_PERMUTATIONS, SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


class _Signatures:
    """Signatures seen so far, found again by bands.

    A slot of the table holds the numbers of up to _WAYS documents that hashed there; no key is stored,
    because every find is checked against the whole signature. Work per document has a fixed bound.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.num_bands = _num_bands(threshold)
        rows = NUM_PERMUTATIONS // self.num_bands
        self._factors = np.random.default_rng(SEED).integers(
            1, _WORD64, size=(self.num_bands, rows), dtype=np.uint64, endpoint=False
        ) | np.uint64(1)
        self._salts = _powers(_ODD, self.num_bands)
        self._log2 = 10
        self._table = np.zeros((1 << self._log2, _WAYS), dtype=np.uint32)
        self._signatures = np.empty((256, NUM_PERMUTATIONS), dtype=np.uint8)
        self._count = 0

    def add(self, signatures: NDArray[np.uint8]) -> Iterator[bool]:
        """Remember each signature (N, NUM_PERMUTATIONS) unless one at least that similar is known already."""
        for signature, keys in zip(signatures, self._keys(signatures), strict=True):
            yield self._add(signature, keys)

    def _add(self, signature: NDArray[np.uint8], keys: NDArray[np.uint64]) -> bool:
        slots = self._slots(keys)
        rows = self._table[slots]
        if len(known := rows[rows > 0]):
            same = np.count_nonzero(self._signatures[known - 1] == signature, axis=1).max() / NUM_PERMUTATIONS
            by_chance = 2.0**-_BITS
            if (same - by_chance) / (1 - by_chance) >= self._threshold:
                return False
        self._remember(signature)
        way = np.where(rows.all(axis=1), self._count % _WAYS, (rows == 0).argmax(axis=1))
        self._table[slots, way] = self._count
        if self._count * self.num_bands * 2 > self._table.size:
            self._grow()
        return True

    def _remember(self, signature: NDArray[np.uint8]) -> None:
        if self._count == len(self._signatures):
            larger = np.empty((self._count * 3 // 2, NUM_PERMUTATIONS), dtype=np.uint8)
            larger[: self._count] = self._signatures
            self._signatures = larger
        self._signatures[self._count] = signature
        self._count += 1

    def _grow(self) -> None:
        self._log2 += 1
        self._table = np.zeros((1 << self._log2, _WAYS), dtype=np.uint32)
        for first in range(0, self._count, _BLOCK):
            last = min(first + _BLOCK, self._count)
            slots = self._slots(self._keys(self._signatures[first:last])).ravel()
            numbers = np.repeat(np.arange(first + 1, last + 1, dtype=np.uint32), self.num_bands)
            order = np.argsort(slots, kind="stable")
            slots, numbers = slots[order], numbers[order]
            begins = np.flatnonzero(np.diff(slots, prepend=-1))
            place = np.arange(len(slots)) - np.repeat(begins, np.diff(begins, append=len(slots)))
            way = (self._table[slots] > 0).sum(axis=1) + place
            fits = way < _WAYS
            self._table[slots[fits], way[fits]] = numbers[fits]

    def _keys(self, signatures: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """(N, NUM_PERMUTATIONS) -> (N, bands) hashes."""
        bands = signatures.reshape(len(signatures), *self._factors.shape).astype(np.uint64)
        keys: NDArray[np.uint64] = ((bands + np.uint64(1)) * self._factors).sum(axis=2) ^ self._salts
        return (keys ^ (keys >> np.uint64(32))) * np.uint64(_ODD)

    def _slots(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Hashes -> places in the table, by as many of their bits as it has now."""
        slots: NDArray[np.int64] = (keys >> np.uint64(64 - self._log2)).astype(np.int64)
        return slots


def _num_bands(threshold: float) -> int:
    """The fewest bands that find a pair right at the threshold with a chance of 95 % or more."""
    for rows in (16, 8, 4, 2):
        num_bands = NUM_PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** num_bands >= 0.95:
            return num_bands
    return NUM_PERMUTATIONS


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """base**0 .. base**(count - 1), modulo 2**64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)

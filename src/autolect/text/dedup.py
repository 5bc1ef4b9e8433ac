"""Drops documents that were seen before: the same text, or nearly the same.

Exact: a 128-bit hash of the text with case and blanks folded. Near: MinHash signatures (Broder 1997) of
shingles, 8 bits kept of each minimum (b-bit minwise hashing, Li & König 2010), looked up by bands.
"""

from __future__ import annotations

import hashlib
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

    Memory: about 120 bytes a document for "exact", 250 to 450 more for "near" at the default threshold;
    the text itself is not kept. threshold: Jaccard similarity of the shingle sets, from 0.3 to 1.
    """

    def __init__(self, mode: Literal["none", "exact", "near"], *, threshold: float = 0.85) -> None:
        assert 0.3 <= threshold <= 1
        self._mode = mode
        self._threshold = threshold
        self._seen: set[bytes] = set()
        self._near = _Signatures(threshold) if mode == "near" else None
        self._shingles = _Shingles() if mode == "near" else None

    def check(self, text: str) -> Verdict:
        """Whether a text is new. What is not new is no measure for the texts that follow."""
        if self._mode == "none":
            return "new"
        folded = " ".join(text.casefold().split())
        digest = hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            return "exact"
        self._seen.add(digest)
        if self._near is None or self._shingles is None or len(folded) < SHORTEST:
            return "new"
        return "new" if self._near.add(self._shingles.signature(folded)) else "near"

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


class _Shingles:
    """Turns text into a signature: hashes of all shingles, then the least of each permutation.

    The hash of text[s:e] is a difference of running sums of c[i] * B**i, brought back by B**-s: any
    piece of the text costs the same, so characters and words share one way.
    """

    def __init__(self) -> None:
        size = _BLOCK + 1
        self._powers = _powers(_ODD, size)
        self._inverses = _powers(pow(_ODD, -1, _WORD64), size)

    def signature(self, folded: str) -> NDArray[np.uint8]:
        """(NUM_PERMUTATIONS,) low bits of the minima, of text whose blanks are single spaces."""
        from rensa import RMinHash

        in_words = folded.count(" ") * _SPACED >= len(folded)
        least = np.full(NUM_PERMUTATIONS, np.iinfo(np.uint32).max, dtype=np.uint32)
        for at in range(0, len(folded), _BLOCK):
            hashes = self._hashes(folded[at : at + _BLOCK], in_words)
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(
                hashes, [0, len(hashes)], NUM_PERMUTATIONS, SEED
            )
            np.minimum(least, np.array(matrix.to_rows()[0], dtype=np.uint32), out=least)
        return (least & ((1 << _BITS) - 1)).astype(np.uint8)

    def _hashes(self, block: str, in_words: bool) -> NDArray[np.uint64]:
        codes = np.frombuffer(block.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum((codes + np.uint64(1)) * self._powers[: len(codes)], out=sums[1:])
        if in_words:
            blanks = np.flatnonzero(codes == ord(" "))
            starts = np.concatenate(([0], blanks + 1))
            ends = np.concatenate((blanks, [len(codes)]))
            width = min(SHINGLE_WORDS, len(starts))
            starts, ends = starts[: len(starts) - width + 1], ends[width - 1 :]
        else:
            width = min(SHINGLE_CHARACTERS, len(codes))
            starts = np.arange(len(codes) - width + 1)
            ends = starts + width
        hashes: NDArray[np.uint64] = (sums[ends] - sums[starts]) * self._inverses[starts]
        return hashes ^ (hashes >> np.uint64(29))


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

    def add(self, signature: NDArray[np.uint8]) -> bool:
        """Remember a signature unless one at least as similar as the threshold is known already."""
        slots = self._slots(signature[None])[0]
        rows = self._table[slots]
        known = np.unique(rows[rows > 0])
        if len(known):
            same = (self._signatures[known - 1] == signature).mean(axis=1)
            by_chance = 2.0**-_BITS
            if (same.max() - by_chance) / (1 - by_chance) >= self._threshold:
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
            slots = self._slots(self._signatures[first:last]).ravel()
            numbers = np.repeat(np.arange(first + 1, last + 1, dtype=np.uint32), self.num_bands)
            order = np.argsort(slots, kind="stable")
            slots, numbers = slots[order], numbers[order]
            begins = np.flatnonzero(np.diff(slots, prepend=-1))
            place = np.arange(len(slots)) - np.repeat(begins, np.diff(begins, append=len(slots)))
            way = (self._table[slots] > 0).sum(axis=1) + place
            fits = way < _WAYS
            self._table[slots[fits], way[fits]] = numbers[fits]

    def _slots(self, signatures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(N, NUM_PERMUTATIONS) -> (N, bands) places in the table."""
        bands = signatures.reshape(len(signatures), *self._factors.shape).astype(np.uint64)
        keys = ((bands + np.uint64(1)) * self._factors).sum(axis=2, dtype=np.uint64) ^ self._salts
        keys = (keys ^ (keys >> np.uint64(32))) * np.uint64(_ODD)
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

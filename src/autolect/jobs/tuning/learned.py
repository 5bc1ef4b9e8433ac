"""The texts that a bundle learned its task from, as hashes: enough to know one again, not to read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.text.labels.split import normalise

FILE = "learned.npy"
_BYTES = 8


def save(folder: Path, texts: Iterable[str]) -> None:
    """Write the hashes of texts, each once."""
    np.save(folder / FILE, np.unique(_hashes(texts)))


def known(folder: Path, texts: Sequence[str]) -> int:
    """How many of the texts a bundle learned from, case and punctuation aside; 0 if it does not say."""
    if not (folder / FILE).is_file():
        return 0
    return int(np.isin(_hashes(texts), np.load(folder / FILE, allow_pickle=False)).sum())


def _hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    found = b"".join(hashlib.blake2b(normalise(one).encode(), digest_size=_BYTES).digest() for one in texts)
    return np.frombuffer(found, dtype="<u8").astype(np.uint64)

"""The weights of a tagger's sparse features: fitted as a random field, taken out of it as plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autolect.train.field import fitted


class Field(NamedTuple):
    """Weights (M,L) of M features for L tags, and of each tag after each (L,L)."""

    table: NDArray[np.float32]
    moves: NDArray[np.float32]


KEPT = 2
_LAST: dict[str, Field] = {}
"""The fields that were fitted last, to train and to train with valid: the trials and seeds of a search differ
in the network alone."""


def fit(
    texts: Sequence[Sequence[NDArray[np.int64]]],
    tags: Sequence[NDArray[np.int64]],
    *,
    num_features: int,
    num_tags: int,
) -> Field:
    """Features (numbers below M) and tag of each unit of each text -> weights."""
    digest = hashlib.sha256(repr((num_features, num_tags)).encode())
    for units, own in zip(texts, tags, strict=True):
        for part in (*units, own):
            digest.update(len(part).to_bytes(4, "little") + part.tobytes())
    key = digest.hexdigest()
    if key not in _LAST:
        _LAST[key] = _fit(texts, tags, Field(_zeros(num_features, num_tags), _zeros(num_tags, num_tags)))
        while len(_LAST) > KEPT:
            del _LAST[next(iter(_LAST))]
    return _LAST[key]


def _fit(
    texts: Sequence[Sequence[NDArray[np.int64]]], tags: Sequence[NDArray[np.int64]], empty: Field
) -> Field:
    names = [[[str(one) for one in unit.tolist()] for unit in units] for units in texts]
    with fitted(names, [[str(tag) for tag in own.tolist()] for own in tags]) as tagger:
        info = tagger.info()
    for (name, tag), weight in info.state_features.items():
        empty.table[int(name), int(tag)] = weight
    for (before, tag), weight in info.transitions.items():
        empty.moves[int(before), int(tag)] = weight
    return empty


def _zeros(rows: int, columns: int) -> NDArray[np.float32]:
    return np.zeros((rows, columns), dtype=np.float32)

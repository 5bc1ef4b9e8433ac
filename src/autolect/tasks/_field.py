"""The weights of a tagger's sparse features: fitted as a random field, taken out of it as plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autolect.tasks._kept import Kept
from autolect.train.field import fitted


class Field(NamedTuple):
    """Keys (K,) of the features that say anything, their weights (K,L) for L tags, and the score of each tag
    after each (L,L).
    """

    keys: NDArray[np.int64]
    table: NDArray[np.float32]
    moves: NDArray[np.float32]


_KEPT: Kept[Field] = Kept()


def fit(
    texts: Sequence[Sequence[NDArray[np.int64]]],
    tags: Sequence[NDArray[np.int64]],
    *,
    num_tags: int,
) -> Field:
    """Keys of the features and tag of each unit of each text -> weights."""
    digest = hashlib.sha256(repr(num_tags).encode())
    for units, own in zip(texts, tags, strict=True):
        for part in (*units, own):
            digest.update(len(part).to_bytes(4, "little") + part.tobytes())
    return _KEPT.get(digest.hexdigest(), lambda: _fit(texts, tags, num_tags))


def _fit(
    texts: Sequence[Sequence[NDArray[np.int64]]], tags: Sequence[NDArray[np.int64]], num_tags: int
) -> Field:
    names = [[[str(one) for one in unit.tolist()] for unit in units] for units in texts]
    with fitted(names, [[str(tag) for tag in own.tolist()] for own in tags]) as tagger:
        info = tagger.info()
    # The elastic net leaves most features without a weight.
    keys = np.array(sorted({int(name) for name, _ in info.state_features}), dtype=np.int64)
    row = {key: place for place, key in enumerate(keys.tolist())}
    table = np.zeros((len(keys), num_tags), dtype=np.float32)
    moves = np.zeros((num_tags, num_tags), dtype=np.float32)
    for (name, tag), weight in info.state_features.items():
        table[row[int(name)], int(tag)] = weight
    for (before, tag), weight in info.transitions.items():
        moves[int(before), int(tag)] = weight
    return Field(keys, table, moves)

"""Examples of tokens cut into pieces that a network can read, and how units and tokens lie over each other.

A token is what the network reads; a unit is what has a tag: a word, or a character of Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolect.core.goal import Tensors
from autolect.nn.losses import tensors
from autolect.text.labels.labelled import TokenExample

NO_FEATURES: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of units of one example: ids (n,), owner (n,) unit of each token from 0, tags (u,).

    features: the numbers of the sparse features of each unit.
    """

    example: int
    ids: NDArray[np.int32]
    owner: NDArray[np.int64]
    tags: NDArray[np.int64]
    features: Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples cut into pieces that fit the network; nothing is lost."""

    pieces: list[Piece]
    examples: Sequence[TokenExample]
    num_cut: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each piece, specials counted."""
        return np.array([len(piece.ids) + 2 for piece in self.pieces], dtype=np.int64)

    def where(self, row: int) -> str:
        """File and line of the example that a piece is cut from."""
        return self.examples[self.pieces[row].example].where


def owners(offsets: NDArray[np.int32], units: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The unit in which each token begins its visible part, or -1: (n,2) spans -> (n,)."""
    if not units:
        return np.full(len(offsets), -1, dtype=np.int64)
    ends = np.array([end for _, end in units])
    starts = np.array([start for start, _ in units])
    # The last character decides: a token may carry the blank before its word.
    last = np.maximum(offsets[:, 1] - 1, offsets[:, 0])
    place = np.searchsorted(ends, last, side="right")
    inside = (place < len(units)) & (starts[np.minimum(place, len(units) - 1)] <= last)
    found: NDArray[np.int64] = np.where(inside & (offsets[:, 1] > offsets[:, 0]), place, -1)
    return found


def cut(
    example: int,
    ids: NDArray[np.int32],
    owner: NDArray[np.int64],
    tags: NDArray[np.int64],
    features: Sequence[NDArray[np.int64]],
    *,
    room: int,
) -> list[Piece]:
    """Cut between units where there are more than ``room`` tokens."""
    pieces: list[Piece] = []
    token, unit = 0, 0
    while True:
        end = min(token + room, len(ids))
        last_unit = len(tags)
        if end < len(ids):
            inside = owner[token:end]
            last_unit = max(unit + 1, int(inside.max(initial=-1)))
            beyond = np.flatnonzero(owner[token:] >= last_unit)
            if len(beyond) and 0 < beyond[0] < room:
                end = token + int(beyond[0])
        local = owner[token:end]
        pieces.append(
            Piece(
                example=example,
                ids=ids[token:end],
                owner=np.where((local >= unit) & (local < last_unit), local - unit, -1),
                tags=tags[unit:last_unit],
                features=features[unit:last_unit],
            )
        )
        if end >= len(ids):
            return pieces
        token, unit = end, last_unit


def sparse(pieces: Sequence[Piece], most: int) -> Tensors:
    """The tensors features (M,), feature_starts (B*U,): where those of each unit begin.

    There are as many units for each piece; those beyond its own have no features.
    """
    units = [
        one for piece in pieces for one in (*piece.features, *[NO_FEATURES] * (most - len(piece.features)))
    ]
    sizes = np.array([len(one) for one in units], dtype=np.int64)
    return tensors(features=np.concatenate(units), feature_starts=np.cumsum(sizes) - sizes)

"""Pairs as something to look up: each first text asks for its second one among those of all pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolect.core.results import Place
from autolect.text.labels.pairs import PairExample

AT_ONCE = 256
"""Texts that ask together."""
CLOSE = 1e-5
"""Scores nearer to each other than this are a tie: rounding must not decide who is first."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Texts that ask (N,), the M different texts to be found, and which of these are right for each (N,).

    Equal texts are one. The first of those that are right is the one of the pair itself.
    """

    asking: tuple[str, ...]
    texts: tuple[str, ...]
    right: tuple[tuple[int, ...], ...]

    def places(self, scores: Callable[[slice], NDArray[np.float32]]) -> list[Place]:
        """Where the second text of each pair comes; scores: some that ask -> (Q,M), higher is better.

        Other right texts do not stand in its way, and what is as good as it does.
        """
        found: list[Place] = []
        for begin in range(0, len(self.asking), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            for row, right in zip(scores(part), self.right[part], strict=True):
                found.append(self._place(row, right))
        return found

    def _place(self, scores: NDArray[np.float32], right: tuple[int, ...]) -> Place:
        others = scores.copy()
        others[list(right)] = -np.inf
        before = int((others >= scores[right[0]] - CLOSE).sum())
        return Place(rank=1 + before, first=self.texts[int(others.argmax()) if before else right[0]])


def lookup(pairs: Sequence[PairExample]) -> Lookup:
    """The pairs of one split."""
    texts = {text: number for number, text in enumerate(dict.fromkeys(pair.second for pair in pairs))}
    right: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for pair in pairs:
        right[pair.first][texts[pair.second]] = None
    return Lookup(
        asking=tuple(pair.first for pair in pairs),
        texts=tuple(texts),
        right=tuple(tuple(_own_first(texts[pair.second], right[pair.first])) for pair in pairs),
    )


def _own_first(own: int, right: dict[int, None]) -> Iterator[int]:
    yield own
    yield from (number for number in right if number != own)

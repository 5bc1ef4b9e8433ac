"""The token store: token ids of a split, memory-mapped, cut into sequences without losing a token."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import DamagedError

Ids = NDArray[np.int32]
Marks = NDArray[np.uint8]


WORD, SENTENCE = 1, 2
"""Bits of a token's mark: it begins a word; it begins a sentence."""
NO_STYLE = -1
"""Stands for the style of a document that has none."""


class TokenWriter:
    """Writes token ids to ``NAME.ids`` and, if it is marked, a byte of marks for each to ``NAME.marks``; of
    each document the end to ``NAME.ends.npy``, and the number of its style to ``NAME.styles.npy``.
    """

    def __init__(self, folder: Path, name: str, *, marked: bool) -> None:
        self._folder, self._name = folder, name
        self.marked = marked
        self._stream = (folder / f"{name}.ids").open("wb")
        self._marks = (folder / f"{name}.marks").open("wb") if marked else None
        self._ends, self._styles = array("q"), array("h")
        self.num_tokens = 0

    def add(self, ids: Ids, marks: Marks | None = None, *, style: int = NO_STYLE) -> None:
        """One document: ids (n,), their marks (n,) if there are any, and the number of its style."""
        self._stream.write(ids.astype("<i4").tobytes())
        if self._marks is not None:
            assert marks is not None, "a marked store has marks"
            assert len(ids) == len(marks), "each token has a mark"
            self._marks.write(marks.tobytes())
        self.num_tokens += len(ids)
        self._ends.append(self.num_tokens)
        self._styles.append(style)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._stream.close()
        if self._marks is not None:
            self._marks.close()
        if failed is None:
            self._finish()

    def _finish(self) -> None:
        np.save(self._folder / f"{self._name}.ends.npy", np.array(self._ends, dtype=np.int64))
        np.save(self._folder / f"{self._name}.styles.npy", np.array(self._styles, dtype=np.int16))


@dataclass(frozen=True)
class TokenStore:
    """Sequences of at most ``length`` ids, cut from one split's documents."""

    ids: Ids
    marks: Marks | None
    """None where the objective does not ask for them."""
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    documents: NDArray[np.int64]
    """Which document of the split each sequence is cut from."""
    styles: NDArray[np.int16]
    """The number of each sequence's style, `NO_STYLE` where there is none."""

    def __len__(self) -> int:
        return len(self.starts)

    def sequence(self, index: int) -> Ids:
        """The ids of one sequence, no specials."""
        return self.ids[self._place(index)]

    def marks_of(self, rows: NDArray[np.int64]) -> list[Marks] | None:
        """The marks of some sequences."""
        return None if self.marks is None else [self.marks[self._place(row)] for row in rows.tolist()]

    def sample(self, tokens: int) -> TokenStore:
        """About so many tokens of it, in whole sequences spread evenly; all where there are fewer."""
        share = min(1.0, tokens / max(1, int(self.lengths.sum())))
        chosen = np.linspace(0, max(0, len(self) - 1), math.ceil(share * len(self))).astype(np.int64)
        return replace(
            self,
            starts=self.starts[chosen],
            lengths=self.lengths[chosen],
            documents=self.documents[chosen],
            styles=self.styles[chosen],
        )

    def _place(self, index: int) -> slice:
        start = int(self.starts[index])
        return slice(start, start + int(self.lengths[index]))


def open_store(folder: Path, name: str, *, length: int) -> TokenStore:
    """Map a split; documents longer than ``length`` become several sequences of like size."""
    path = folder / f"{name}.ids"
    ends = np.load(folder / f"{name}.ends.npy", allow_pickle=False)
    total = int(ends[-1]) if len(ends) else 0
    marked = folder / f"{name}.marks"
    has_marks = marked.exists()
    for place, size in ((path, 4 * total), *([(marked, total)] if has_marks else [])):
        if place.stat().st_size != size:
            raise DamagedError(f"{place.name!r} is cut short", where=str(folder), fix="prepare again")
    ids = np.memmap(path, dtype="<i4", mode="r") if total else np.zeros(0, dtype=np.int32)
    marks = None
    if has_marks:
        marks = np.memmap(marked, dtype=np.uint8, mode="r") if total else np.zeros(0, dtype=np.uint8)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if total else ends
    starts, lengths, cut_from = _cut(begins, ends - begins, length)
    styles = np.load(folder / f"{name}.styles.npy", allow_pickle=False)
    return TokenStore(
        ids=ids, marks=marks, starts=starts, lengths=lengths, documents=cut_from, styles=styles[cut_from]
    )


def _cut(
    begins: NDArray[np.int64], sizes: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut each document into the fewest pieces of at most ``length``, all of like size: starts, lengths, and
    the document of each piece.
    """
    pieces = -(-sizes // length)
    document = np.repeat(np.arange(len(sizes)), pieces)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    place = np.arange(len(document)) - first
    share, count = sizes[document], pieces[document]
    low, high = share * place // count, share * (place + 1) // count
    return begins[document] + low, high - low, document

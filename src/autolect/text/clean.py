"""Cleaning in named steps that never lose track: every character of the result knows where it stood.

`clean_steps` says what each step would change; `Cleaner` applies it, composes the offsets and keeps count.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import UserError
from autolect.text.clean_steps import SETTLING, STEPS, Change, Edit, Step, stop_words

__all__ = ["PROFILES", "STEPS", "Change", "Cleaned", "Cleaner", "Edit", "Step"]

PROFILES: Mapping[str, tuple[str, ...]] = {
    "faithful": ("mojibake", "unicode", "markup", "whitespace"),
    "classic": ("mojibake", "unicode", "markup", "specials", "punctuation", "stopwords", "whitespace"),
}
"""Mojibake comes first, because the control characters that "unicode" removes are part of it."""

_MOST_RETURNS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A cleaned text, and for each of its characters the place in the original that it came from."""

    text: str
    offsets: NDArray[np.int32]
    """(len(text),), never decreasing."""


class Cleaner:
    """Applies steps to one text after the other.

    steps: a profile's name or step names in order.  language: ISO 639-1 code, for stop words.  Raises
    UserError for an unknown step and for a language without stop words when they are to be removed.
    """

    def __init__(self, steps: str | Sequence[str], *, language: str) -> None:
        self.steps = _resolved(steps)
        self.removed = dict.fromkeys(self.steps, 0)
        """Step -> characters removed or changed so far."""
        self._language = language
        self._passes = [(name, part) for name in self.steps for part in STEPS[name]]
        if "stopwords" in self.steps:
            stop_words(language)

    def clean(self, text: str) -> Cleaned:
        """The cleaned text with its offsets.

        A change may lay bare what an earlier step looks for (an entity that was a zero-width space). So
        the steps that settle begin again after each change, and cleaning what is clean changes nothing;
        the others, such as stop words, are applied once.
        """
        offsets: NDArray[np.int32] | None = None
        applied: set[int] = set()
        at = returns = 0
        while at < len(self._passes):
            name, part = self._passes[at]
            change = [] if at in applied else part(text, self._language)
            if name not in SETTLING:
                applied.add(at)
            at += 1
            if not change:
                continue
            if isinstance(change, str):
                self.removed[name] += _num_different(text, change)
                text = change
            else:
                self.removed[name] += sum(
                    e - s - (len(new) if new in text[s:e] else 0) for s, e, new in change
                )
                text, came_from = _apply(text, change)
                offsets = came_from if offsets is None else offsets[came_from]
            if name in SETTLING and returns < _MOST_RETURNS:
                at, returns = 0, returns + 1
        return Cleaned(text, np.arange(len(text), dtype=np.int32) if offsets is None else offsets)


def _resolved(steps: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(steps, str):
        if steps not in PROFILES:
            raise _unknown(steps, "profile", tuple(PROFILES))
        return PROFILES[steps]
    for name in steps:
        if name not in STEPS:
            raise _unknown(name, "step", tuple(STEPS))
    return tuple(dict.fromkeys(steps))


def _unknown(name: str, kind: str, known: Sequence[str]) -> UserError:
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {near[0]!r}? " if near else ""
    return UserError(
        f"there is no {kind} {name!r}", where="corpus.clean", fix=f"{fix}known: {', '.join(known)}"
    )


def _apply(text: str, edits: list[Edit]) -> tuple[str, NDArray[np.int32]]:
    """The edited text and (length,) places in the old one; a replacement spreads over what it replaced."""
    pieces: list[str] = []
    origins: list[int] = []
    at = 0
    for start, end, new in edits:
        pieces += (text[at:start], new)
        origins += (at, start)
        at = end
    pieces.append(text[at:])
    origins.append(at)
    lengths = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
    begins = np.cumsum(lengths) - lengths
    came_from = np.repeat(np.array(origins) - begins, lengths) + np.arange(lengths.sum())
    for (start, end, new), begin in zip(edits, begins[1::2].tolist(), strict=True):
        if len(new) > 1:
            came_from[begin : begin + len(new)] = start + np.arange(len(new)) * (end - start) // len(new)
    return "".join(pieces), came_from.astype(np.int32)


def _num_different(old: str, new: str) -> int:
    assert len(old) == len(new)
    both = [np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4") for text in (old, new)]
    return int((both[0] != both[1]).sum())

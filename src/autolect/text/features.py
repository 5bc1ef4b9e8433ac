"""Sparse features of texts and of tokens: runs of characters and words, affixes, shapes, neighbours.

They serve the feature CRF, and the wide part of a task's head.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autolect.text import segment
from autolect.text.word_classes import WordClasses, covering

_AFFIX = 4
_REACH = 2
_LONGEST = 4


def text_features(text: str, *, language: str) -> list[list[str]]:
    """Six kinds, as often as they stand there: words, pairs of words, and runs of 1, 2, 3 and 4 characters.

    Case is folded; runs stay inside words where blanks part them.
    """
    text = text.lower()
    words = [text[start:end] for start, end in segment.words(text, language=language)]
    kinds = [[f"w={word}" for word in words], [f"p={a} {b}" for a, b in itertools.pairwise(words)]]
    unspaced = sum(map(segment.is_cjk, text)) * 2 > len(text.replace(" ", ""))
    pieces = [text] if unspaced else [f" {word} " for word in words]
    for size in range(1, _LONGEST + 1):
        kinds.append([f"{size}={one[at : at + size]}" for one in pieces for at in range(len(one) - size + 1)])
    return kinds


def buckets(features: Sequence[str], *, count: int) -> NDArray[np.int64]:
    """Each feature's bucket among ``count``, the same on every machine (Weinberger 2009)."""
    return np.array([zlib.crc32(one.encode("utf-8", "replace")) % count for one in features], dtype=np.int64)


def word_features(tokens: Sequence[str]) -> list[list[str]]:
    """Features of each token: form, affixes and shape of itself, forms and shapes around it, pairs."""
    own = [_form(token) for token in tokens]
    shapes = [_shape(token) for token in tokens]
    lower = [token.lower() for token in tokens]
    rows = []
    for at in range(len(tokens)):
        row = ["bias", *own[at]]
        for step in range(-_REACH, _REACH + 1):
            if step == 0:
                continue
            row.append(f"{step}w={_at(lower, at + step)}")
            row.append(f"{step}s={_at(shapes, at + step)}")
        for step in range(-_REACH, _REACH):
            row.append(f"{step}p={_at(lower, at + step)} {_at(lower, at + step + 1)}")
        rows.append(row)
    return rows


def character_features(tokens: Sequence[str]) -> list[list[str]]:
    """Features of each character: every run of 1-3 characters within two of it."""
    rows = []
    for at in range(len(tokens)):
        window = [_at(tokens, at + step) for step in range(-_REACH, _REACH + 1)]
        row = ["bias", f"s={_shape(tokens[at])}"]
        for size in (1, 2, 3):
            for first in range(len(window) - size + 1):
                row.append(f"{first - _REACH}c{size}={''.join(window[first : first + size])}")
        rows.append(row)
    return rows


def token_features(tokens: Sequence[str]) -> list[list[str]]:
    """Features of each token; those of a character too where it is a single CJK one."""
    rows = word_features(tokens)
    if not any(map(_is_character, tokens)):
        return rows
    return [
        [*row, *more] if _is_character(token) else row
        for token, row, more in zip(tokens, rows, character_features(tokens), strict=True)
    ]


def company_features(tokens: Sequence[str], classes: WordClasses | None, *, language: str) -> list[list[str]]:
    """Features of each token: the classes of its word and of those around it (Turian 2010); of a single
    Chinese character also that word, and where in it the character stands.
    """
    words = covering(tokens, language=language)
    if classes is None:
        classes = WordClasses((), np.zeros((0, 0), dtype=np.int64))
    known = [[f"{grain}={place}{one}" for grain, one in enumerate(classes.of(word))] for word, place in words]
    rows = []
    for at, (_, place) in enumerate(words):
        row = [f"{step}C{one}" for step in _steps(at, len(tokens), _REACH) for one in known[at + step]]
        if place:
            row += [
                part
                for step in _steps(at, len(tokens), 1)
                for part in (f"{step}W={words[at + step][0]}", f"{step}P={words[at + step][1]}")
            ]
        rows.append(row)
    return rows


def in_characters(texts: Sequence[Sequence[str]]) -> bool:
    """Whether most tokens of these texts that have a CJK character are nothing but one: Chinese cut in
    characters.
    """
    single = longer = total = 0
    for tokens in texts:
        total += len(tokens)
        for token in tokens:
            if segment.is_cjk(token[0]):
                single += len(token) == 1
                longer += len(token) > 1
    # Words of Chinese text are single characters about half of the time.
    return single > 4 * longer and single * 2 > total


def _steps(at: int, count: int, reach: int) -> range:
    """From a place to those around it that there are."""
    return range(-min(reach, at), min(reach, count - 1 - at) + 1)


def _is_character(token: str) -> bool:
    return len(token) == 1 and segment.is_cjk(token)


def _at(values: Sequence[str], at: int) -> str:
    """A neighbour, or a mark that no token can be mistaken for beyond either end."""
    if at < 0:
        return "<\t"
    return values[at] if at < len(values) else ">\t"


@functools.lru_cache(maxsize=1 << 16)
def _form(token: str) -> tuple[str, ...]:
    lower = token.lower()
    affixes = [f"<{lower[:size]}" for size in range(1, min(_AFFIX, len(lower)) + 1)]
    affixes += [f"{lower[-size:]}>" for size in range(1, min(_AFFIX, len(lower)) + 1)]
    return (f"w={token}", f"l={lower}", f"s={_shape(token)}", f"S={_shape(token, whole=True)}", *affixes)


@functools.lru_cache(maxsize=1 << 16)
def _shape(token: str, *, whole: bool = False) -> str:
    """The kinds of the characters (X upper, x lower, 9 digit, 字 CJK), runs shortened unless whole."""
    shape: list[str] = []
    for char in token[:32]:
        kind = _kind(char)
        if whole or not shape or shape[-1] != kind:
            shape.append(kind)
    return "".join(shape)


def _kind(char: str) -> str:
    if char.isupper():
        return "X"
    if char.isdigit():
        return "9"
    if segment.is_cjk(char):
        return "字" if char.isalpha() else char
    return "x" if char.isalpha() else char

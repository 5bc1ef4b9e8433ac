"""Classes of words that stand in like company, coarse and fine: what is known of words that no label shows.

Numbers of such classes are features beside a word's form (Brown 1992; Miller, Guinness & Zamanian 2004).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import regex
from numpy.typing import NDArray

from autolect.core.errors import DamagedError
from autolect.text import segment

FILE = "words.classes.json"
CUT = 4
"""Text with no more than a fourth as many longer Chinese tokens as single characters is cut in characters."""


class WordClasses:
    """(N,R) the class of each of N words at each of R grains, coarse ones first."""

    def __init__(self, words: Sequence[str], numbers: NDArray[np.integer]) -> None:
        self.words, self.numbers = tuple(words), numbers
        self._known = dict(zip(words, map(tuple, numbers.tolist()), strict=True))

    def of(self, word: str) -> tuple[int, ...]:
        """The classes of a word, case aside; none of an unknown one."""
        return self._known.get(word.lower(), ())

    def save(self, folder: Path) -> None:
        """Write them into a folder that its owner makes durable."""
        content = {"words": self.words, "numbers": self.numbers.tolist()}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> WordClasses | None:
        """What `save` wrote; None where there is none. DamagedError where it cannot be read."""
        if not (folder / FILE).exists():
            return None
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return WordClasses(content["words"], np.array(content["numbers"], dtype=np.int64))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise DamagedError(f"cannot be read ({error})", where=str(folder / FILE)) from None


def covering(tokens: Sequence[str], *, language: str) -> list[tuple[str, str]]:
    """Each token and nothing, or where text is cut in Chinese characters its word and its place there.

    B is first, M inside, E last, S alone.
    """
    found = [(token, "") for token in tokens]
    single = [_is_character(token) for token in tokens]
    longer = sum(segment.is_cjk(token[:1]) and not one for token, one in zip(tokens, single, strict=True))
    if sum(single) <= CUT * longer:
        return found
    for characters, run in itertools.groupby(range(len(tokens)), lambda at: single[at]):
        places = list(run)
        text = "".join(tokens[at][0] for at in places) if characters else ""
        for start, end in segment.words(text, language=language):
            parts = ["B", *"M" * (end - start - 2), "E"] if end - start > 1 else ["S"]
            for at, part in zip(places[start:end], parts, strict=True):
                found[at] = (text[start:end], part)
    return found


def _is_character(token: str) -> bool:
    """Whether a token is one character of such a script, its marks aside."""
    return segment.is_cjk(token[:1]) and len(regex.sub(r"\p{M}+", "", token)) == 1

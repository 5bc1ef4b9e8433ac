"""Classes of words that stand in like company, coarse and fine: what is known of words that no label shows.

Numbers of such classes are features beside a word's form (Brown 1992; Miller, Guinness & Zamanian 2004).
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.core.errors import DamagedError
from autolect.text import segment

FILE, KEYS = "words.classes.safetensors", "words.keys.json"


class WordClasses:
    """(N,R) the class of each of N words at each of R grains, coarse ones first."""

    def __init__(self, words: list[str], numbers: NDArray[np.uint16]) -> None:
        assert len(numbers) <= len(words), "a row is the class of a word"
        self.words, self.numbers = words, numbers

    def of(self, word: str) -> tuple[int, ...]:
        """The classes of a word, case aside; none of an unknown one."""
        return self._known.get(word.lower(), ())

    def save(self, folder: Path) -> None:
        """Write the numbers into a folder that its owner makes durable, beside the vectors."""
        from safetensors.numpy import save_file

        save_file({"numbers": self.numbers}, folder / FILE)

    @staticmethod
    def load(folder: Path) -> WordClasses | None:
        """What `save` wrote; None where there is none. DamagedError where it cannot be read."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if not (folder / FILE).exists():
            return None
        try:
            words = json.loads((folder / KEYS).read_text(encoding="utf-8"))
            return WordClasses(words, load_file(folder / FILE)["numbers"])
        except (OSError, ValueError, SafetensorError, KeyError, AssertionError) as error:
            raise DamagedError(f"cannot be read ({error})", where=str(folder / FILE)) from None

    @functools.cached_property
    def _known(self) -> dict[str, tuple[int, ...]]:
        rows = map(tuple, self.numbers.tolist())
        return dict(zip(self.words, rows, strict=False))


def covering(tokens: Sequence[str]) -> list[tuple[str, str]]:
    """Each token, or where text is cut in Chinese characters its word; and where in that it stands.

    B is first, M inside, E last, S alone.
    """
    found = [(token, "S") for token in tokens]
    if any(len(token) > 1 and segment.is_cjk(token[0]) for token in tokens):
        return found
    for characters, run in itertools.groupby(range(len(tokens)), lambda at: segment.is_cjk(tokens[at][:1])):
        places = list(run)
        text = "".join(tokens[at] for at in places)
        for start, end in segment.words(text, language="zh") if characters else ():
            parts = ["B", *"M" * (end - start - 2), "E"] if end - start > 1 else ["S"]
            for at, part in zip(places[start:end], parts, strict=True):
                found[at] = (text[start:end], part)
    return found

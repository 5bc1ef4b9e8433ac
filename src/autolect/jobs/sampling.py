"""A sample of a corpus that stands for the whole: which texts, and how what they took grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autolect.core.recipe import CorpusConfig
from autolect.jobs.init import characters, sample
from autolect.text import readers

SAMPLED = 1_000_000
"""Characters of the corpus that walk the way; all of it where there are fewer."""
LEAST_TEXTS = 20
"""No document is more than its share of the sample; with fewer in the smaller sample there is none."""
MOST_FILES = 200
"""Of more files, so many spread through them are sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The sizes of two samples and of the whole, in characters."""

    few: float
    many: float
    size: float

    def through(self, few: float, many: float) -> float:
        """Seconds of the whole, on the straight line through those of the samples; never less than theirs.

        Where the samples are nearly of one size, all seconds are taken to grow with the text.
        """
        if self.many < 2 * self.few or not self.few:
            return many * max(1.0, self.size / max(1.0, self.many))
        slope = max(0.0, many - few) / (self.many - self.few)
        return many + slope * max(0.0, self.size - self.many)


def taken(corpus: CorpusConfig) -> tuple[list[dict[str, str]], float]:
    """Documents from the beginnings of the files, long ones cut, and the characters of all files, about."""
    read: dict[str, Any] = {"encoding": corpus.encoding, "document": corpus.document}
    paths = readers.expand(corpus.files)
    every = max(1, len(paths) // MOST_FILES)
    chosen, _, ratio = paths[::every], *sample(paths, corpus.column, **read)
    sizes = {path: characters(path, corpus.column, ratio, encoding=corpus.encoding) for path in paths}
    share = SAMPLED / max(1.0, sum(sizes[path] for path in chosen))
    texts: list[dict[str, str]] = []
    whole, exact = every == 1, 0
    for path in chosen:
        left = int(share * sizes[path]) if share < 1 else SAMPLED
        for document in readers.read(path, column=corpus.column, style=corpus.style, **read):
            if left <= 0:
                whole = False
                break
            most = min(left, SAMPLED // LEAST_TEXTS) if share < 1 else len(document.text)
            whole = whole and len(document.text) <= most
            texts.append({"text": document.text[:most], "style": document.style})
            left -= len(texts[-1]["text"]) if share < 1 else 0
            exact += len(texts[-1]["text"])
    return texts, float(exact) if whole else sum(sizes.values())

"""texts -> groups of texts that are about the same, with the words that tell them apart, and a map."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolect.core import files
from autolect.core.errors import UserError
from autolect.core.progress import Progress
from autolect.jobs.finding import embedded
from autolect.jobs.using.use import load
from autolect.report import grouping, page
from autolect.text import readers, segment
from autolect.text.clean_steps import stop_words

KIND = "clusters"
GROUPS, PAGE = "clusters.jsonl", "report.html"
NONE = -1
"""The group of texts that belong to none."""
DIMENSIONS = 32
"""In which groups are looked for: distances in more say little."""
KEYWORDS, EXAMPLES = 10, 3
MOST_MAPPED = 3000
"""Texts that the map shows."""
LEAST = 10
"""Texts whose density says something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Texts about the same: the words that it has more than others, and those nearest to its middle."""

    number: int
    size: int
    keywords: tuple[str, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """All groups, largest first."""

    groups: tuple[Group, ...]
    texts: int
    """Of all files, those that belong to no group too."""

    @property
    def outside(self) -> int:
        """Texts that belong to no group."""
        return self.texts - sum(one.size for one in self.groups)


def cluster(
    folder: Path,
    model: Path,
    patterns: Sequence[str],
    *,
    column: str,
    encoding: str = "utf-8",
    count: int | None,
    seed: int,
    progress: Progress,
) -> Grouping:
    """Group the texts of files; count: how many groups, None lets their density say (HDBSCAN).

    An earlier result in the folder is replaced.
    """
    files.refuse_other(folder, kind=KIND)
    lect = load(model)
    documents = readers.gather(patterns, column=column, encoding=encoding)
    if len(documents) < (LEAST if count is None else count):
        what = f"{len(documents)} text(s) are too few to group"
        raise UserError(what, where=patterns[0], fix="name more files, or --count fewer groups")
    texts = [one.text for one in documents]
    vectors = embedded(lect, texts, progress=progress)
    progress.say(f"clusters: grouping {len(texts):,} texts")
    places = grouped(vectors, count=count, seed=seed)
    groups = _described(texts, vectors, places, language=lect.info.language)
    points = _mapped(vectors, seed=seed)
    with files.saving(folder, kind=KIND, facts={"texts": len(texts), "groups": len(groups)}) as beside:
        lines = [
            json.dumps(
                {"text": one.text, "where": one.where, "cluster": int(place), "at": point.tolist()},
                ensure_ascii=False,
            )
            for one, place, point in zip(documents, places, points, strict=True)
        ]
        (beside / GROUPS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        shown = np.linspace(0, len(texts) - 1, min(MOST_MAPPED, len(texts))).astype(int)
        html = page.render(
            f"Groups of {len(texts):,} texts",
            subtitle=f"by {lect.name}",
            headline=grouping.headline(groups, len(texts)),
            chapters=grouping.chapters(groups, points[shown].tolist(), places[shown].tolist()),
        )
        (beside / PAGE).write_text(html, encoding="utf-8")
    return Grouping(groups=tuple(groups), texts=len(texts))


def grouped(vectors: NDArray[np.float32], *, count: int | None, seed: int) -> NDArray[np.int64]:
    """Unit vectors (N,D) -> the group of each, largest first, `NONE` for what belongs to none."""
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.decomposition import PCA

    dimensions = min(DIMENSIONS, *vectors.shape)
    flat = PCA(dimensions, random_state=seed).fit_transform(vectors)
    if count is not None:
        found = KMeans(count, n_init=10, random_state=seed).fit_predict(flat)
    else:
        found = HDBSCAN(min_cluster_size=max(5, len(vectors) // 200), copy=True).fit_predict(flat)
    sizes = Counter(int(one) for one in found if one != NONE)
    order = {number: place for place, (number, _) in enumerate(sizes.most_common())} | {NONE: NONE}
    return np.array([order[int(one)] for one in found], dtype=np.int64)


def keywords(texts: Sequence[str], places: NDArray[np.int64], *, language: str) -> list[tuple[str, ...]]:
    """The words that each group has more often than the others (class-based TF-IDF: Grootendorst 2022)."""
    counts: list[Counter[str]] = [Counter() for _ in range(int(places.max(initial=NONE)) + 1)]
    total: Counter[str] = Counter()
    try:
        dull = stop_words(language)
    except UserError:
        dull = frozenset()  # There is no list for this language.
    for text, place in zip(texts, places.tolist(), strict=True):
        low = text.lower()
        words = [low[start:end] for start, end in segment.words(low, language=language)]
        words = [word for word in words if word.isalpha() and word not in dull]
        words = [word for word in words if len(word) > 2 or segment.is_cjk(word[0])]
        total.update(words)
        if place != NONE:
            counts[place].update(words)
    usual = sum(total.values()) / max(1, len(counts))

    def weight(word: str, group: Counter[str]) -> float:
        return group[word] / group.total() * float(np.log1p(usual / total[word]))

    return [
        tuple(sorted(group, key=lambda word: (-weight(word, group), word))[:KEYWORDS]) for group in counts
    ]


def _described(
    texts: Sequence[str], vectors: NDArray[np.float32], places: NDArray[np.int64], *, language: str
) -> list[Group]:
    words = keywords(texts, places, language=language)
    groups = []
    for number, some in enumerate(words):
        inside = np.flatnonzero(places == number)
        middle = vectors[inside].mean(axis=0)
        nearest = inside[np.argsort(-(vectors[inside] @ middle), kind="stable")[:EXAMPLES]]
        groups.append(
            Group(
                number=number,
                size=len(inside),
                keywords=some,
                examples=tuple(texts[at] for at in nearest.tolist()),
            )
        )
    return groups


def _mapped(vectors: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """(N,2) where each text stands on the map: by t-SNE, or along two directions if there are many."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    flat = PCA(min(DIMENSIONS, *vectors.shape), random_state=seed).fit_transform(vectors)
    if len(vectors) > MOST_MAPPED or len(vectors) < 10:
        found = np.zeros((len(vectors), 2), np.float32)
        found[:, : flat.shape[1]] = flat[:, :2]
        return found
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    mapped: NDArray[np.float32] = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(
        flat
    )
    return mapped

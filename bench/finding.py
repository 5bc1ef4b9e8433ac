"""Finding texts: BM25, vectors, and both together, on Cranfield's judged queries and on films of one genre.

python bench/finding.py DATA BUNDLE

nDCG@10 and MAP. Cranfield: 225 queries, any judgement counts as relevant. Films: each of 500 descriptions
asks for films that share a genre with it. What is chosen is chosen on the odd queries; the even ones tell.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core.progress import Silent
from autolect.jobs.finding import embedded, fit, joined
from autolect.jobs.using.use import load
from autolect.text import lexical

Asked = tuple[list[str], list[str], list[set[int]], tuple[list[int], list[int]]]
"""Texts, queries, which texts are relevant to each, and the places (query, text) where a text asks itself."""

DEPTH = 10
FILMS = 500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundle", type=Path)
    given = parser.parse_args()
    lect = load(given.bundle)
    print("| set | queries | way | nDCG@10 | MAP |\n| --- | --- | --- | --- | --- |")
    for name, make in (("retrieval-en-cranfield", cranfield), ("recommend-en-netflix", netflix)):
        texts, queries, relevant, own = make(given.data / name)
        postings = lexical.Postings.of(texts, language=lect.info.language)
        asked = lexical.asked(queries, language=lect.info.language)
        words = postings.scores(asked)
        vectors = embedded(lect, queries, progress=Silent()) @ embedded(lect, texts, progress=Silent()).T
        for scores in (words, vectors):
            scores[own] = -1
        ways = {
            "words (BM25)": words,
            "vectors": vectors,
            "both": joined(words.copy(), vectors, own=own),
            "both, followed up": fit(postings, asked, vectors, own=own),
        }
        for half, some in (("odd", slice(0, None, 2)), ("even", slice(1, None, 2)), ("all", slice(None))):
            for way, scores in ways.items():
                gain, precision = measured(scores[some], relevant[some])
                print(f"| {name} | {half} | {way} | {gain:.3f} | {precision:.3f} |", flush=True)


def measured(scores: NDArray[np.float32], relevant: Sequence[set[int]]) -> tuple[float, float]:
    """Mean nDCG@10 and mean average precision."""
    gains, precisions = [], []
    for row, wanted in zip(scores, relevant, strict=True):
        order = np.argsort(-row, kind="stable")
        hits = np.isin(order, list(wanted))
        discount = 1 / np.log2(np.arange(2, DEPTH + 2))
        ideal = discount[: min(DEPTH, len(wanted))].sum()
        gains.append(float((hits[:DEPTH] * discount).sum() / ideal))
        places = np.flatnonzero(hits)
        precisions.append(float((np.arange(1, len(places) + 1) / (places + 1)).sum() / len(wanted)))
    return float(np.mean(gains)), float(np.mean(precisions))


def cranfield(folder: Path) -> Asked:
    """Title and abstract of each document; the judgements count queries by their place."""
    documents = [f"{one['T']} {one['W']}" for one in _smart(next(folder.glob("cran.all*")))]
    queries = [one["W"] for one in _smart(next(folder.glob("cran.qry*")))]
    relevant: list[set[int]] = [set() for _ in queries]
    for line in _text(next(folder.glob("cranqrel*"))).splitlines():
        if line.strip():
            query, document, *_ = line.split()
            relevant[int(query) - 1].add(int(document) - 1)
    return documents, queries, relevant, ([], [])


def netflix(folder: Path) -> Asked:
    """Descriptions; those of one genre with it are what one asks for, itself left out."""
    rows = list(csv.DictReader(io.StringIO(_text(next(folder.glob("*.csv*"))))))
    texts = [row["description"] for row in rows]
    genres = [set(row["listed_in"].split(", ")) for row in rows]
    asked = np.random.default_rng(0).choice(len(rows), FILMS, replace=False).tolist()
    relevant = [{at for at, one in enumerate(genres) if one & genres[film] and at != film} for film in asked]
    return texts, [texts[film] for film in asked], relevant, (list(range(FILMS)), asked)


def _smart(path: Path) -> list[dict[str, Any]]:
    """Entries of the SMART format: .I begins one, .X a field of it."""
    found: list[dict[str, Any]] = []
    for entry in re.split(r"^\.I \d+\s*$", _text(path), flags=re.MULTILINE)[1:]:
        parts = re.split(r"^\.([A-Z])\s*$", entry, flags=re.MULTILINE)
        fields = dict(zip(parts[1::2], (" ".join(part.split()) for part in parts[2::2]), strict=True))
        found.append({"T": "", "W": "", **fields})
    return found


def _text(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")


if __name__ == "__main__":
    main()

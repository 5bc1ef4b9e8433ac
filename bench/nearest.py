"""Searching an index of many texts: exactly, as autolect does, and by an approximate graph (usearch).

make bench-setup; python bench/nearest.py BUNDLE TEXT --sizes 20000 200000

An index is made of the first lines of TEXT, and asked for the last lines of it. Told are the seconds that
making it took, opening it, and answering one query and many, and what exact cosines take of that; beside them
how long the graph takes to build over the same vectors and to answer, and how many of the ten nearest it
finds. One thread; what is on the disk has just been read or written, so that it is in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from _race import PEERS, ROUNDS, processor

NEAREST, QUERIES = 10, 64


def main() -> int:
    """A row a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        print(json.dumps(graph(given.bundle)))
        return 0
    print(f"{processor()}, one thread\n")
    names = ("texts", "made", "opened", "one query", "its cosines", "64 queries", "their cosines")
    print(f"| {' | '.join(names)} | graph: made | one query | 64 queries | finds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    lines = [line for line in given.text.read_text(encoding="utf-8").split("\n") if line.strip()]
    if len(lines) < max(given.sizes) + QUERIES:
        parser.error(f"{given.text} has {len(lines):,} lines")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
            found = measured(Path(place), given.bundle, lines[:size], lines[-QUERIES:])
        shown = (
            f"{found['texts']:,}",
            f"{found['made']:.0f} s",
            f"{found['opened']:.2f} s",
            f"{1000 * found['one']:.0f} ms",
            f"{1000 * found['cosine']:.0f} ms",
            f"{found['many']:.2f} s",
            f"{found['cosines']:.3f} s",
            f"{found['graph']:.0f} s",
            f"{1000 * found['step']:.1f} ms",
            f"{found['walked']:.3f} s",
            f"{found['recall']:.0%}",
        )
        print(f"| {' | '.join(shown)} |", flush=True)
    return 0


def measured(folder: Path, bundle: Path, lines: list[str], queries: list[str]) -> dict[str, Any]:
    """Figures of one index and of the graph over its vectors."""
    from autolect.core.progress import Silent
    from autolect.jobs import finding

    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    place, found = folder / "index", {}
    started = time.monotonic()
    finding.index(place, bundle, [str(folder / "text.txt")], column="text", progress=Silent())
    found["made"] = time.monotonic() - started
    started = time.monotonic()
    index = finding.Index(place)
    found |= {"opened": time.monotonic() - started, "texts": len(index)}
    found["one"] = taken(lambda: index.search(queries[:1]))
    found["many"] = taken(lambda: index.search(queries))
    vectors = np.load(place / finding.VECTORS)
    asked = index.lect.embed(queries)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    found["cosine"] = taken(lambda: nearest(asked[:1], vectors))
    found["cosines"] = taken(lambda: nearest(asked, vectors))
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", asked)
    words = [str(PEERS), __file__, "--peer", str(folder), "-"]
    walked = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    exact = [set(row) for row in nearest(asked, vectors).tolist()]
    hits = [len(row & set(other)) for row, other in zip(exact, walked.pop("found"), strict=True)]
    return found | walked | {"recall": sum(hits) / (NEAREST * len(hits))}


def nearest(asked: Any, vectors: Any) -> Any:
    """The ten nearest of each query, in any order."""
    return np.argpartition(-(asked @ vectors.T), NEAREST, axis=1)[:, :NEAREST]


def taken(work: Callable[[], object]) -> float:
    """The median of some rounds, the first left out."""
    seconds = []
    for _ in range(ROUNDS + 1):
        started = time.monotonic()
        work()
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds[1:])


def graph(folder: Path) -> dict[str, Any]:
    """Of usearch: seconds to build its graph and to answer, and what it finds."""
    from usearch.index import Index

    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    index = Index(ndim=vectors.shape[1], metric="cos", dtype="f16")
    started = time.monotonic()
    index.add(np.arange(len(vectors)), vectors, threads=1)
    built = time.monotonic() - started
    step = taken(lambda: index.search(queries[0], NEAREST, threads=1))
    walked = taken(lambda: index.search(queries, NEAREST, threads=1))
    found = index.search(queries, NEAREST, threads=1).keys.tolist()
    return {"graph": built, "step": step, "walked": walked, "found": found}


if __name__ == "__main__":
    sys.exit(main())

"""Time and memory of everything before training, as the corpus grows: documents, tokens, vectors.

python bench/growth.py --sizes 2 8 32 128

The text is that of data/, again and again with a tenth of its words exchanged, so that nothing is a repeat.
Each size is one process. Writes docs/growth.svg; memory should be flat and time a straight line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _race import ROOT, processor

EVERY = 0.1
"""Seconds from one look at the memory to the next."""
CHANGED = 0.1
"""Share of the words that are exchanged in each copy."""


def main() -> int:
    """Walk each size, print a table and the ratios, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 8, 32], metavar="MB")
    given = parser.parse_args()
    found = []
    print(f"## growth\n\nDocuments, tokens and vectors of English text, one process each.\n\n{processor()}\n")
    print("| text | seconds | seconds a MB | own memory at its worst | with mapped files | |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
            one = walked(Path(place), size)
        found.append(one)
        stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in one["stages"].items())
        each = one["seconds"] / size
        print(
            f"| {size} MB | {one['seconds']:.1f} | {each:.2f} | {one['memory'] / 1e6:,.0f} MB"
            f" | {one['mapped'] / 1e6:,.0f} MB | {stages} |",
            flush=True,
        )
    drawn(given.sizes, found, ROOT / "docs" / "growth.svg")
    least, most = found[0], found[-1]
    times = given.sizes[-1] / given.sizes[0]
    print("\n![Time and memory](growth.svg)\n")
    print(
        f"growth text x{times:.0f}: seconds x{most['seconds'] / least['seconds']:.1f},"
        f" memory x{most['memory'] / least['memory']:.2f}"
    )
    return 0


def walked(folder: Path, size: int) -> dict[str, Any]:
    """Seconds and memory of one corpus of so many megabytes."""
    write(folder / "text.txt", size * 1_000_000)
    (folder / "recipe.toml").write_text(
        'corpus.files = ["text.txt"]\ncorpus.language = "en"\n', encoding="utf-8"
    )
    words = [sys.executable, "-m", "autolect", "vectors", str(folder / "recipe.toml"), "--quiet", "--json"]
    started = time.monotonic()
    program = subprocess.Popen([*words, "--out", str(folder / "run")], stdout=subprocess.PIPE, text=True)
    own = 0
    while True:
        done, status, usage = os.wait4(program.pid, os.WNOHANG)
        if done:
            break
        own = max(own, _own_memory(program.pid))
        time.sleep(EVERY)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(f"autolect vectors ended with status {os.waitstatus_to_exitcode(status)}")
    assert program.stdout is not None
    stages: dict[str, float] = json.loads(program.stdout.read())["seconds"]
    return {"seconds": seconds, "memory": own, "mapped": 1024 * usage.ru_maxrss, "stages": stages}


def _own_memory(pid: int) -> int:
    """Bytes that a process holds itself; pages of files that it has mapped can be had back at any time."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def write(path: Path, size: int) -> None:
    """Text of so many bytes, copy after copy."""
    lines = (ROOT / "data" / "en-books.txt").read_text(encoding="utf-8").split("\n")
    known = [word for line in lines for word in line.split()]
    draw = random.Random(0)
    written = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < size:
            for line in lines:
                words = [draw.choice(known) if draw.random() < CHANGED else word for word in line.split()]
                written += stream.write(" ".join(words) + "\n")
                if written >= size:
                    break


def drawn(sizes: list[int], found: list[dict[str, Any]], path: Path) -> None:
    """Seconds and gigabytes over megabytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    for place, (name, values) in enumerate(
        {
            "seconds": [one["seconds"] for one in found],
            "own memory at its worst, GB": [one["memory"] / 1e9 for one in found],
        }.items()
    ):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.plot(sizes, values, marker="o")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("MB of text")
        axes.set_title(name)
    figure.savefig(path)


if __name__ == "__main__":
    sys.exit(main())

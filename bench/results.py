"""Scores on real labelled sets, beside simple tools on the same labels.

python bench/sets.py DATA build/sets
python bench/results.py build/sets --out runs/results --bundles en=BUNDLE zh=BUNDLE --sets ner-zh-weibo ...
python bench/results.py ... --choose

The first opens the test split, once a seed. With --choose the valid split stands in its place and valid is
drawn from train: for making choices, test stays closed. Each set gets a row: the mean over the seeds with its
95 % interval (Student's t; with one seed the bootstrap's over the test texts), every simple tool's score, and
the minutes that a seed took; and a second row without the test texts that stand in train or valid too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from autolect.core import files, recipe
from autolect.core.errors import UserError
from autolect.core.intervals import t_interval
from autolect.core.lock import lock
from autolect.core.progress import Silent
from autolect.jobs.evaluate import FILE
from autolect.jobs.run import walk
from autolect.jobs.stages import Run

KINDS = {
    "sentiment": "classify",
    "topic": "classify",
    "ner": "tag",
    "pos": "tag",
    "similarity": "pair",
    "mt": "translate",
}
SPLITS = ("train", "valid", "test")


def main() -> int:
    """Measure set by set; a row and a JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets_folder", type=Path)
    parser.add_argument("--bundles", nargs="+", required=True, metavar="LANGUAGE=BUNDLE")
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6.0, help="of fine-tuning; as much again to refit")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True, help="runs stay here; the same call goes on")
    given = parser.parse_args()
    bundles = dict(one.split("=", 1) for one in given.bundles)
    print("| set | measure | seeds | autolect | simple tools | minutes a seed |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in given.sets:
        try:
            found = [measured(given, name, bundles, seed) for seed in range(given.seeds)]
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            continue
        print(row(name, found), flush=True)
        if "unseen" in found[0]["model"]:
            left = f"{found[0]['num_unseen']:,} texts that no other split has"
            print(row(f"{name}, the {left}", found, part="unseen"), flush=True)
        facts = {"set": name, "changes": given.set, "scores": [one["model"]["score"] for one in found]}
        print(json.dumps(facts), file=sys.stderr, flush=True)
    return 0


def measured(given: argparse.Namespace, name: str, bundles: dict[str, str], seed: int) -> dict[str, Any]:
    """The evaluation of one run, and its minutes."""
    folder = given.sets_folder / name
    paths = {
        split: str((folder / f"{split}.jsonl").resolve())
        for split in SPLITS
        if (folder / f"{split}.jsonl").exists()
    }
    if given.choose:
        paths.pop("test")
        if "valid" in paths:
            paths["test"] = paths.pop("valid")
    language = name.split("-")[1]
    if language not in bundles:
        raise UserError(f"there is no bundle for {language!r}", where=name, fix="name one in --bundles")
    table = {
        "name": name,
        "seed": seed,
        "start": str(Path(bundles[language]).resolve()),
        "task": {"kind": KINDS[name.split("-")[0]], "allow_overlap": True, **paths},
        "finetune": {"minutes": given.minutes},
    }
    settings = recipe.changed(
        recipe.from_table(table), *(recipe.config.parse_assignment(one) for one in given.set)
    )
    started = time.monotonic()
    place = given.out / f"{name}-{seed}"
    with lock(place):
        # Simple tools are the same for every seed of a set with splits of its own.
        walk(Run(folder=place, recipe=settings, progress=Silent()), until="evaluation", alone=seed > 0)
    found: dict[str, Any] = files.read_json(place / "evaluation" / FILE)
    return found | {"minutes": (time.monotonic() - started) / 60}


def row(name: str, found: list[dict[str, Any]], *, part: str | None = None) -> str:
    """A line of the table; part: of the figures, the score on some of the test examples."""

    def figures(entry: dict[str, Any]) -> dict[str, Any]:
        return entry[part] if part else entry

    first = figures(found[0]["model"])
    scores = t_interval([figures(one["model"])["score"] for one in found])
    low, high = (scores.low, scores.high) if len(found) > 1 else (first["low"], first["high"])
    tools = {one["title"]: figures(one)["score"] for one in found[0]["baselines"]}
    best = max(scores.value, *tools.values())
    shown = ", ".join(f"{title} {_bold(score, best)}" for title, score in tools.items())
    minutes = max(one["minutes"] for one in found)
    ours = f"{_bold(scores.value, best)} ({low:.3f} to {high:.3f})"
    return f"| {name} | {found[0]['measure']} | {len(found)} | {ours} | {shown} | {minutes:.1f} |"


def _bold(score: float, best: float) -> str:
    """A score, marked where it is the best of its row."""
    return f"**{score:.3f}**" if score == best else f"{score:.3f}"


if __name__ == "__main__":
    sys.exit(main())

"""How good a recipe is: over several seeds on its test examples, or over folds of its training examples.

python bench/quality.py recipes/quickstart-zh.toml --seeds 3     opens the test examples, once a seed
python bench/quality.py recipes/quickstart-zh.toml --folds 5     never opens them: for making choices

Every fold is a random cut of the labelled training examples, 80 / 20, the same for each setting. The text
of a fold's held-out examples is in no corpus. What --set changes is changed in every run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from autolect.core import files, recipe, registry
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.core.recipe import Recipe
from autolect.jobs import evaluate
from autolect.jobs.run import run
from autolect.text.labels.split import split

HELD_OUT = 0.2


def main() -> int:
    """Measure, show a table, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, help="keep the runs here; the same call goes on where it stopped")
    given = parser.parse_args()
    if (given.seeds > 0) == (given.folds > 0):
        parser.error("give either --seeds or --folds")
    try:
        base = recipe.read(given.recipe, overrides=given.set)
        with tempfile.TemporaryDirectory() as scratch:
            found = measure(base, seeds=given.seeds, folds=given.folds, folder=given.out or Path(scratch))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    show(found)
    print(json.dumps({"recipe": given.recipe.name, "set": given.set, **found}, ensure_ascii=False))
    return 0


def measure(base: Recipe, *, seeds: int, folds: int, folder: Path) -> dict[str, Any]:
    """One score a seed or fold, of the model and of each baseline on the same examples."""
    scores: dict[str, list[float]] = {}
    seconds = []
    kind = "folds" if folds else "seeds"
    for number in range(folds or seeds):
        place = folder / f"{kind}-{number}"
        changed = fold(base, number, place) if folds else recipe.changed(base, {"seed": number})
        started = time.monotonic()
        run(changed, folder=place / "run", progress=Silent(), until="evaluation")
        seconds.append(round(time.monotonic() - started, 1))
        result = files.read_json(place / "run" / "evaluation" / evaluate.FILE)
        scores.setdefault("autolect", []).append(result["model"]["score"])
        for one in result["baselines"]:
            scores.setdefault(one["title"], []).append(one["score"])
        print(f"{kind[:-1]} {number}: {scores['autolect'][-1]:.4f}", file=sys.stderr, flush=True)
    return {"measure": result["measure"], kind: folds or seeds, "scores": scores, "seconds": seconds}


def fold(base: Recipe, number: int, place: Path) -> Recipe:
    """The recipe with a part of its training examples as test, and without the rest of its test."""
    task: Any = base.task
    plugin = registry.load("tasks", task.kind).build
    parts = split(plugin.read(Path(task.train), task).examples, valid=0.0, test=HELD_OUT, seed=number)
    names = {}
    for name in ("train", "test"):
        names[name] = place / f"{name}.jsonl"
        lines = [json.dumps(plain(one), ensure_ascii=False) for one in getattr(parts, name)]
        files.save_file(names[name], "\n".join(lines) + "\n")
    changed: dict[str, Any] = {"task": {name: str(path) for name, path in names.items()}}
    changed["task"] |= {key: None for key in ("text_column", "label_column") if hasattr(task, key)}
    if base.corpus is not None:
        given = [str(names["train"]) if one == task.train else one for one in base.corpus.files]
        changed["corpus"] = {"files": given}
    return recipe.changed(base, changed)


def plain(example: Any) -> dict[str, Any]:
    """An example as the readers of labelled data take it."""
    if hasattr(example, "label"):
        return {"text": example.text, "label": example.label}
    return {"text": example.text, "tokens": example.words(), "tags": list(example.tags)}


def show(found: dict[str, Any]) -> None:
    """Mean, spread and every score."""
    for name, scores in found["scores"].items():
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        each = " ".join(f"{score:.3f}" for score in scores)
        print(f"{name:24} {found['measure']} {statistics.mean(scores):.4f} ± {spread:.4f}   {each}")
    print(f"{'seconds a run':24} {statistics.mean(found['seconds']):.0f}")


if __name__ == "__main__":
    sys.exit(main())

"""Networks that began alike and learned in another order, and the average of their weights, on valid.

python bench/sets.py DATA build/sets
python bench/averaging.py build/sets --bundles en=BUNDLE zh=BUNDLE --sets sentiment-en-sst2 topic-en-snips

Test stays closed: valid stands in its place, and valid is drawn from train. What a task settles on valid is
settled again for the average.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from autolect.core import recipe
from autolect.core.device import choose
from autolect.core.progress import Silent
from autolect.jobs.tuning.finetune import TaskGoal, read_data, train_task

KINDS = {"sentiment": "classify", "topic": "classify"}
"""Of these the head begins the same with every seed."""


def main() -> int:
    """A row a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets_folder", type=Path)
    parser.add_argument("--bundles", nargs="+", required=True, metavar="LANGUAGE=BUNDLE")
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=3.0)
    given = parser.parse_args()
    bundles = dict(one.split("=", 1) for one in given.bundles)
    if odd := [name for name in given.sets if name.split("-")[0] not in KINDS]:
        parser.error(f"{odd[0]} is none of {', '.join(KINDS)}")
    print("| set | each alone | their mean | the average of their weights |\n| --- | --- | --- | --- |")
    for name in given.sets:
        start = Path(bundles[name.split("-")[1]]).resolve()
        alone, together = measured(given.sets_folder / name, KINDS[name.split("-")[0]], start, given)
        shown = " ".join(f"{score:.4f}" for score in alone)
        print(f"| {name} | {shown} | {statistics.fmean(alone):.4f} | {together:.4f} |", flush=True)
    return 0


def measured(folder: Path, kind: str, start: Path, given: argparse.Namespace) -> tuple[list[float], float]:
    """The scores of networks that were trained with a seed each, and of their average."""
    table = {
        "start": str(start),
        "task": {
            "kind": kind,
            "allow_overlap": True,
            "train": str(folder / "train.jsonl"),
            "test": str(folder / "valid.jsonl"),
        },
        "finetune": {"minutes": given.minutes},
    }
    settings = recipe.from_table(table)
    data = read_data(settings, Silent())
    states, scores = [], []
    for seed in range(given.seeds):
        one = settings.model_copy(update={"seed": seed})
        goal, _ = train_task(one, start, data, progress=Silent(), what=f"seed {seed}")
        states.append({name: value.clone() for name, value in goal.network.state_dict().items()})
        scores.append(judged(goal, data.parts.test))
    goal.network.load_state_dict({name: averaged([one[name] for one in states]) for name in states[0]})
    goal.settle(choose("float32"))
    return scores, judged(goal, data.parts.test)


def averaged(values: list[torch.Tensor]) -> torch.Tensor:
    """The mean of weights; what is no weight is the same in all."""
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[0]


def judged(goal: TaskGoal, examples: Any) -> float:
    """The score of a network as it is."""
    network, device = goal.network, choose("float32")
    rows = goal.task.rows(examples, goal.reader, length=goal.length)
    score: float = goal.task.judge(network, network.model, network.head, rows, examples, device).value
    return score


if __name__ == "__main__":
    sys.exit(main())

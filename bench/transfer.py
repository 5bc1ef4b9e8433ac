"""Does pretraining help a task: bundles side by side, with all, a tenth and a hundredth of the labels.

python bench/transfer.py DATA OUT --sets ner-zh-weibo ... --arms random=BUNDLE pretrained=BUNDLE

DATA holds the sets, one folder each. Each arm is fine-tuned from its bundle, the first one is what the others
are measured against. Sparse features are off unless --features hashed says otherwise, so that the network
alone is seen; every share of the labels is also what valid has. Test is opened once a seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from autolect.core import recipe
from autolect.core.errors import UserError
from autolect.core.progress import Silent
from autolect.jobs.compare import compare

SETS: dict[str, dict[str, Any]] = {
    "ner-zh-weibo": {"kind": "tag"}
    | {p: f"weiboNER_2nd_conll.{s}" for p, s in (("train", "train"), ("valid", "dev"), ("test", "test"))},
    "ner-en-wnut17": {"kind": "tag", "train": "train.conll", "valid": "dev.conll", "test": "test.conll"},
    "sentiment-zh-chnsenticorp": {
        "kind": "classify",
        "train": "train.tsv.gz",
        "valid": "dev.tsv",
        "test": "test.tsv",
        "text_column": "text_a",
        "label_column": "label",
    },
    "topic-zh-thucnews": {
        "kind": "classify",
        "train": "dev.txt",
        "test": "test.txt",
        "text_column": "1",
        "label_column": "2",
    },
    "pos-zh-ud-gsd-v1": {"kind": "tag"}
    | {p: f"zh-ud-{s}.conllu.gz" for p, s in (("train", "train"), ("valid", "dev"), ("test", "test"))},
    "sentiment-en-sst2": {
        "kind": "classify",
        "train": "train.tsv",
        "valid": "dev.tsv",
        "test": "test.tsv",
        "text_column": "1",
        "label_column": "2",
    },
}
"""Set -> its files, relative to its folder, and where text and label stand."""
STEPS = {1.0: 400, 0.1: 200, 0.01: 100}
"""Steps of fine-tuning for each share of the labels; the same for every arm."""
FILES = ("train", "valid", "test")


def main() -> int:
    """Compare, show, and print one JSON line for each set and share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, required=True)
    parser.add_argument("--arms", nargs="+", metavar="NAME=BUNDLE", required=True)
    parser.add_argument("--shares", nargs="+", type=float, default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--features", default="none", choices=["none", "hashed"])
    given = parser.parse_args()
    arms = dict(one.split("=", 1) for one in given.arms)
    for share in given.shares:
        for name in given.sets:
            try:
                found = compared(given, name, share, arms)
            except UserError as error:
                print(f"{name} {share}: {error}", file=sys.stderr, flush=True)
                continue
            for arm in found["arms"]:
                result = arm["results"]["score"]
                gain = result["gain"] or {"value": 0.0, "low": None, "high": None}
                ends = "" if gain["low"] is None else f" ({gain['low']:+.3f} to {gain['high']:+.3f})"
                print(
                    f"{name} {share:4.0%} {arm['name']:12} {result['value']:.3f}"
                    f"  {gain['value']:+.3f}{ends} {result['verdict']}  {arm['cost']:.0f} s",
                    flush=True,
                )
            plain = {arm["name"]: arm["results"]["score"] for arm in found["arms"]}
            print(
                json.dumps({"set": name, "share": share, "features": given.features, "arms": plain}),
                flush=True,
            )
    return 0


def compared(given: argparse.Namespace, name: str, share: float, arms: dict[str, str]) -> dict[str, Any]:
    """One set with one share of its labels."""
    task = {
        key: str((given.data / name / value).resolve()) if key in FILES else value
        for key, value in SETS[name].items()
    }
    table = {
        "name": f"{name}-{share:g}",
        "start": str(Path(next(iter(arms.values()))).resolve()),
        "task": {**task, "share": share, "refit": False, "allow_overlap": True, "features": given.features},
        "finetune": {"steps": STEPS[share], "batch_tokens": 1024, "evaluations": 5},
        "compare": {
            "seeds": given.seeds,
            "arms": {arm: {"start": str(Path(path).resolve())} for arm, path in arms.items()},
        },
    }
    place = given.out / f"{name}-{share:g}-{given.features}"
    return compare(recipe.from_table(table), folder=place, progress=Silent())


if __name__ == "__main__":
    sys.exit(main())

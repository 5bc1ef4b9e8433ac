"""Kill chains: a run is killed at random instants and started again until it ends; nothing may differ.

    python tests/faults/kills.py --kills 300 --seed 1

Torch is imported once; each attempt is a fork. What each stage holds at the end is compared by its digest,
over every byte of every file, with an uninterrupted run of the same recipe.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autolect.core import bundle, files, recipe, registry
from autolect.core.progress import Silent
from autolect.jobs.run import STAGES, run
from tests.pipeline.conftest import TINY, write_corpus, write_labels, write_tags

MOST_KILLS = 30
"""After so many kills a chain may end."""
CLOCKS = ("seconds", "test_texts_a_second")


@dataclass(frozen=True)
class Scenario:
    """A recipe, and the last stage of it that is made."""

    name: str
    settings: tuple[str, ...]
    until: str


def scenarios(folder: Path) -> list[Scenario]:
    """Every objective on every encoder, and each task with all that follows pretraining."""
    corpus, labels, tags = write_corpus(folder), write_labels(folder), write_tags(folder)
    common = (f"corpus.files=['{corpus}']", "train.steps=20", "train.checkpoint_seconds=0")
    tuned = (*common, "finetune.epochs=3", "finetune.checkpoint_seconds=0", "task.allow_overlap=true")
    found = []
    kinds = [(o, e) for o in registry.names("objectives") for e in registry.names("encoders")]
    for number, (objective, encoder) in enumerate(kinds):
        dtype = ("float32", "bfloat16")[number % 2]
        parts = (f"objective.kind={objective}", f"encoder.kind={encoder}", f"train.dtype={dtype}")
        found.append(Scenario(f"{objective}, {encoder}, {dtype}", (*common, *parts), "pretrained"))
    searched = (*tuned, f"task.train={labels}", "search.trials=3", "train.micro_batches=2")
    found.append(Scenario("classify with a search", searched, "evaluation"))
    tagged = ("task.kind=tag", f"task.train={tags}", "encoder.kind=lstm", "finetune.micro_batches=3")
    found.append(Scenario("tag, steps in parts", (*tuned, *tagged), "evaluation"))
    return found


def start(scenario: Scenario, folder: Path) -> int:
    """Fork a run; gives the child's process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        settings = recipe.read(None, overrides=[*TINY, *scenario.settings], environment={})
        run(settings, folder=folder, progress=Silent(), until=scenario.until)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended(child: int, *, within: float) -> bool:
    """Whether a child came to an end by itself in time; one that failed is an error."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, f"a run failed with status {os.waitstatus_to_exitcode(status)}"
            return True
        time.sleep(0.002)
    return False


def state(folder: Path) -> dict[str, Any]:
    """What a finished run holds: the digest of each stage, and the measurement without its clocks."""
    found: dict[str, Any] = {}
    for stage in STAGES:
        place = folder / stage
        if stage == "evaluation" and place.is_dir():
            found[stage] = timeless(files.read_json(place / "evaluation.json"))
        elif place.is_dir():
            files.verify(place)
            found[stage] = bundle.digest(place)
    return found


def timeless(value: Any) -> Any:
    """A JSON value without the fields that a clock filled."""
    if isinstance(value, dict):
        return {key: timeless(part) for key, part in value.items() if key not in CLOCKS}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def chain(scenario: Scenario, folder: Path, draw: random.Random, *, seconds: float) -> int:
    """Start, kill after up to ``seconds``, start again, until a run ends; gives the number of kills."""
    kills = 0
    while True:
        child = start(scenario, folder)
        longest = seconds if kills < MOST_KILLS else 600.0
        if ended(child, within=draw.uniform(0.0, longest) if kills < MOST_KILLS else longest):
            return kills
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1


def main() -> int:
    """Chains until there were enough kills; prints one JSON line, and ends with 1 where anything differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    kills, chains = 0, 0
    wrong: list[str] = []
    golden: dict[str, tuple[dict[str, Any], float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        known = scenarios(Path(scratch))
        while kills < given.kills:
            scenario = known[chains % len(known)]
            if scenario.name not in golden:
                place, began = Path(scratch, f"golden-{len(golden)}"), time.monotonic()
                assert ended(start(scenario, place), within=600.0)
                golden[scenario.name] = state(place), time.monotonic() - began
            wanted, seconds = golden[scenario.name]
            place = Path(scratch, f"chain-{chains}")
            kills += chain(scenario, place, draw, seconds=0.7 * seconds)
            chains += 1
            found = state(place)
            wrong += [f"{scenario.name}: {stage}" for stage in wanted if found.get(stage) != wanted[stage]]
            print(f"{kills} kills, {chains} chains, {len(wrong)} differ", file=sys.stderr, flush=True)
    print(json.dumps({"kills": kills, "chains": chains, "scenarios": len(golden), "differ": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

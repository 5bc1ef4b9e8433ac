"""Chains of faults: a run is struck at random instants and started again until it ends; nothing may differ.

    python tests/faults/kills.py --kills 300 --seed 1

Torch is imported once; each attempt is a fork that goes through the command line, with another clock. It is
killed, asked to stop, or refused by the disk. What each stage holds in the end is compared by its digest,
over every byte of every file, with an uninterrupted run of the same recipe.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autolect.cli.main import INTERRUPTED, OK, TERMINATED, USER, main
from autolect.core import bundle, files, registry
from autolect.jobs.run import STAGES
from tests.pipeline.conftest import TINY, write_corpus, write_labels, write_tags

MOST_FAULTS = 40
"""After so many a chain may end."""
LONGEST = 600.0
"""Seconds after which an attempt hangs."""
FAULTS = {"kill": 7, "kill in a save": 5, "terminate": 2, "interrupt": 2, "refuse": 4}
"""What strikes, and how often out of twenty."""
CLOCKS = ("seconds", "test_texts_a_second")


@dataclass(frozen=True)
class Scenario:
    """A recipe, and the verb that walks it."""

    name: str
    verb: str
    settings: tuple[str, ...]


def scenarios(folder: Path) -> list[Scenario]:
    """Every objective on every encoder, and each task with all that follows pretraining."""
    corpus, labels, tags = write_corpus(folder), write_labels(folder), write_tags(folder)
    common = (f"corpus.files=['{corpus}']", "train.steps=20", "train.checkpoint_seconds=0")
    tuned = (*common, "finetune.epochs=3", "finetune.checkpoint_seconds=0", "task.allow_overlap=true")
    found = []
    kinds = [(o, e) for o in registry.names("objectives") for e in registry.names("encoders")]
    for number, (objective, encoder) in enumerate(kinds):
        if "both" in registry.load("objectives", objective).build.PARTS and encoder != "transformer":
            continue
        dtype = ("float32", "bfloat16")[number % 2]
        optimizer = ("adamw", "muon")[number // 2 % 2]
        kinds_of = (f"objective.kind={objective}", f"encoder.kind={encoder}")
        parts = (*kinds_of, f"train.dtype={dtype}", f"train.optimizer={optimizer}")
        found.append(Scenario(f"{objective}, {encoder}, {dtype}, {optimizer}", "pretrain", (*common, *parts)))
    noisy = (
        "bottleneck.code=variational",
        "bottleneck.size=8",
        "objective.share_end=0.1",
        "corpus.style=file",
    )
    found.append(Scenario("a latent with noise, a schedule, styles", "pretrain", (*common, *noisy)))
    searched = (*tuned, f"task.train={labels}", "search.trials=3", "train.micro_batches=2")
    found.append(Scenario("classify with a search", "evaluate", searched))
    together = (*searched, "search.workers=2", "search.trials=4", "search.seeds=2")
    found.append(Scenario("classify with a search by workers", "evaluate", together))
    tagged = ("task.kind=tag", f"task.train={tags}", "encoder.kind=lstm", "finetune.micro_batches=3")
    found.append(Scenario("tag, steps in parts", "evaluate", (*tuned, *tagged)))
    return found


@dataclass
class Attempt:
    """One run in a process of its own, and the pipe through which it speaks."""

    process: int
    pipe: int
    status: int | None = None

    def ended(self, *, within: float) -> bool:
        """Whether it came to an end in time."""
        until = time.monotonic() + within
        while self.status is None:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                return False
            else:
                time.sleep(0.0005)
        return True

    def check(self, *allowed: int) -> int:
        """Its exit status, which must be one of these; it must have ended soon."""
        hangs = not self.ended(within=LONGEST)
        if hangs:
            os.kill(self.process, signal.SIGKILL)
        with os.fdopen(self.pipe, encoding="utf-8") as heard:
            said = heard.read()
        assert self.status in allowed, f"{'hangs' if hangs else f'status {self.status}'}: {said}"
        return self.status


def start(
    scenario: Scenario,
    folder: Path,
    *,
    clock: float = 0.0,
    most_bytes: int | None = None,
    loaded: Path | None = None,
) -> Attempt:
    """Fork a run.

    clock: seconds by which its clock is wrong.  most_bytes: no file may grow beyond.  loaded: where to list
    the modules it loaded.
    """
    recipe = folder.with_name("struck.toml")
    recipe.write_text("", encoding="utf-8")
    settings = (part for one in (*TINY, *scenario.settings) for part in ("--set", one))
    heard, speaks = os.pipe()
    child = os.fork()
    if child:
        os.close(speaks)
        return Attempt(child, heard)
    status = INTERRUPTED
    try:
        os.dup2(speaks, 1)
        os.dup2(speaks, 2)
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        real = time.time
        time.time = lambda: real() + clock
        main([scenario.verb, str(recipe), "--out", str(folder), "--quiet", "--debug", *settings])
    except SystemExit as error:
        status = int(error.code or 0)
    except KeyboardInterrupt:
        pass
    finally:
        if loaded is not None:
            loaded.write_text("\n".join(sys.modules), encoding="utf-8")
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def load(names: list[str]) -> None:
    """Import what runs import, so that a fork need not."""
    for name in names:
        # Some modules are made by others and cannot be imported by name.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


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


def strike(scenario: Scenario, folder: Path, draw: random.Random, *, seconds: float) -> str:
    """Start a run that takes up to ``seconds`` and strike it; gives with what, or "" when it ended first."""
    fault = draw.choices(list(FAULTS), list(FAULTS.values()))[0]
    clock = draw.uniform(-1e7, 1e7)
    # As many early instants as late ones, on a scale of magnitudes.
    after = math.exp(draw.uniform(math.log(0.002), math.log(0.7 * seconds)))
    if fault == "refuse":
        size = int(math.exp(draw.uniform(math.log(100), math.log(1_000_000))))
        attempt = start(scenario, folder, clock=clock, most_bytes=size)
        return fault if attempt.check(OK, USER) == USER else ""
    attempt = start(scenario, folder, clock=clock)
    if attempt.ended(within=after):
        attempt.check(OK)
        return ""
    if fault == "kill in a save":
        while not attempt.ended(within=0) and not _saving(folder):
            time.sleep(0.0002)
        time.sleep(draw.uniform(0, 0.004))
    if fault in ("terminate", "interrupt"):
        number, wanted = {
            "terminate": (signal.SIGTERM, TERMINATED),
            "interrupt": (signal.SIGINT, INTERRUPTED),
        }[fault]
        with contextlib.suppress(ProcessLookupError):
            os.kill(attempt.process, number)
        return fault if attempt.check(OK, wanted) == wanted else ""
    if attempt.ended(within=0):
        attempt.check(OK)
        return ""
    os.kill(attempt.process, signal.SIGKILL)
    return fault if attempt.check(OK, -signal.SIGKILL) else ""


def chain(scenario: Scenario, folder: Path, draw: random.Random, *, seconds: float) -> list[str]:
    """Strike a run again and again until it ends; gives what struck."""
    found: list[str] = []
    while len(found) < MOST_FAULTS:
        fault = strike(scenario, folder, draw, seconds=seconds)
        if not fault:
            return found
        found.append(fault)
    start(scenario, folder).check(OK)
    return found


def _saving(folder: Path) -> bool:
    """Whether something is half written."""
    places = (folder, folder / "work" / "pretrained", folder / "work" / "finetuned" / "fine-tuning")
    with contextlib.suppress(FileNotFoundError):
        return any(".tmp" in path.name for place in places if place.is_dir() for path in place.iterdir())
    return False


def walk() -> int:
    """Chains until there were enough faults; prints one JSON line, ends with 1 where anything differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="faults of all kinds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    # Forks have it too, until the command line sets its own: so early there is nothing to save.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    # What a shell starts in the background ignores it, and a strike would then strike nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    draw = random.Random(given.seed)
    struck: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    golden: dict[str, tuple[dict[str, Any], float]] = {}
    chains = 0
    with tempfile.TemporaryDirectory() as scratch:
        known = scenarios(Path(scratch))
        while struck.total() < given.kills:
            scenario = known[chains % len(known)]
            place = Path(scratch, f"chain-{chains}")
            if scenario.name not in golden:
                loaded = Path(scratch, "loaded")
                start(scenario, place.with_name("cold"), loaded=loaded).check(OK)
                load(loaded.read_text(encoding="utf-8").split("\n"))
                shutil.rmtree(place.with_name("cold"))
                began, whole = time.monotonic(), place.with_name(f"golden-{len(golden)}")
                start(scenario, whole).check(OK)
                golden[scenario.name] = state(whole), time.monotonic() - began
            wanted, seconds = golden[scenario.name]
            struck.update(chain(scenario, place, draw, seconds=seconds))
            chains += 1
            found = state(place)
            wrong += [f"{scenario.name}: {stage}" for stage in wanted if found.get(stage) != wanted[stage]]
            litter = [str(path) for path in place.rglob("*") if ".tmp" in path.name or ".old-" in path.name]
            wrong += [f"{scenario.name}: {path} was left" for path in litter]
            shutil.rmtree(place)
            print(
                f"{struck.total()} faults, {chains} chains, {len(wrong)} differ {wrong[-1:]}",
                file=sys.stderr,
                flush=True,
            )
    told = {
        "kills": struck.total(),
        "kinds": struck,
        "chains": chains,
        "scenarios": len(golden),
        "differ": wrong,
    }
    print(json.dumps(told))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(walk())

"""Two programs beside each other: A/B/A/B, medians, and a ratio with its range.

A bench names its sides. Each side is the same file, run as `python FILE BENCH --side NAME FOLDER` by the
interpreter of its environment; it prepares, then answers every line on its input with a line of JSON:
{"seconds": ..., "work": ...}, and what else is to be shown. Sides take turns, so that what else happens on
the machine hits all.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(os.environ.get("PEERS", ROOT / "build" / "peers" / "bin" / "python"))
"""The interpreter that `make bench-setup` makes, or the one that is named."""
ROUNDS = 5
POINT = 0.01
NEAR = 0.5
"""A peer that does less than this share of what the best one does a second is left out after one round."""

Round = Callable[[], dict[str, Any]]
"""Does the work once, and says how much it was ("work") and what else is worth showing."""


@dataclass(frozen=True)
class Side:
    """One program of a race."""

    name: str
    ours: bool
    prepare: Callable[[Path], Round]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One question: the first side is ours, and is measured against the best of the peers."""

    claim: str
    """What is compared, in a sentence."""
    unit: str
    """What is done a second."""
    sides: Sequence[Side]
    inputs: Callable[[Path], None]
    """Puts what all sides read into a folder."""
    quality: str = ""
    """What a peer is to be as good at, within a `POINT`, to be the one we are measured against; of peers that
    are not, the best at it is."""


def main(benches: Mapping[str, Bench]) -> int:
    """Run the benches of a file, or those that are named; or be one side of one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "names", nargs="*", metavar="BENCH", help=f"of {', '.join(benches)}; all if none is named"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each side, after one to warm up")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(benches)):
        parser.error(f"{', '.join(unknown)}: not among {', '.join(benches)} on this machine")
    if given.side:
        name, folder = given.side
        (bench,) = (benches[one] for one in given.names)
        serve(next(side for side in bench.sides if side.name == name), Path(folder))
        return 0
    if not PEERS.exists():
        print(f"{PEERS} is missing: make bench-setup", file=sys.stderr)
        return 2
    for name in given.names or benches:
        with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
            benches[name].inputs(Path(place))
            found = race(name, benches[name], Path(place), rounds=given.rounds)
        show(name, benches[name], found)
    return 0


def serve(side: Side, folder: Path) -> None:
    """Prepare, then do a round for every line that comes."""
    answers, sys.stdout = sys.stdout, sys.stderr
    started = time.perf_counter()
    work = side.prepare(folder)
    print(
        json.dumps({"ready": time.perf_counter() - started, "versions": versions()}), file=answers, flush=True
    )
    for _ in sys.stdin:
        started = time.perf_counter()
        found = work()
        found.setdefault("seconds", time.perf_counter() - started)
        print(json.dumps(found), file=answers, flush=True)


def race(name: str, bench: Bench, folder: Path, *, rounds: int) -> dict[str, dict[str, Any]]:
    """Side -> its rounds, the first, which warms up, apart.

    After a second one go on: our sides, and the peers that can still be the best.
    """
    script = Path(sys.argv[0]).resolve()
    running = {}
    found: dict[str, dict[str, Any]] = {}
    for side in bench.sides:
        python = sys.executable if side.ours else str(PEERS)
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        running[side.name] = subprocess.Popen(
            [python, str(script), name, "--side", side.name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        found[side.name] = {**_answer(running[side.name], side), "rounds": []}
    going = list(bench.sides)
    for number in range(rounds + 1):
        for side in going:
            program = running[side.name]
            assert program.stdin is not None
            print("go", file=program.stdin, flush=True)
            answer = _answer(program, side)
            if number:
                found[side.name]["rounds"].append(answer)
            else:
                found[side.name]["first"] = answer
        if number == 1:
            best = max(_typical_rate(found, side) for side in _peers(bench, found))
            near = [side for side in _peers(bench, found) if _typical_rate(found, side) >= NEAR * best]
            going = [side for side in going if side.ours or side in near]
    for program in running.values():
        program.communicate()
    return found


def _answer(program: subprocess.Popen[str], side: Side) -> dict[str, Any]:
    assert program.stdout is not None
    line = program.stdout.readline()
    if not line:
        raise SystemExit(f"{side.name} ended with status {program.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


def rate(rounds: Sequence[Mapping[str, float]]) -> list[float]:
    """Work a second of each round."""
    return [one["work"] / one["seconds"] for one in rounds]


def show(name: str, bench: Bench, found: Mapping[str, Any]) -> None:
    """A table, and last the ratio of ours, the first side, to the best of the others."""
    sides, unit = bench.sides, bench.unit
    print(f"## {name}\n\n{bench.claim}\n\n{processor()}\n")
    extra = [key for key in found[sides[0].name]["first"] if key not in ("seconds", "work")]
    print("| side | median | lowest to highest | first round | " + "".join(f"{key} | " for key in extra))
    print("| --- | --- | --- | --- | " + "--- | " * len(extra))
    for side in sides:
        one = found[side.name]
        rates = rate(one["rounds"])
        first = rate([one["first"]])[0]
        more = "".join(f"{_plain(_typical(one['rounds'], key))} | " for key in extra)
        spread = f"{min(rates):,.1f} to {max(rates):,.1f}"
        print(f"| {side.name} | {statistics.median(rates):,.1f} {unit}/s | {spread} | {first:,.1f} | {more}")
    for side in sides:
        print(f"\n{side.name}: {found[side.name]['versions']}", end="")
    print("\n")
    rounds = len(found[sides[0].name]["rounds"])
    whole = [side for side in sides if not side.ours and len(found[side.name]["rounds"]) == rounds]
    peers = [side for side in _peers(bench, found) if side in whole] or whole
    best = max(peers, key=functools.partial(_typical_rate, found))
    ours, theirs = (rate(found[one.name]["rounds"]) for one in (sides[0], best))
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{name} ratio={statistics.median(ours) / statistics.median(theirs):.2f}"
        f" ({min(each):.2f} … {max(each):.2f}) against {best.name}"
    )


def _peers(bench: Bench, found: Mapping[str, Any]) -> list[Side]:
    """Those that we are measured against: all, or where there is a quality those that are as good at it."""
    peers = [side for side in bench.sides if not side.ours]
    if not bench.quality:
        return peers
    reached = {side.name: _typical(found[side.name]["rounds"], bench.quality) for side in bench.sides}
    least = min(reached[bench.sides[0].name], max(reached[side.name] for side in peers)) - POINT
    return [side for side in peers if reached[side.name] >= least]


def _typical_rate(found: Mapping[str, Any], side: Side) -> float:
    return statistics.median(rate(found[side.name]["rounds"]))


def _typical(rounds: Sequence[Mapping[str, Any]], key: str) -> Any:
    """The mean of what differs from round to round; else what all of them say."""
    values = [one.get(key, "") for one in rounds]
    return values[-1] if len(set(values)) == 1 else statistics.fmean(values)


def _plain(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def versions() -> str:
    """What a side runs on."""
    from importlib import metadata

    known = ("torch", "transformers", "sentence-transformers", "datasets", "gensim", "tokenizers", "autolect")
    found = []
    for name in known:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join([f"Python {platform.python_version()}", *found])


def processor() -> str:
    """The machine, in words."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line), "?")
    if cuda():
        import torch

        return f"{torch.cuda.get_device_name(0)} beside {model}"
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    shown = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {name}" in flags]
    return f"{len(os.sched_getaffinity(0))} cores of {model} ({', '.join(shown)})"


def cuda() -> bool:
    """Whether there is a GPU that both sides train on."""
    import torch

    return torch.cuda.is_available()


def bfloat16() -> bool:
    """Whether matrices are multiplied in bfloat16; without, it takes many times as long as float32."""
    if cuda():
        return True
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "avx512_bf16" in flags or "amx_bf16" in flags

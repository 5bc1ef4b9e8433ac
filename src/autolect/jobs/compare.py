"""recipe -> proof: the same way walked by several arms and seeds, and what they came to, side by side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolect.core import bundle, files, intervals
from autolect.core.errors import UserError
from autolect.core.intervals import Mean
from autolect.core.lock import lock
from autolect.core.progress import Progress
from autolect.core.recipe import Recipe, changed, to_table
from autolect.jobs import suite
from autolect.jobs.evaluate import FILE as EVALUATION
from autolect.jobs.run import walk
from autolect.jobs.stages import Run
from autolect.jobs.using.use import load
from autolect.report import comparison, page
from autolect.train.history import read_log

FILE, REPORT = "compare.json", "compare.html"
COUNTED = ("vectors", "pretrained", "finetuned")
"""Stages whose seconds an arm is charged with; reading and tokenizing are the same for all."""
SAME = ("corpus", "tokenizer", "objective")
"""Sections that two arms must share for their losses to mean the same."""
RANDOM: dict[str, Any] = {"vectors": {"kind": "none"}}
UNTRAINED: dict[str, Any] = {"train": {"steps": 0}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """One arm with one seed: figure -> value, stage -> seconds, and (seconds, valid loss) as it trained."""

    seed: int
    figures: dict[str, float]
    seconds: dict[str, float]
    curve: tuple[tuple[float, float], ...]
    suite: tuple[suite.SuiteFigure, ...]

    @property
    def cost(self) -> float:
        """Seconds of the stages that count."""
        return sum(self.seconds.get(name, 0.0) for name in COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure that the arms share; ``better`` says which way is up."""

    name: str
    better: suite.Better


def compare(recipe: Recipe, *, folder: Path, progress: Progress) -> dict[str, Any]:
    """Walk every arm with every seed; gives what `FILE` holds.

    The same call goes on where a killed one stopped. UserError where the arms have no figure in common.
    """
    layers = _arms(recipe)
    arms = {name: changed(recipe, layer) for name, layer in layers.items()}
    measures = _measures(arms)
    asked = suite.read(Path(recipe.compare.suite)) if recipe.compare.suite else None
    with lock(folder):
        files.save_json(folder / "recipe.json", to_table(recipe))
        walked: dict[str, list[Walked]] = {name: [] for name in arms}
        order = [(seed, name) for seed in _seeds(recipe) for name in arms]
        places = [folder / f"seed-{seed}" / name for seed, name in order]
        for number, ((seed, name), place) in enumerate(zip(order, places, strict=True)):
            progress.say(f"compare: {name}, seed {seed} ({number + 1} of {len(places)})")
            others = tuple(other for other in places if other != place)
            work = Run(
                folder=place, recipe=changed(arms[name], {"seed": seed}), progress=progress, others=others
            )
            walked[name].append(_walked(work, asked))
        measures += _of_suite(walked)
        found = _found(recipe, layers, walked, measures)
        files.save_json(folder / FILE, found)
        files.save_file(folder / REPORT, _report(found))
    progress.say(f"report: {folder / REPORT}")
    return found


def _arms(recipe: Recipe) -> dict[str, dict[str, Any]]:
    given = recipe.compare.arms
    if not given and recipe.task is None:
        return {"random": RANDOM, "vectors": {}}
    if not given:
        return {"random": {**RANDOM, **UNTRAINED}, "vectors": UNTRAINED, "pretrained": {}}
    for name in given:
        if not name or Path(name).name != name:
            raise UserError(f"{name!r} is no folder name", where="compare.arms", fix="use letters and digits")
    if len(given) < 2:
        raise UserError("one arm alone has nothing to stand beside", where="compare.arms", fix="name two")
    return given


def _seeds(recipe: Recipe) -> range:
    return range(recipe.seed, recipe.seed + recipe.compare.seeds)


def _measures(arms: dict[str, Recipe]) -> list[Measure]:
    """The figures that all arms have, whatever the suite adds."""
    tables = [to_table(arm) for arm in arms.values()]
    if all("task" in table for table in tables):
        kinds = {(table["task"]["kind"], table["task"].get("test")) for table in tables}
        if len(kinds) > 1:
            raise UserError(
                "the arms have different tasks", where="compare.arms", fix="give all the same one"
            )
        return [Measure(name="score", better="higher")]
    shared = all(table.get(name) == tables[0].get(name) for table in tables for name in SAME)
    if shared:
        return [Measure(name="valid loss", better="lower")]
    if next(iter(arms.values())).compare.suite:
        return []
    raise UserError(
        f"arms that differ in {' or '.join(SAME)} have no loss in common",
        where="compare.arms",
        fix="add [task], or compare.suite, so that there is something to measure all of them by",
    )


def _walked(work: Run, asked: suite.Suite | None) -> Walked:
    """Walk one arm with one seed, and gather what it came to."""
    recipe = work.recipe
    walk(work, until="evaluation", alone=True)
    figures: dict[str, float] = {}
    curve: tuple[tuple[float, float], ...] = ()
    if "evaluation" in work.places:
        figures["score"] = files.read_json(work.places["evaluation"] / EVALUATION)["model"]["score"]
    pretrained = work.places.get("pretrained") or Path(recipe.start or "")
    if "pretrained" in work.places:
        figures["valid loss"] = bundle.open_bundle(pretrained).metrics["valid_loss"]
        curve = _curve(pretrained, work)
    found = suite.measure(load(pretrained), asked, progress=work.progress) if asked else []
    return Walked(
        seed=recipe.seed, figures=figures, seconds=dict(work.seconds), curve=curve, suite=tuple(found)
    )


def _curve(pretrained: Path, work: Run) -> tuple[tuple[float, float], ...]:
    """Valid loss by the seconds that the arm had spent by then, vectors and looks at valid included."""
    log = read_log(pretrained)
    before, whole = work.seconds.get("vectors", 0.0), work.seconds["pretrained"]
    first = (before, float(bundle.open_bundle(pretrained).metrics["valid_loss_before"]))
    looks = [(one["step"], one["valid_loss"]) for one in log if one.get("valid_loss") is not None]
    last = max((step for step, _ in looks), default=1)
    return (first, *((before + whole * step / last, loss) for step, loss in looks))


def _of_suite(walked: dict[str, list[Walked]]) -> list[Measure]:
    """The figures of a suite that two arms or more can give."""
    better: dict[str, suite.Better] = {}
    arms: Counter[str] = Counter()
    for runs in walked.values():
        for run in runs:
            run.figures.update({one.name: one.value for one in run.suite})
            better |= {one.name: one.better for one in run.suite}
        arms.update(dict.fromkeys((one.name for one in runs[0].suite), 1))
    return [Measure(name=name, better=better[name]) for name, count in arms.items() if count > 1]


def _found(
    recipe: Recipe,
    layers: dict[str, dict[str, Any]],
    walked: dict[str, list[Walked]],
    measures: Sequence[Measure],
) -> dict[str, Any]:
    """Everything that the arms came to, as JSON values."""
    first = next(iter(layers))
    return {
        "name": recipe.name,
        "seeds": list(_seeds(recipe)),
        "first": first,
        "measures": [{"name": one.name, "better": one.better} for one in measures],
        "arms": [
            {
                "name": name,
                "changes": layers[name],
                "cost": _mean([one.cost for one in runs]),
                "runs": [
                    {"seed": r.seed, "figures": r.figures, "seconds": r.seconds, "curve": r.curve}
                    for r in runs
                ],
                "results": {one.name: _result(one, runs, walked[first]) for one in measures},
                "reached": _reached(runs, walked[first]),
            }
            for name, runs in walked.items()
        ],
    }


def _result(measure: Measure, runs: Sequence[Walked], first: Sequence[Walked]) -> dict[str, Any] | None:
    """Mean and interval of a figure, and of its difference to the first arm's, seed by seed.

    None where this arm cannot give it; no difference where the first one cannot.
    """
    name = measure.name
    if any(name not in run.figures for run in runs):
        return None
    values = [run.figures[name] for run in runs]
    found: dict[str, Any] = {"values": values, "gain": None, "verdict": ""}
    found |= _plain(intervals.t_interval(values))
    if runs is not first and all(name in run.figures for run in first):
        gain = intervals.t_interval([v - run.figures[name] for v, run in zip(values, first, strict=True)])
        told = verdict(gain, better=measure.better, num_seeds=len(values))
        found |= {"gain": _plain(gain), "verdict": told}
    return found


def verdict(gain: Mean, *, better: suite.Better, num_seeds: int) -> str:
    """What a difference to the first arm shows: gain, harm, or nothing."""
    if num_seeds == 1:
        return "one seed, no interval"
    sign = 1 if better == "higher" else -1
    if min(sign * gain.low, sign * gain.high) > 0:
        return "gain"
    return "harm" if max(sign * gain.low, sign * gain.high) < 0 else "no gain shown"


def _reached(runs: Sequence[Walked], first: Sequence[Walked]) -> dict[str, Any] | None:
    """When this arm had the valid loss at which the first one ended: mean seconds, and share of its time.

    None where a curve is missing, where it was not reached with some seed, or where the first took no time.
    """
    seconds, shares = [], []
    for run, other in zip(runs, first, strict=True):
        if not run.curve or not other.curve:
            return None
        goal = min(loss for _, loss in other.curve)
        found = next((at for at, loss in run.curve if loss <= goal), None)
        if found is None:
            return None
        needed = next(at for at, loss in other.curve if loss <= goal)
        if not needed:
            return None
        seconds.append(found)
        shares.append(found / needed)
    return {"seconds": _mean(seconds), "share": _mean(shares)}


def _report(found: dict[str, Any]) -> str:
    return page.render(
        found["name"],
        subtitle="The same way, walked side by side",
        headline=comparison.headline(found),
        chapters=comparison.chapters(found),
    )


def _plain(mean: Mean) -> dict[str, float | None]:
    values = {"value": mean.value, "low": mean.low, "high": mean.high}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

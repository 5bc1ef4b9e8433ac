"""The chapters of a comparison's report: which arm is better, by how much, how sure that is, and when."""

from __future__ import annotations

from typing import Any

from autolect.report import plots
from autolect.report.axes import duration
from autolect.report.blocks import Block, Chapter, Figure, Headline, Note, Table
from autolect.report.summary import PlainTable


def headline(found: dict[str, Any]) -> tuple[Headline, ...]:
    """The few figures that stand on top."""
    entries = [Headline("Arms", str(len(found["arms"])), ", ".join(a["name"] for a in found["arms"]))]
    for measure in found["measures"][:2]:
        best = _best(found, measure)
        shown = _number(best["results"][measure["name"]]["value"])
        entries.append(Headline(f"Best {measure['name']}", shown, best["name"]))
    total = sum(sum(run["seconds"].values()) for arm in found["arms"] for run in arm["runs"])
    entries.append(Headline("Seeds", str(len(found["seeds"])), f"{duration(total)} in all"))
    return tuple(entries)


def chapters(found: dict[str, Any]) -> list[Chapter]:
    """One chapter a measure, then the curves over time, then what each arm is."""
    parts = [_measured(found, measure) for measure in found["measures"]]
    return [*parts, *_curves(found), _arms(found)]


def tables(found: dict[str, Any]) -> list[PlainTable]:
    """The tables that the terminal and the report share: one a measure."""
    return [_table(found, measure) for measure in found["measures"]]


def sentences(found: dict[str, Any]) -> list[str]:
    """What the comparison shows, arm by arm, in words."""
    said = []
    for measure in found["measures"]:
        for arm in found["arms"][1:]:
            result = arm["results"][measure["name"]]
            if result is None or result["gain"] is None:
                continue
            gain, low, high = (result["gain"][key] for key in ("value", "low", "high"))
            ends = "" if low is None else f" ({low:+.4g} to {high:+.4g})"
            said.append(
                f"{arm['name']} against {found['first']}, {measure['name']}:"
                f" {gain:+.4g}{ends}, {result['verdict']}"
            )
    return said


def _measured(found: dict[str, Any], measure: dict[str, str]) -> Chapter:
    name = measure["name"]
    arms = [arm for arm in found["arms"] if arm["results"][name] is not None]
    results = [arm["results"][name] for arm in arms]
    title, columns, rows = _table(found, measure)
    alone = len(found["seeds"]) == 1
    seeds = ", ".join(map(str, found["seeds"]))
    blocks: list[Block] = [
        Figure(
            plots.bars(
                [arm["name"] for arm in arms],
                [one["value"] for one in results],
                None if alone else [_drawn(one) for one in results],
                highlight=arms.index(_best(found, measure)),
                x=f"{name} ({measure['better']} is better)",
            ),
            f"Seed {seeds}." if alone else f"Means and 95 % intervals over seeds {seeds}.",
            title,
        ),
        Table(columns, rows, caption=title),
    ]
    verdicts = {arm["name"]: arm["results"][name]["verdict"] for arm in arms}
    gained = [arm for arm, said in verdicts.items() if said == "gain"]
    harmed = [arm for arm, said in verdicts.items() if said == "harm"]
    if gained:
        blocks.insert(0, Note(f"A gain against {found['first']}: {', '.join(gained)}.", "good"))
    if harmed:
        blocks.insert(0, Note(f"Worse than {found['first']}: {', '.join(harmed)}.", "warn"))
    if alone:
        blocks.insert(
            0, Note("One seed has no interval, so nothing is shown; set compare.seeds = 3.", "warn")
        )
    elif not gained and not harmed:
        blocks.insert(0, Note(f"No gain shown against {found['first']}.", "warn"))
    lead = f"Each arm against {found['first']}, seed by seed."
    return Chapter(name[:1].upper() + name[1:], lead, tuple(blocks))


def _curves(found: dict[str, Any]) -> list[Chapter]:
    series = {arm["name"]: arm["runs"][0]["curve"] for arm in found["arms"] if arm["runs"][0]["curve"]}
    if len(series) < 2 or found["measures"][0]["name"] != "valid loss":
        return []
    lines = {name: ([at for at, _ in curve], [loss for _, loss in curve]) for name, curve in series.items()}
    figure = Figure(
        plots.learning_curve(lines, x="seconds, those for vectors included", y="valid loss"),
        f"Seed {found['seeds'][0]}.",
        "Valid loss over time",
    )
    rows = tuple((arm["name"], *_reached(arm)) for arm in found["arms"] if arm["runs"][0]["curve"])
    table = Table(
        ("arm", "seconds to that loss", "share of its time"),
        rows,
        caption=f"When each arm had the loss at which {found['first']} ended.",
    )
    return [Chapter("Over time", "Loss on valid by the seconds spent.", (figure, table))]


def _reached(arm: dict[str, Any]) -> tuple[str, str]:
    reached = arm["reached"]
    return (
        ("not reached", "-") if reached is None else (f"{reached['seconds']:.0f}", f"{reached['share']:.2f}")
    )


def _arms(found: dict[str, Any]) -> Chapter:
    rows = tuple(
        (
            arm["name"],
            ", ".join(f"{key} = {value}" for key, value in _flat(arm["changes"])) or "the recipe as it is",
            f"{arm['cost']:.0f}",
        )
        for arm in found["arms"]
    )
    caption = "Seconds for vectors, pretraining and fine-tuning, a mean over seeds."
    table = Table(("arm", "what it changes", "seconds"), rows, caption=caption)
    return Chapter("Arms", "What each arm is, and what it costs.", (table,))


def _table(found: dict[str, Any], measure: dict[str, str]) -> PlainTable:
    rows = []
    for arm in found["arms"]:
        one = arm["results"][measure["name"]]
        shown = ("-", "", "", "", "")
        if one is not None:
            gain = one["gain"]
            against = ("", "") if gain is None else (f"{gain['value']:+.4g}", _ends(gain))
            shown = (_number(one["value"]), _ends(one), *against, one["verdict"])
        rows.append((arm["name"], *shown, f"{arm['cost']:.0f}"))
    beside = f"against {found['first']}"
    columns = ("arm", measure["name"], "95 %", beside, "95 % of that", "verdict", "seconds")
    return (f"{measure['name']}, {measure['better']} is better", columns, tuple(rows))


def _best(found: dict[str, Any], measure: dict[str, str]) -> dict[str, Any]:
    sign = 1 if measure["better"] == "higher" else -1
    able = [arm for arm in found["arms"] if arm["results"][measure["name"]] is not None]
    best: dict[str, Any] = max(able, key=lambda arm: sign * arm["results"][measure["name"]]["value"])
    return best


def _flat(table: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(f"{before}{key}", value)]
    return found


def _drawn(interval: dict[str, Any]) -> tuple[float, float]:
    value = interval["value"]
    return (value, value) if interval["low"] is None else (interval["low"], interval["high"])


def _number(value: float) -> str:
    return f"{value:.4g}"


def _ends(interval: dict[str, Any]) -> str:
    return "-" if interval["low"] is None else f"{interval['low']:.4g} to {interval['high']:.4g}"

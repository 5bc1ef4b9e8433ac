"""The chapters of what was learned from labels: the search, the fine-tuning, the labels, the test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autolect.report import plots, summary
from autolect.report.blocks import Block, Chapter, Facts, Figure, Marked, Note, Table

_LEARNING = ("learn", "rate", "layer_decay", "minutes", "epochs", "steps", "tokens", "length", "batch_tokens")
"""Settings of a fine-tuning that a reader asks for first."""
_FURTHER = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mcc": "Matthews' correlation",
    "exact": "texts with exactly the right labels",
    "token_accuracy": "tokens with the right tag",
    "partial_f1": "F1 if it is enough that entities of a type overlap",
    "chrf": "chrF",
    "distinct": "pairs of neighbouring words that differ",
    "distinct_gold": "the same in the true texts",
}
"""What else is told of a model on test."""


def search(facts: dict[str, Any]) -> Chapter | None:
    """What was tried, and what it came to on valid."""
    trials = facts.get("trials")
    if not trials:
        return None
    points = [(t["number"], t["value"], t["state"]) for t in trials if t["value"] is not None]
    keys = sorted({key for trial in trials for key in trial["params"]})
    table = Table(
        ("trial", "score on valid", "state", *map(_short, keys)),
        tuple(
            (
                str(t["number"]),
                "-" if t["value"] is None else f"{t['value']:.4f}",
                t["state"],
                *(_setting(t, key) for key in keys),
            )
            for t in trials
        ),
        caption="All of them with the recipe's seed; a pruned one was broken off, since by then it was"
        " worse than half of those before it.",
    )
    figure = Figure(plots.search(points), "Score on valid, trial by trial.", "Search history")
    return Chapter(
        "Search",
        "Chosen on the valid examples; the test examples stayed closed. A score is what the task measures,"
        " and a thousandth of the loss or the accuracy, which tells equal ones apart.",
        (figure, _finalists(facts["finalists"]), table),
    )


def _finalists(finalists: Sequence[dict[str, Any]]) -> Table:
    keys = sorted({key for one in finalists for key in one["params"]})
    seeds = ", ".join(str(seed) for seed in finalists[0]["seeds"])
    caption = (
        f"The best settings with the seeds {seeds}: the mean decides, the spread is a standard deviation."
    )
    if len(finalists[0]["seeds"]) == 1:
        caption = "The best settings, with one seed: luck may have chosen between them."
    return Table(
        ("finalist", "mean on valid", "spread", "each seed", "seed kept", *map(_short, keys)),
        tuple(
            (
                f"trial {one['trial']}",
                f"{one['mean']:.4f}",
                "-" if one["spread"] is None else f"{one['spread']:.4f}",
                ", ".join(f"{score:.4f}" for score in one["scores"]),
                "-" if number else str(one["seed"]),
                *(_setting(one, key) for key in keys),
            )
            for number, one in enumerate(finalists)
        ),
        caption=caption,
        highlight_row=0,
    )


def finetuning(facts: dict[str, Any]) -> Chapter | None:
    """What was learned from labels, from what, and how it went."""
    tuned = facts.get("finetuned")
    if tuned is None:
        return None
    task, metrics = tuned["task"], tuned["metrics"]
    blocks: list[Block] = []
    points = [(step, score) for step, score in facts.get("learning", ()) if score is not None]
    if len(points) > 1:
        steps, scores = zip(*points, strict=True)
        blocks.append(
            Figure(
                plots.learning_curve({"valid": (steps, scores)}, x="step", y="score on valid"),
                f"Score on valid as it learned; {_kept(metrics)}.",
                f"Score on valid from {scores[0]:.3f} to {max(scores):.3f}",
            )
        )
    if not metrics["best_step"]:
        blocks.append(
            Note(
                "No step of the training was better on valid than what was fitted before it. More labels,"
                " more steps or another rate may help; a search over such trainings chooses between equals,"
                " and a refit takes no steps.",
                "warn",
            )
        )
    settings = facts["finetune"] | _searched(facts, "finetune")
    rows = [
        (name.removeprefix("valid_").replace("_", " ") + " on valid", f"{value:.4g}")
        for name, value in metrics.items()
        if name.startswith("valid_") and name != "valid_score"
    ]
    rows += [("best step", summary.best_step(metrics))]
    rows += [
        (split, str(task["settings"][split]))
        for split in ("train", "valid", "test")
        if task["settings"].get(split)
    ]
    rows += [("labels", f"{len(task['labels']):,}")] if task["labels"] else []
    rows += [(name.replace("_", " "), _written(settings[name])) for name in _LEARNING if name in settings]
    blocks.append(Facts(tuple(rows)))
    lead = f"Task {task['kind']}."
    if task["settings"].get("refit"):
        lead += (
            " After all choices the model learned once more from the train and the valid examples together;"
            " what valid says here is of the model before that, for it can judge none that learned it."
        )
    return Chapter("Fine-tuning", lead, tuple(blocks))


def _kept(metrics: dict[str, Any]) -> str:
    """Which weights a fine-tuned model has."""
    networks = metrics.get("averaged", 1)
    if networks > 1:
        return f"{networks:,} networks one after the other, the mean of each one's best weights was kept"
    return f"the weights of step {metrics['best_step']:,} were kept"


def _searched(facts: dict[str, Any], section: str) -> dict[str, Any]:
    """What the search chose of a section of the recipe."""
    finalists = facts.get("finalists")
    found = finalists[0]["params"] if finalists else {}
    return {
        key.removeprefix(f"{section}."): value
        for key, value in found.items()
        if key.startswith(f"{section}.")
    }


def examples(facts: dict[str, Any]) -> Chapter | None:
    """What fewer labels come to, and what texts without labels added."""
    blocks: list[Block] = []
    if points := facts.get("curve"):
        counts, scores = zip(*points, strict=True)
        blocks.append(
            Figure(
                plots.learning_curve(
                    {"valid": (counts, scores)}, x="labelled examples", y="score on valid", log_x=True
                ),
                "The same settings with a part of the train examples; the last point has all of them. Where"
                " the line still rises, more labels help.",
                "Score on valid by the number of labelled examples: "
                + ", ".join(f"{count:,} {score:.3f}" for count, score in points),
            )
        )
    if found := facts.get("self_training"):
        verdict = "is better and was kept" if found["kept"] else "is no better and was not kept"
        blocks.append(
            Note(
                f"Self-training: of {found['texts']:,} texts without labels the {found['learned']:,} surest"
                f" answers were learned; the new model {verdict} ({found['before']:.4f} on valid before,"
                f" {found['after']:.4f} after).",
                "good" if found["kept"] else "warn",
            )
        )
    lead = "Measured on the valid examples; the test examples stayed closed."
    return Chapter("Labels", lead, tuple(blocks)) if blocks else None


def _short(key: str) -> str:
    """A key of the recipe without its section."""
    return key.rpartition(".")[2]


def _setting(one: dict[str, Any], key: str) -> str:
    """What a trial or a finalist has for a key of the recipe."""
    return _written(one["params"].get(key, "recipe"))


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def test(facts: dict[str, Any]) -> Chapter | None:
    """The one look at the test examples, beside simple tools."""
    evaluation = facts.get("evaluation")
    if evaluation is None:
        return None
    model, baselines = evaluation["model"], evaluation["baselines"]
    entries = [*baselines, {"title": "autolect", **model}]
    best = max(baselines, key=lambda b: b["score"])
    said, shown = summary.against(best, examples=evaluation["examples"]["test"])
    blocks: list[Block] = [Note(f"{said} The best baseline is {best['title']}.", "good" if shown else "warn")]
    blocks.append(
        Figure(
            plots.bars(
                [e["title"] for e in entries],
                [e["score"] for e in entries],
                [(e["low"], e["high"]) for e in entries],
                highlight=len(entries) - 1,
                x=evaluation["measure"],
            ),
            "The same split for all; intervals by bootstrap over the test examples.",
            f"autolect {model['score']:.3f}, best baseline {best['score']:.3f}",
        )
    )
    for shared in evaluation["overlap"]:
        if shared["shared"]:
            blocks.append(
                Note(
                    f"{shared['shared']} texts of {shared['later']} stand in {shared['earlier']} too.", "warn"
                )
            )
    for names in evaluation["alike"]:
        blocks.append(Note(f"Train has {names}. They were learned as different ones.", "warn"))
    if not evaluation["num_unseen"]:
        what = "Every test text stands in another split: nothing here says how good it is on new texts."
        blocks.append(Note(what, "warn"))
    if (unseen := summary.without_repeated(evaluation)) is not None:
        blocks += [Note(f"{unseen[0]}:"), Table(*unseen[1:])]
    blocks += [*_details(model), *_sureness(evaluation), *_mistakes(evaluation)]
    counts = evaluation["examples"]
    lead = (
        f"{counts['test']} examples, opened once, after all choices were made on {counts['valid']}"
        f" valid examples; {counts['train']} to learn from."
    )
    return Chapter("Test", lead, tuple(blocks))


def _details(model: dict[str, Any]) -> list[Block]:
    """What the score is made of."""
    blocks: list[Block] = []
    if "confusion" in model:
        blocks.append(
            Figure(
                plots.confusion(model["confusion"], model["labels"]),
                "True labels in rows.",
                "Confusion matrix",
            )
        )
    if "points" in model:
        blocks.append(
            Figure(
                plots.points(model["points"], x="true", y="predicted"),
                f"Pearson {model['pearson']:.3f}; on the line a prediction is right.",
                "Predicted against true scores",
            )
        )
    if further := [(name, f"{model[key]:.3f}") for key, name in _FURTHER.items() if key in model]:
        blocks.append(Table(("figure", "value"), tuple(further), caption="Further figures."))
    if "per_label" in model:
        rows = tuple(
            (r[0], f"{r[1]:.3f}", f"{r[2]:.3f}", f"{r[3]:.3f}", str(r[4])) for r in model["per_label"]
        )
        columns = ("label", "precision", "recall", "F1", "examples")
        blocks.append(Table(columns, rows, caption="Label by label."))
    return blocks


def _sureness(evaluation: dict[str, Any]) -> list[Block]:
    """Whether answers are as often right as they are sure, and how the score depends on length and label."""
    blocks: list[Block] = []
    if sure := evaluation["calibration"]:
        blocks.append(
            Figure(
                plots.points([(one, other) for one, other, _ in sure["bins"]], x="how sure", y="share right"),
                f"Expected calibration error {sure['ece']:.3f} over {sure['answers']:,} answers; below the"
                " line the model is too sure.",
                "How often answers are right, by how sure they are",
            )
        )
    rows = tuple(
        (
            one["slice"],
            f"{one['examples']:,}",
            f"{one['score']:.3f}",
            f"{one['low']:.3f} to {one['high']:.3f}",
        )
        for one in evaluation["slices"]
    )
    columns = ("texts", "examples", evaluation["measure"], "95 % interval")
    blocks.append(Table(columns, rows, caption="Some of the texts alone."))
    return blocks


def _mistakes(evaluation: dict[str, Any]) -> list[Block]:
    wrong = evaluation["mistakes"]
    if not wrong:
        return []
    if isinstance(wrong[0]["gold"], str):
        return [
            Table(
                ("text", "true", "predicted", evaluation["mistakes_by"]),
                tuple((w["text"], w["gold"], w["predicted"], f"{w['confidence']:.3g}") for w in wrong),
                caption="The worst mistakes.",
            )
        ]
    return [
        Marked(
            w["text"],
            tuple((a, b, c) for a, b, c in w["predicted"]),
            caption=w["where"],
            gold=tuple((a, b, c) for a, b, c in w["gold"]),
        )
        for w in wrong
    ]

"""The chapters of a run's report, in the order of the way: each is blocks made from the run's facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autolect.report import plots, summary
from autolect.report.blocks import (
    Block,
    Chapter,
    Command,
    Facts,
    Figure,
    Headline,
    Marked,
    Note,
    Table,
    TextPairs,
)


def chapters(facts: dict[str, Any], *, log: Sequence[dict[str, Any]], command: str) -> list[Chapter]:
    """Chapters of the stages that there are. log: the records of pretraining; command: what to type next."""
    found = (
        _corpus(facts),
        _vectors(facts),
        _pretraining(facts, log),
        _latent(facts),
        _search(facts),
        _examples(facts),
        _test(facts),
        _time(facts, command),
    )
    return [chapter for chapter in found if chapter is not None]


def headline(facts: dict[str, Any]) -> tuple[Headline, ...]:
    """The few figures that stand on top."""
    found = []
    if evaluation := facts.get("evaluation"):
        model, baselines = evaluation["model"], evaluation["baselines"]
        best = max(baselines, key=lambda b: b["score"])
        found += [
            Headline(
                f"Test {evaluation['measure']}",
                f"{model['score']:.3f}",
                f"95 % interval {model['low']:.3f} to {model['high']:.3f}",
            ),
            Headline("Best baseline", f"{best['score']:.3f}", best["title"]),
        ]
    if pretrained := facts.get("pretrained"):
        metrics = pretrained["metrics"]
        found.append(
            Headline(
                "Loss on valid", f"{metrics['valid_loss']:.2f}", f"{metrics['valid_loss_before']:.2f} before"
            )
        )
        found.append(Headline("Parameters", f"{metrics['parameters'] / 1e6:.1f} M"))
    total = sum(facts["seconds"].values())
    found.append(Headline("Time", f"{total / 60:.1f} min", "all stages"))
    return tuple(found)


def _corpus(facts: dict[str, Any]) -> Chapter | None:
    corpus, tokens = facts.get("corpus"), facts.get("tokens")
    if corpus is None:
        return None
    grid = Facts(
        (
            ("Language", corpus["language"]),
            ("Documents read", f"{corpus['read']:,}"),
            ("Empty after cleaning", f"{corpus['empty']:,}"),
            ("Repeated, dropped", f"{corpus['exact_duplicates']:,}"),
            ("Nearly repeated, dropped", f"{corpus['near_duplicates']:,}"),
            ("Documents kept", f"{corpus['documents']:,}"),
            ("Characters kept", f"{corpus['characters']:,}"),
        )
    )
    splits = Table(
        ("split", "documents", "characters", "tokens", "unknown tokens"),
        tuple(
            (
                name,
                f"{part['documents']:,}",
                f"{part['characters']:,}",
                f"{tokens[name]['tokens']:,}" if tokens else "-",
                f"{tokens[name]['unknown_rate']:.3%}" if tokens else "-",
            )
            for name, part in corpus["splits"].items()
        ),
        caption="Split by document, with a like mix of sources and lengths.",
    )
    removed = Table(
        ("cleaning step", "characters removed or changed"),
        tuple((step, f"{corpus['removed'].get(step, 0):,}") for step in corpus["cleaning"]),
        caption="The same steps are applied to every text that the model will see.",
    )
    return Chapter("Corpus", "What was read, what was left out, and why.", (grid, splits, removed))


def _vectors(facts: dict[str, Any]) -> Chapter | None:
    if "vectors" not in facts:
        return None
    vectors = facts["vectors"]
    near = summary.neighbours(facts)
    blocks = () if near is None else (Table(near[1], near[2], caption=near[0]),)
    lead = (
        f"{vectors['kind']} vectors of {vectors['words']['keys']:,} words; those of tokens start the model."
    )
    return Chapter("Word vectors", lead, blocks)


def _pretraining(facts: dict[str, Any], log: Sequence[dict[str, Any]]) -> Chapter | None:
    pretrained = facts.get("pretrained")
    if pretrained is None:
        return None
    metrics = pretrained["metrics"]
    blocks: list[Block] = []
    series = {}
    if log:
        taken = [record for record in log if record["loss"] is not None]
        smooth = _smoothed([record["loss"] for record in taken])
        series["train"] = ([record["step"] for record in taken], smooth)
    measured = [record for record in log if record.get("valid_loss") is not None]
    if measured:
        series["valid"] = ([r["step"] for r in measured], [r["valid_loss"] for r in measured])
        blocks.append(
            Figure(
                plots.learning_curve(series, x="step", y="loss"),
                "Loss a token; train is a running mean.",
                f"Loss falls from {metrics['valid_loss_before']:.2f} to {metrics['valid_loss']:.2f}",
            )
        )
    shown = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
    blocks.append(
        Facts(
            tuple(
                (k.replace("_", " "), f"{v:,.4g}" if isinstance(v, float) else f"{v:,}")
                for k, v in shown.items()
            )
        )
    )
    if facts.get("reconstructions"):
        pairs = tuple((a, b) for a, b in facts["reconstructions"])
        blocks.append(TextPairs(pairs, "Texts of the test split, written again from the latent alone."))
    lead = f"Objective {pretrained['objective']}, {pretrained['architecture']['encoder']['kind']} encoder."
    return Chapter("Pretraining", lead, tuple(blocks))


def _latent(facts: dict[str, Any]) -> Chapter | None:
    rated = summary.rates(facts)
    if rated is None:
        return None
    rows = facts["rates"]["rows"]
    blocks: list[Block] = [Table(rated[1], rated[2], caption=rated[0])]
    if len(rows) > 1:
        curve = ([row["bits"] for row in rows], [row["chrf"] for row in rows])
        blocks.append(
            Figure(
                plots.learning_curve({"chrF": curve}, x="bits a text", y="chrF", log_x=True),
                "The same latents, their numbers rounded to fewer bits.",
                "chrF of what comes back over bits a text",
            )
        )
    lead = "How much of a text its latent carries, when the decoder writes it greedily."
    return Chapter("Latent", lead, tuple(blocks))


def _search(facts: dict[str, Any]) -> Chapter | None:
    trials = facts.get("trials")
    if not trials:
        return None
    points = [(t["number"], t["value"], t["state"]) for t in trials if t["value"] is not None]
    keys = sorted({key for trial in trials for key in trial["params"]})
    table = Table(
        ("trial", "score on valid", "state", *keys),
        tuple(
            (
                str(t["number"]),
                "-" if t["value"] is None else f"{t['value']:.4f}",
                t["state"],
                *(_setting(t, key) for key in keys),
            )
            for t in trials
        ),
        caption="All of them with the recipe's seed.",
    )
    figure = Figure(plots.search(points), "Score on valid, trial by trial.", "Search history")
    return Chapter(
        "Search",
        "Chosen on the valid examples; the test examples stayed closed.",
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
        ("finalist", "mean on valid", "spread", "each seed", "seed kept", *keys),
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


def _examples(facts: dict[str, Any]) -> Chapter | None:
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


def _setting(one: dict[str, Any], key: str) -> str:
    """What a trial or a finalist has for a key of the recipe."""
    value = one["params"].get(key, "recipe")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _test(facts: dict[str, Any]) -> Chapter | None:
    evaluation = facts.get("evaluation")
    if evaluation is None:
        return None
    model, baselines = evaluation["model"], evaluation["baselines"]
    entries = [*baselines, {"title": "autolect", **model}]
    best = max(baselines, key=lambda b: b["score"])
    gain = model["score"] - best["score"]
    verdict = Note(
        f"{gain:+.3f} against the best baseline ({best['title']})."
        + ("" if gain > 0 else f" No gain: the simple tool is {_as_good(model, best)} on these labels."),
        "good" if gain > 0 else "warn",
    )
    blocks: list[Block] = [verdict]
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
    if (unseen := summary.without_repeated(evaluation)) is not None:
        blocks += [Note(f"{unseen[0]}:"), Table(*unseen[1:])]
    blocks += [*_details(model), *_sureness(evaluation), *_mistakes(evaluation)]
    counts = evaluation["examples"]
    lead = (
        f"{counts['test']} examples, opened once, after all choices were made on {counts['valid']}"
        f" valid examples; {counts['train']} to learn from."
    )
    return Chapter("Test", lead, tuple(blocks))


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


def _as_good(model: dict[str, Any], best: dict[str, Any]) -> str:
    """What to call a simple tool that is not below the model."""
    return "better" if model["high"] < best["low"] else "as good"


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
        blocks.append(Table(("further figures", "value"), tuple(further)))
    if "per_label" in model:
        rows = tuple(
            (r[0], f"{r[1]:.3f}", f"{r[2]:.3f}", f"{r[3]:.3f}", str(r[4])) for r in model["per_label"]
        )
        blocks.append(Table(("label", "precision", "recall", "F1", "examples"), rows))
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
    blocks.append(Table(("texts", "examples", evaluation["measure"], "95 % interval"), rows))
    return blocks


def _mistakes(evaluation: dict[str, Any]) -> list[Block]:
    wrong = evaluation["mistakes"]
    if not wrong:
        return []
    if isinstance(wrong[0]["gold"], str):
        return [
            Table(
                ("text", "true", "predicted", evaluation["mistakes_by"]),
                tuple((w["text"], w["gold"], w["predicted"], f"{w['confidence']:.2f}") for w in wrong),
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


def _time(facts: dict[str, Any], command: str) -> Chapter:
    names, seconds = list(facts["seconds"]), list(facts["seconds"].values())
    figure = Figure(plots.stages(names, seconds), "Seconds a stage took when it was made.", "Time by stage")
    return Chapter(
        "Time and use",
        "Where the time went, and what to type next.",
        (figure, Command(command)),
    )


def _smoothed(values: list[float]) -> list[float]:
    """An exponential running mean over about 2 % of the values."""
    share = 2 / (1 + max(1.0, len(values) / 50))
    found: list[float] = []
    for value in values:
        found.append(value if not found else found[-1] + share * (value - found[-1]))
    return found

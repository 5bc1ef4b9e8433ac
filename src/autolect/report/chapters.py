"""The chapters of a run's report, in the order of the way: each is blocks made from the run's facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autolect.report import learned, plots, summary
from autolect.report.blocks import (
    Block,
    Chapter,
    Command,
    Facts,
    Figure,
    Headline,
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
        learned.search(facts),
        learned.finetuning(facts),
        learned.examples(facts),
        learned.test(facts),
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
        if not facts["given"]:
            before = f"{metrics['valid_loss_before']:.2f} before"
            found.append(Headline("Loss on valid", f"{metrics['valid_loss']:.2f}", before))
        found.append(Headline("Parameters", f"{metrics['parameters'] / 1e6:.1f} M"))
    total = sum(facts["seconds"].values())
    stages = "all stages but the bundle's own" if facts.get("given") else "all stages"
    found.append(Headline("Time", f"{total / 60:.1f} min", stages))
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
    if facts["given"]:
        lead += (
            f" It was pretrained before this run, and lies in {facts['given']}; these are its own figures."
        )
        return Chapter("The bundle it starts from", lead, tuple(blocks))
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

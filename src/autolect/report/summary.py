"""What a run came to in words and numbers, for the terminal; the report's chapters show the same tables."""

from __future__ import annotations

from typing import Any

PlainTable = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
"""(title, columns, rows)."""


def rows(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Key figures, for the terminal."""
    found: list[tuple[str, str]] = []
    if corpus := facts.get("corpus"):
        found += [
            ("language", corpus["language"]),
            ("documents", f"{corpus['documents']:,} ({corpus['characters']:,} characters)"),
            (
                "dropped",
                f"{corpus['exact_duplicates']} repeated, {corpus['near_duplicates']} nearly repeated",
            ),
            ("split", " / ".join(f"{v['documents']:,} {k}" for k, v in corpus["splits"].items())),
        ]
    if tokens := facts.get("tokens"):
        found += [
            ("vocabulary", f"{tokens['vocab_size']:,} {tokens['kind']} tokens"),
            ("training tokens", f"{tokens['train']['tokens']:,}"),
        ]
    if pretrained := facts.get("pretrained"):
        metrics = pretrained["metrics"]
        if facts["given"]:
            found.append(("starts from", facts["given"]))
        found.append(("parameters", f"{metrics['parameters'] / 1e6:.2f} M"))
    if pretrained and not facts["given"]:
        found.append(
            ("loss on valid", f"{metrics['valid_loss_before']:.3f} before, {metrics['valid_loss']:.3f} after")
        )
        if "test_loss" in metrics:
            found.append(("loss on test", f"{metrics['test_loss']:.3f}"))
    if finalists := facts.get("finalists"):
        won = finalists[0]
        how = "" if won["spread"] is None else f", {len(won['seeds'])} seeds, spread {won['spread']:.3f}"
        found.append(("search on valid", f"{won['mean']:.3f} (trial {won['trial']}{how})"))
    if tuned := facts.get("finetuned"):
        found += learned(tuned["metrics"])
        if tuned["task"]["settings"].get("refit"):
            found.append(("refit", "learned once more from train and valid; these figures are from before"))
    if taught := facts.get("self_training"):
        kept = "kept" if taught["kept"] else "not kept"
        found.append(("self-training", f"{taught['before']:.3f} to {taught['after']:.3f} on valid, {kept}"))
    if evaluation := facts.get("evaluation"):
        model = evaluation["model"]
        found.append(
            (
                f"test {evaluation['measure']}",
                f"{model['score']:.3f} ({model['low']:.3f} to {model['high']:.3f})",
            )
        )
        if evaluation["baselines"]:
            best = max(evaluation["baselines"], key=lambda one: one["score"])
            found.append((best["title"], against(best, examples=evaluation["examples"]["test"])[0]))
    return tuple(found)


def learned(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """How good a fine-tuned model is on valid, and which of its steps that was."""
    shown = [
        (name.replace("_", " "), f"{value:.3f}")
        for name, value in metrics.items()
        if name.startswith("valid_") and name != "valid_score"
    ]
    return [*shown, ("best step", best_step(metrics))]


def best_step(metrics: dict[str, Any]) -> str:
    """Which of its steps a fine-tuned model is of."""
    found = f"{metrics['best_step']:,} of {metrics['steps']:,}"
    if not metrics["best_step"]:
        return f"{found}: no step of the training was better than what was fitted before it"
    networks = metrics.get("averaged", 1)
    return f"{found}; the mean of the weights of {networks:,} networks is kept" if networks > 1 else found


def tables(facts: dict[str, Any]) -> list[PlainTable]:
    """The tables that the terminal and the report share."""
    found: list[PlainTable] = []
    if not facts.get("given") and (near := neighbours(facts)) is not None:
        found.append(near)
    if facts.get("reconstructions"):
        pairs = tuple((a, b) for a, b in facts["reconstructions"])
        found.append(
            ("Texts of the test split, written again from the latent", ("text", "reconstruction"), pairs)
        )
    if (rated := rates(facts)) is not None:
        found.append(rated)
    if evaluation := facts.get("evaluation"):
        found.append(
            (f"Test {evaluation['measure']}", ("method", "score", "95 % interval"), _scores(evaluation))
        )
        if (unseen := without_repeated(evaluation)) is not None:
            found.append(unseen)
    stages = tuple((name, f"{seconds:.1f}") for name, seconds in facts["seconds"].items())
    found.append(("Where the time went", ("stage", "seconds"), stages))
    return found


def without_repeated(evaluation: dict[str, Any]) -> PlainTable | None:
    """The scores on the test examples that no other split has, where some of them stand in one too."""
    if "unseen" not in evaluation["model"]:
        return None
    left = f"{evaluation['num_unseen']:,} of {evaluation['examples']['test']:,}"
    title = f"The same on the {left} texts that stand in no other split"
    return title, ("method", "score", "95 % interval"), _scores(evaluation, part="unseen")


def neighbours(facts: dict[str, Any]) -> PlainTable | None:
    """The nearest words of each word that was asked for."""
    if not facts.get("neighbours"):
        return None
    near = tuple(
        (word, ", ".join(f"{n} {s:.2f}" for n, s in others)) for word, others in facts["neighbours"].items()
    )
    return "Neighbours by the static vectors", ("word", "nearest"), near


def rates(facts: dict[str, Any]) -> PlainTable | None:
    """Bits a text against what comes back of it, for each way to write its latent down."""
    found = facts.get("rates")
    if not found:
        return None
    rows = [
        (
            one["code"],
            f"{one['bits']:,.0f}",
            f"{one['bits_a_character']:.1f}",
            f"{one['exact']:.0%}",
            f"{one['chrf']:.1f}",
        )
        for one in found["rows"]
    ]
    packed, a_character = found["xz"], found["xz"] / found["characters"]
    rows.append(("xz -9e, all of them together", f"{packed:,.0f}", f"{a_character:.1f}", "100%", "100"))
    title = f"What {found['texts']} short texts of the test split are as latents, and what comes back"
    return title, ("latent", "bits a text", "bits a character", "came back exactly", "chrF"), tuple(rows)


def against(best: dict[str, Any], *, examples: int) -> tuple[str, bool]:
    """How the model stands to a baseline on test, in a sentence, and whether it is shown to be better."""
    gain = best["gain"]
    found = f"{gain['value']:+.3f} against the best baseline ({gain['low']:+.3f} to {gain['high']:+.3f})"
    if gain["shown"] and gain["value"] > 0:
        return f"{found}.", True
    if gain["shown"]:
        return f"{found}: the simple tool is better on these labels.", False
    return f"{found}: on {examples:,} test examples that shows no difference.", False


def _scores(evaluation: dict[str, Any], *, part: str | None = None) -> tuple[tuple[str, ...], ...]:
    entries = [*evaluation["baselines"], {"title": "autolect", **evaluation["model"]}]
    figures = [(entry["title"], entry[part] if part else entry) for entry in entries]
    return tuple((title, f"{e['score']:.3f}", f"{e['low']:.3f} to {e['high']:.3f}") for title, e in figures)

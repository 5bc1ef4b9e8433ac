"""Verbs that ask a model about texts: fill, encode, embed, reconstruct, generate, score, predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autolect.cli import options, show
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError

if TYPE_CHECKING:
    from autolect.core.results import Gap, Prediction, Span
    from autolect.jobs.using.use import Lect

_SHOWN_NUMBERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer: as facts for --json, as lines for a person."""

    facts: dict[str, Any]
    lines: list[str]


Ask = Callable[["Lect", Sequence[str]], list[Shown]]


def fill(
    ctx: typer.Context,
    bundle: options.Bundle,
    text: options.Texts = None,
    file: options.TextFile = None,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="Candidates a gap.")] = 5,
) -> None:
    """Guess what stands at each [MASK] of a text."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        found = lect.fill(texts, count=count)
        return [_filled(one, gaps) for one, gaps in zip(texts, found, strict=True)]

    _answer(ctx, bundle, ask, text=text, file=file, ability="fill")


def encode(
    ctx: typer.Context,
    bundle: options.Bundle,
    text: options.Texts = None,
    file: options.TextFile = None,
    dtype: options.Dtype = "float32",
) -> None:
    """Turn each text into its latent, K numbers; --json gives all of them."""
    ask = _numbered(lambda lect, texts: lect.encode(texts), name="latent")
    _answer(ctx, bundle, ask, text=text, file=file, ability="encode", dtype=dtype)


def embed(
    ctx: typer.Context,
    bundle: options.Bundle,
    text: options.Texts = None,
    file: options.TextFile = None,
    dtype: options.Dtype = "float32",
) -> None:
    """Turn each text into a vector to compare texts by: cosines say how alike they are."""
    ask = _numbered(lambda lect, texts: lect.embed(texts), name="vector")
    _answer(ctx, bundle, ask, text=text, file=file, ability="embed", dtype=dtype)


def reconstruct(
    ctx: typer.Context, bundle: options.Bundle, text: options.Texts = None, file: options.TextFile = None
) -> None:
    """Rebuild each text from its latent alone, as the decoder reads it."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        return [
            Shown(facts={"text": one, "reconstruction": again}, lines=[show.safe(again)])
            for one, again in zip(texts, lect.reconstruct(texts), strict=True)
        ]

    _answer(ctx, bundle, ask, text=text, file=file, ability="reconstruct")


def interpolate(
    ctx: typer.Context,
    bundle: options.Bundle,
    one: Annotated[str, typer.Argument(metavar="TEXT", help="Where the way begins.")],
    other: Annotated[str, typer.Argument(metavar="TEXT", help="Where it ends.")],
    count: Annotated[int, typer.Option("--count", min=2, max=100, help="Texts on the way.")] = 5,
) -> None:
    """Write the texts that lie between two, on the straight line from latent to latent."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        between = lect.interpolate(*texts, count=count)
        return [Shown(facts={"texts": between}, lines=[show.safe(text) for text in between])]

    _answer(ctx, bundle, ask, text=[one, other], file=None, ability="decode")


def generate(
    ctx: typer.Context,
    bundle: options.Bundle,
    text: options.Texts = None,
    file: options.TextFile = None,
    length: Annotated[int, typer.Option("--length", min=1, help="Tokens to add at most.")] = 32,
    temperature: Annotated[
        float,
        typer.Option("--temperature", min=0, help="0 takes the likeliest token; higher is more varied."),
    ] = 0.8,
    top_k: Annotated[
        int, typer.Option("--top-k", min=0, help="Draw among so many likeliest tokens; 0 is all.")
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(
            "--top-p", min=0.0, max=1.0, help="Draw among those that have this probability together."
        ),
    ] = 1.0,
    beams: Annotated[
        int,
        typer.Option("--beams", min=1, max=64, help="Above 1: the likeliest text among so many, undrawn."),
    ] = 1,
    style: Annotated[
        str | None, typer.Option("--style", metavar="NAME", help="Kind of text (corpus.style in the recipe).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same text.")] = 0,
) -> None:
    """Carry each text on."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        found = lect.generate(
            texts,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            beams=beams,
            style=style,
            seed=seed,
        )
        return [
            Shown(facts={"text": one, "generated": more}, lines=[show.safe(more)])
            for one, more in zip(texts, found, strict=True)
        ]

    _answer(ctx, bundle, ask, text=text, file=file, ability="generate")


def score(
    ctx: typer.Context, bundle: options.Bundle, text: options.Texts = None, file: options.TextFile = None
) -> None:
    """Say how likely each text is: the logarithm of its probability, or its pseudo-log-likelihood."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        return [
            Shown(facts={"text": one, "score": value}, lines=[f"{value:10.3f}  {show.safe(one)}"])
            for one, value in zip(texts, lect.score(texts), strict=True)
        ]

    _answer(ctx, bundle, ask, text=text, file=file, ability="score")


def predict(
    ctx: typer.Context,
    bundle: options.Bundle,
    text: options.Texts = None,
    file: options.TextFile = None,
    dtype: options.Dtype = "float32",
) -> None:
    """Answer the task that the model was fine-tuned for. Where it takes two texts, part them by a tab."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        return [_predicted(one, found) for one, found in zip(texts, lect.predict(texts), strict=True)]

    _answer(ctx, bundle, ask, text=text, file=file, ability="predict", dtype=dtype)


def marked(text: str, spans: Sequence[Span]) -> str:
    """The text with each span as ``[New York](city)``, safe for a terminal."""
    parts, at = [], 0
    for span in sorted(spans, key=lambda one: one.start):
        parts.append(show.safe(text[at : span.start]))
        label = show.paint(show.safe(span.label), "cyan")
        parts.append(f"[{show.paint(show.safe(text[span.start : span.end]), 'bold')}]({label})")
        at = span.end
    return "".join([*parts, show.safe(text[at:])])


def _answer(
    ctx: typer.Context,
    bundle: Path,
    ask: Ask,
    *,
    text: list[str] | None,
    file: Path | None,
    ability: str,
    dtype: DtypeName = "float32",
) -> None:
    voice = options.voice_of(ctx)
    folder = options.bundle_folder(bundle)
    batches = options.batches(text, file, quiet=voice.quiet)
    from autolect.jobs.using.use import load

    lect = load(folder, dtype=dtype)
    tasks = {lect.info.task.kind} - {"embed"} if lect.info.task else set[str]()
    can = (lect.abilities - tasks) | ({"predict"} if tasks else set())
    if ability not in can:
        fix = f"it can {', '.join(sorted(can))}"
        if ability == "predict":
            fix += "; `autolect finetune RECIPE --from` it teaches it a task"
        raise UserError(f"this model cannot {ability}", where=str(folder), fix=fix)
    for texts in batches:
        for one in ask(lect, texts):
            for line in [show.plain_json(one.facts)] if voice.json else one.lines:
                show.write(line)


def _filled(text: str, gaps: Sequence[Gap]) -> Shown:
    facts = [
        {
            "start": gap.start,
            "end": gap.end,
            "candidates": [{"token": c.token, "probability": c.probability} for c in gap.candidates],
        }
        for gap in gaps
    ]
    lines = [show.safe(text)]
    for gap in gaps:
        found = "  ".join(f"{show.safe(c.token)} {c.probability:.2f}" for c in gap.candidates)
        lines.append(f"  {gap.start}-{gap.end}  {found}")
    return Shown(facts={"text": text, "gaps": facts}, lines=lines)


def _numbered(of: Callable[[Lect, Sequence[str]], Any], *, name: str) -> Ask:
    """Asks for rows of numbers (N,K), one row a text."""

    def ask(lect: Lect, texts: Sequence[str]) -> list[Shown]:
        rows = [[float(number) for number in row] for row in of(lect, texts)]
        return [_numbers(one, row, name=name) for one, row in zip(texts, rows, strict=True)]

    return ask


def _numbers(text: str, numbers: list[float], *, name: str) -> Shown:
    first = " ".join(f"{number:+.3f}" for number in numbers[:_SHOWN_NUMBERS])
    more = " ..." if len(numbers) > _SHOWN_NUMBERS else ""
    line = f"{first}{more}  ({len(numbers)} numbers)  {show.safe(text)}"
    return Shown(facts={"text": text, name: numbers}, lines=[line])


def _predicted(text: str, found: Prediction) -> Shown:
    from autolect.core.results import Label, Labels, Rating

    if isinstance(found, Label):
        facts: dict[str, Any] = {
            "text": text,
            "label": found.label,
            "probability": found.probability,
            "probabilities": dict(found.probabilities),
        }
        label = show.paint(show.safe(found.label), "bold")
        return Shown(facts=facts, lines=[f"{label} {found.probability:.2f}  {show.safe(text)}"])
    if isinstance(found, str):
        return Shown(facts={"text": text, "written": found}, lines=[show.safe(found)])
    if isinstance(found, Rating):
        line = f"{show.paint(f'{found.value:.3f}', 'bold')}  {show.safe(text)}"
        return Shown(facts={"text": text, "value": found.value}, lines=[line])
    if isinstance(found, Labels):
        names = "  ".join(
            f"{show.paint(show.safe(name), 'bold')} {found.probabilities[name]:.2f}" for name in found.labels
        )
        facts = {"text": text, "labels": list(found.labels), "probabilities": dict(found.probabilities)}
        return Shown(facts=facts, lines=[f"{names or '-'}  {show.safe(text)}"])
    spans = [
        {"start": s.start, "end": s.end, "label": s.label, "text": s.text, "probability": s.probability}
        for s in found
    ]
    return Shown(facts={"text": text, "spans": spans}, lines=[marked(text, found)])

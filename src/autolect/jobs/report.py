"""run -> report: what each stage came to, gathered once, and shown as one HTML file."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.jobs.evaluate import FILE as EVALUATION
from autolect.jobs.prepare import FIGURES, documents
from autolect.jobs.rates import rates
from autolect.jobs.stages import Run
from autolect.jobs.tuning.curve import FILE as CURVE
from autolect.jobs.tuning.finetune import LEARNING
from autolect.jobs.tuning.search import FINALISTS, TRIALS
from autolect.jobs.tuning.self_training import FILE as SELF_TRAINING
from autolect.jobs.using.use import Lect, load
from autolect.report import chapters, page
from autolect.train.history import read_log

NUM_TEXTS = 3
NUM_WORDS = 5
LOOKED_AT = 500
"""Documents of a split among which texts for the latent's rate are chosen."""


def gather(run: Run) -> dict[str, Any]:
    """Everything that the stages of a run measured."""
    facts: dict[str, Any] = {"name": run.recipe.name, "seconds": dict(run.seconds)}
    for name, file in (
        ("corpus", FIGURES),
        ("tokens", "tokens.json"),
        ("vectors", "vectors.json"),
        ("curve", CURVE),
        ("evaluation", EVALUATION),
    ):
        if name in run.seconds and (run.folder / name / file).exists():
            facts[name] = files.read_json(run.folder / name / file)
    pretrained = run.places.get("pretrained") or (Path(run.recipe.start) if run.recipe.start else None)
    if pretrained is not None:
        lect = load(pretrained)
        facts["pretrained"] = lect.info.model_dump(mode="json")
        made = "pretrained" in run.places or run.recipe.corpus is not None
        facts["given"] = "" if made else str(pretrained)
        facts["neighbours"] = _neighbours(lect, run)
        facts["reconstructions"] = _reconstructions(lect, run)
        facts["rates"] = _rates(lect, run)
    if "finetuned" in run.seconds:
        folder = run.folder / "finetuned"
        facts["finetuned"] = bundle.open_bundle(folder).model_dump(mode="json")
        facts["finetune"] = run.recipe.finetune.model_dump(mode="json", exclude_none=True)
        for name, file in (
            ("learning", LEARNING),
            ("trials", TRIALS),
            ("finalists", FINALISTS),
            ("self_training", SELF_TRAINING),
        ):
            if (folder / file).exists():
                facts[name] = files.read_json(folder / file)
    return facts


def write(run: Run, facts: dict[str, Any], *, command: str) -> Path:
    """Write report.html into the run's folder; command: what the reader may type next."""
    started = time.monotonic()
    log = read_log(run.places["pretrained"]) if "pretrained" in run.places else []
    html = page.render(
        facts["name"],
        subtitle="From a bundle and labels to a model"
        if facts.get("given")
        else "From raw text to a model of it",
        headline=chapters.headline(facts),
        chapters=chapters.chapters(facts, log=log, command=command),
    )
    path = run.folder / "report.html"
    files.save_file(path, html)
    run.places["report"] = path
    run.seconds["report"] = round(time.monotonic() - started, 2)
    run.progress.say(f"report: {path}")
    return path


def _neighbours(lect: Lect, run: Run) -> dict[str, list[tuple[str, float]]]:
    try:
        wanted = run.recipe.report.words or lect.frequent_words(NUM_WORDS)
    except UserError:
        return {}
    found: dict[str, list[tuple[str, float]]] = {}
    for word in wanted:
        try:
            found[word] = [(n.word, n.similarity) for n in lect.neighbours(word, count=5)]
        except UserError as error:
            run.progress.say(str(error))
    return found


def _rates(lect: Lect, run: Run) -> dict[str, Any]:
    if "decode" not in lect.abilities or run.recipe.corpus is None:
        return {}
    texts = {
        name: list(islice(documents(run.folder / "corpus", name), LOOKED_AT)) for name in ("valid", "test")
    }
    return rates(lect, texts["test"], texts["valid"])


def _reconstructions(lect: Lect, run: Run) -> list[tuple[str, str]]:
    if "reconstruct" not in lect.abilities or run.recipe.corpus is None:
        return []
    texts = sorted(documents(run.folder / "corpus", "test"), key=len)
    middle = texts[len(texts) // 4 :][: 4 * NUM_TEXTS : 4] or texts[:NUM_TEXTS]
    return list(zip(middle, lect.reconstruct(middle), strict=True))

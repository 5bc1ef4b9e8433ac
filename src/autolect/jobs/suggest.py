"""bundle, unlabelled texts -> those whose labels would teach it most, with its guesses to correct."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import files
from autolect.core.errors import UserError
from autolect.core.progress import Progress
from autolect.core.results import Label, Labels
from autolect.jobs.finding import embedded
from autolect.jobs.judge import labelled_for
from autolect.jobs.using.use import Lect, load
from autolect.text import readers
from autolect.text.labels import formats
from autolect.text.labels.annotation import Annotation, Mark
from autolect.text.labels.split import normalise

AT_ONCE = 256
POOL = 8
"""So many times the texts that are asked for are looked at for being different from each other."""


def suggest(
    target: Path,
    model: Path,
    patterns: Sequence[str],
    *,
    labelled: Sequence[Path] = (),
    overrides: Sequence[str] = (),
    column: str,
    encoding: str = "utf-8",
    count: int,
    form: str | None,
    seed: int,
    progress: Progress,
) -> list[tuple[str, float]]:
    """Write the texts to label next, most doubtful first; gives each with how doubtful its answer is, 0 to 1.

    Doubt alone would pick many texts of one kind (Settles 2009): of the most doubtful ones those are taken
    that lie in different places.  labelled: files of texts that have labels already, which are left out;
    overrides: ``task.KEY=VALUE``, how these are read other than the file that the bundle learned from.
    """
    lect = load(model)
    if lect.info.task is None or lect.info.task.kind not in ("classify", "tag"):
        raise UserError("answers no labels or tags", where=str(model), fix="name a fine-tuned bundle")
    if target.exists():
        raise UserError("is there already", where=str(target), fix="name another file, or remove it")
    written = formats.to_write(target, form)
    if not written.SUFFIX:
        raise UserError(
            f"{written.NAME} cannot hold guesses", where="--to", fix="name doccano or label-studio"
        )
    documents = readers.gather(patterns, column=column, encoding=encoding)
    if encoding != "utf-8":
        overrides = [f"task.encoding={json.dumps(encoding)}", *overrides]
    known = {
        normalise(one.text)
        for path in labelled
        for one in labelled_for(lect.info.task, path, overrides=overrides)
    }
    texts = [text for text in dict.fromkeys(one.text for one in documents) if normalise(text) not in known]
    if not texts:
        fix = "name files with other texts"
        raise UserError("every text is labelled already", where=patterns[0], fix=fix)
    answers = _answers(lect, texts, progress)
    doubts = np.array([doubt(answer) for answer in answers])
    order = np.argsort(-doubts, kind="stable")[: POOL * count]
    spread = _spread(lect, [texts[at] for at in order], count, seed=seed, progress=progress)
    chosen = sorted(order[spread].tolist(), key=lambda at: (-doubts[at], at))
    guesses = [_guess(texts[at], answers[at]) for at in chosen]
    files.save_file(target, written.dump(guesses)[""])
    return [(texts[at], float(doubts[at])) for at in chosen]


def doubt(answer: Any) -> float:
    """How unsure an answer is: 0 sure, 1 as unsure as can be.

    Of labels the gap between the two likeliest, of several labels the least sure one, of spans and what
    stands between them the least sure word.
    """
    if isinstance(answer, Label):
        best = sorted(answer.probabilities.values(), reverse=True)[:2]
        return 1 - (best[0] - best[1])
    if isinstance(answer, Labels):
        return max(1 - 2 * abs(share - 0.5) for share in answer.probabilities.values())
    return 1 - min(answer.probabilities, default=1.0)


def _answers(lect: Lect, texts: Sequence[str], progress: Progress) -> list[Any]:
    found: list[Any] = []
    for begin in range(0, len(texts), AT_ONCE):
        found += lect.answers(texts[begin : begin + AT_ONCE])
        progress.advance("answers", len(found), len(texts), "texts")
    return found


def _spread(
    lect: Lect, texts: Sequence[str], count: int, *, seed: int, progress: Progress
) -> NDArray[np.int64]:
    """Places of texts that lie in different places: of each group the first, groups by k-means."""
    if len(texts) <= count or "embed" not in lect.abilities:
        return np.arange(min(count, len(texts)))
    from sklearn.cluster import KMeans

    vectors = embedded(lect, texts, progress=progress)
    groups = KMeans(count, n_init=1, random_state=seed).fit_predict(vectors)
    _, first = np.unique(groups, return_index=True)
    found: NDArray[np.int64] = np.sort(first).astype(np.int64)
    return found


def _guess(text: str, answer: Any) -> Annotation:
    """Which nobody has looked at yet."""
    if isinstance(answer, Label):
        return Annotation(text=text, where="", labels=(answer.label,), answered=False)
    if isinstance(answer, Labels):
        return Annotation(text=text, where="", labels=answer.labels, answered=False)
    marks = tuple(Mark(span.start, span.end, span.label) for span in answer.spans)
    return Annotation(text=text, where="", marks=marks, answered=False)

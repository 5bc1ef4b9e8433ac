"""bundle -> evaluation: the test examples, opened once, beside simple baselines on the same split."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import bundle, files, metrics, registry
from autolect.core.device import choose, set_threads
from autolect.core.intervals import Tally, difference
from autolect.core.results import Label, Labels, Place, Rating
from autolect.jobs.stages import Run, section
from autolect.jobs.tuning.finetune import Data
from autolect.jobs.using.loading import load_network, reader_of
from autolect.text.labels.annotation import marks_of
from autolect.text.labels.split import alike

FILE = "evaluation.json"
MOST_MISTAKES = 20
MOST_SLICES = 20
"""Of labels, and of the values of a column."""
FEWEST = 5
"""Examples of a value of a column; with fewer a score says nothing."""
THIRDS = ("shortest", "middle", "longest")


def evaluate(run: Run, model: Path, data: Data, *, beside: bool = True) -> Path:
    """Make the evaluation folder of a run; beside: fit the simple baselines too."""
    needs = {**section(run.recipe, "seed"), "model": bundle.digest(model), "data": data.hashes}
    needs |= {} if beside else {"beside": False}
    needs |= {"slice_column": getattr(run.recipe.task, "slice_column", None)}
    needs |= {"unseen": True} if _repeated(data) else {}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        found = _Evaluation(run, model, data).measure(beside=beside)
        facts["score"] = found["model"]["score"]
        files.save_json(folder / FILE, found)

    return run.stage("evaluation", kind="evaluation", needs=needs, make=make)


class _Evaluation:
    """One measurement on the test examples."""

    def __init__(self, run: Run, model: Path, data: Data) -> None:
        set_threads()
        self.run, self.data, self.model = run, data, model
        self.info = bundle.open_bundle(model)
        self.network, self.task = load_network(model, self.info)
        self.examples = data.parts.test
        self.gold = [self.task.gold(example) for example in self.examples]
        repeated = _repeated(data)
        self.unseen = [at for at, example in enumerate(self.examples) if example.where not in repeated]

    def measure(self, *, beside: bool) -> dict[str, Any]:
        """The model's figures, the baselines', the worst mistakes, and what must be known of the data."""
        reader = reader_of(self.model, self.info)
        started = time.monotonic()
        rows = self.task.rows(self.examples, reader, length=self.info.length)
        device = choose("float32")
        self.network.to(device.place)
        answers = self.task.answers(self.network, self.network.model, self.network.head, rows, device)
        seconds = time.monotonic() - started
        predicted = [self.task.raw(answer) for answer in answers]
        parts = self.data.parts
        return {
            "task": self.info.task.kind if self.info.task else "",
            "measure": self.task.measured,
            "examples": {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
            "test_texts_a_second": len(self.examples) / max(1e-9, seconds),
            "num_cut": rows.num_cut,
            "overlap": [
                {"earlier": o.earlier, "later": o.later, "shared": o.num_shared} for o in self.data.overlaps
            ],
            "num_unseen": len(self.unseen),
            "conflicts": self.data.num_conflicts,
            "alike": alike(self.data.labels),
            "model": self._figures(predicted),
            "baselines": [self._baseline(name, predicted) for name in self.task.BASELINES if beside],
            "calibration": _calibration(answers, self.gold),
            "slices": self._slices(predicted),
            "mistakes": self._mistakes(answers, predicted),
            "mistakes_by": _mistakes_by(answers[0]),
        }

    def _baseline(self, name: str, answered: list[Any]) -> dict[str, Any]:
        """A baseline's figures, and how much better than it the model is, which has answered so."""
        baseline = registry.load("baselines", name).build
        self.run.progress.say(f"evaluation: {baseline.title} on the same split")
        parts = self.data.parts
        as_texts = baseline.serves == "classify"
        given = [example.text for example in self.examples] if as_texts else list(self.examples)
        started = time.monotonic()
        several = as_texts and self.task.config.several
        predict = baseline.predict_several if several else baseline.predict
        predicted = predict(
            parts.train, parts.valid, given, language=self.info.language, seed=self.run.recipe.seed
        )
        figures = self._figures(predicted)
        kept = {key: one for key, one in figures.items() if key in ("score", "low", "high", "unseen")}
        tallies = [self.task.tally(self.gold, one) for one in (answered, predicted)]
        gain = difference(*tallies, seed=self.run.recipe.seed)
        seconds = round(time.monotonic() - started, 2)
        facts = {**asdict(gain), "shown": gain.shown}
        return {"title": baseline.title, **kept, "gain": facts, "seconds": seconds}

    def _figures(self, predicted: list[Any]) -> dict[str, Any]:
        """What the task measures; the score without texts that train or valid has too, if there are some."""
        figures: dict[str, Any] = self.task.measure(self.gold, predicted, seed=self.run.recipe.seed)
        if 0 < len(self.unseen) < len(self.examples):
            figures |= {"unseen": self._score(self.unseen, predicted)}
        return figures

    def _slices(self, predicted: list[Any]) -> list[dict[str, Any]]:
        """The score by thirds of the lengths; by the column that was named for it, and by label where each
        text has one: the lowest of them.
        """
        lengths = np.array([len(example.text) for example in self.examples])
        thirds = np.array_split(np.argsort(lengths, kind="stable"), 3)
        found = []
        for name, part in zip(THIRDS, thirds, strict=True):
            if len(part):
                sizes = f"{lengths[part].min():,} to {lengths[part].max():,} characters"
                found.append(self._slice(f"{name} third, {sizes}", part, predicted))
        column = getattr(self.run.recipe.task, "slice_column", None)
        kinds = [example.slice or "(empty)" for example in self.examples] if column else []
        found += _lowest(
            self._slice(f"{column} {name}", part, predicted)
            for name, part in _places(kinds)
            if len(part) >= FEWEST
        )
        return found + _lowest(
            self._told_right(name, part, predicted) for name, part in _places(self._single_labels())
        )

    def _single_labels(self) -> list[str]:
        """The label of each example, if all have the one that is to be found."""
        pairs = list(zip(self.examples, self.gold, strict=True))
        if any(not example.labels or gold != example.labels[0] for example, gold in pairs):
            return []
        return [example.labels[0] for example in self.examples]

    def _told_right(self, label: str, part: NDArray[np.int64], predicted: list[Any]) -> dict[str, Any]:
        """The share of a label's examples that are told right; other scores need those of other labels."""
        right = np.array([self.gold[at] == predicted[at] for at in part], dtype=float)
        tally = Tally(counts=right[:, None], score=metrics.mean_score)
        facts = tally.facts(seed=self.run.recipe.seed)
        return {"slice": f"label {label}, share told right", "examples": len(part), **facts}

    def _slice(self, name: str, part: NDArray[np.int64], predicted: list[Any]) -> dict[str, Any]:
        return {"slice": name, "examples": len(part), **self._score(part.tolist(), predicted)}

    def _score(self, part: list[int], predicted: list[Any]) -> dict[str, Any]:
        """score, low and high on some of the examples."""
        tally = self.task.tally([self.gold[at] for at in part], [predicted[at] for at in part])
        facts: dict[str, Any] = tally.facts(seed=self.run.recipe.seed)
        return facts

    def _mistakes(self, answers: list[Any], predicted: list[Any]) -> list[dict[str, Any]]:
        """Wrong answers, the most confident first."""
        wrong = [
            {
                "text": example.text,
                "where": Path(example.where).name,
                "confidence": _confidence(answer, gold),
                **_sides(example, answer),
            }
            for example, answer, found, gold in zip(self.examples, answers, predicted, self.gold, strict=True)
            if found != gold
        ]
        return sorted(wrong, key=lambda one: -one["confidence"])[:MOST_MISTAKES]


def _places(values: Sequence[str]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each value, and where it stands."""
    table = np.array(values)
    yield from ((str(name), np.flatnonzero(table == name)) for name in np.unique(table))


def _lowest(slices: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slices with the lowest scores."""
    return sorted(slices, key=lambda one: float(one["score"]))[:MOST_SLICES]


def _repeated(data: Data) -> set[str]:
    """Where test has a text that an earlier split has too."""
    return {pair.other for found in data.overlaps if found.later == "test" for pair in found.pairs}


def _calibration(answers: list[Any], gold: list[Any]) -> dict[str, Any] | None:
    """How often answers are right beside how sure they are (Guo 2017); None where no answer says how sure."""
    sure: list[float] = []
    right: list[bool] = []
    for answer, wanted in zip(answers, gold, strict=True):
        if isinstance(answer, Label):
            sure.append(answer.probability)
            right.append(answer.label == wanted)
        elif isinstance(answer, Labels):
            for name, share in answer.probabilities.items():
                sure.append(max(share, 1 - share))
                right.append((share >= 0.5) == (name in wanted))
        elif hasattr(answer, "tags"):
            sure += answer.probabilities
            right += [one == other for one, other in zip(answer.tags, wanted, strict=True)]
    if not sure:
        return None
    return {
        "ece": metrics.expected_calibration_error(sure, right),
        "bins": metrics.reliability(sure, right),
        "answers": len(sure),
    }


def _mistakes_by(answer: Any) -> str:
    """What the number beside a mistake is."""
    if isinstance(answer, Place):
        return "rank"
    return "off by" if isinstance(answer, Rating | str) else "confidence"


def _confidence(answer: Any, gold: Any) -> float:
    """How sure a wrong answer was; of a number, how far off it is; of what was to be found, its rank."""
    if isinstance(answer, Place):
        return float(answer.rank)
    if isinstance(answer, str):
        return 1 - metrics.chrf([gold], [answer]) / 100
    if isinstance(answer, Rating):
        return abs(answer.value - float(gold))
    if isinstance(answer, Label):
        return answer.probability
    if isinstance(answer, Labels):
        return min(max(share, 1 - share) for share in answer.probabilities.values())
    return float(min(answer.probabilities, default=0.0))


def _sides(example: Any, answer: Any) -> dict[str, Any]:
    """Gold and predicted, as a label or text, or as (start, end, label) spans."""
    if isinstance(answer, Place):
        return {"text": example.first, "gold": example.second, "predicted": answer.first}
    if isinstance(answer, str):
        return {"gold": example.second, "predicted": answer}
    if isinstance(answer, Rating):
        return {"gold": f"{example.score:.2f}", "predicted": f"{answer.value:.2f}"}
    if isinstance(answer, Label):
        return {"gold": example.labels[0], "predicted": answer.label}
    if isinstance(answer, Labels):
        return {"gold": ", ".join(example.labels), "predicted": ", ".join(answer.labels)}
    spans = list(map(list, marks_of(example.tags, example.tokens)))
    return {"gold": spans, "predicted": [[s.start, s.end, s.label] for s in answer.spans]}

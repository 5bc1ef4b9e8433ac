"""settings, labels -> better settings and their model: a search on the valid examples."""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from autolect.core import bundle, config, files, recipe, registry
from autolect.core.errors import DamagedError, UserError
from autolect.core.recipe import Recipe
from autolect.core.slots import Slots
from autolect.jobs.stages import Run
from autolect.jobs.tuning.attempts import Attempt
from autolect.jobs.tuning.crew import Hopeless, Work, crew
from autolect.jobs.tuning.finetune import Data
from autolect.train import average
from autolect.train.trouble import finite

TRIALS, FINALISTS = "trials.json", "finalists.json"
STARTUP_TRIALS = 3
"""Trials that are drawn at random before TPE models them, and that are never pruned."""


def search(run: Run, parent: Path, data: Data, folder: Path, work: Path, *, key: str) -> Attempt:
    """Fill a bundle's folder with the model of the best settings, and with what else was tried.

    work: where a search that was struck finds what it had.  key: of all that its result follows from.
    Gives the training whose model it is.
    """
    it = _Search(run, parent, data, work, key=key)
    finalists = it.walk()
    best = finalists[0].best
    files.save_json(folder / TRIALS, it.trials())
    files.save_json(folder / FINALISTS, [one.plain() for one in finalists])
    for path in best.place.iterdir():
        if path.name != files.MANIFEST:
            shutil.copyfile(path, folder / path.name)
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """One of the best settings, trained with several seeds."""

    trial: int
    """Its number among the finished trials, from 1."""
    values: dict[str, Any]
    """What it changes in the recipe."""
    runs: tuple[Attempt, ...]
    scores: tuple[float, ...]
    """On valid, one a run; the first is its trial's."""

    @property
    def mean(self) -> float:
        """What decides."""
        return statistics.fmean(self.scores)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the scores over all seeds there could be; None with one seed."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def best(self) -> Attempt:
        """The run whose model is kept: of equally good ones the first.

        All seeds are the same settings, so the better one on valid is no worse a guess than any other, and
        where valid tells them apart a better one (Dodge 2020, arXiv:2002.06305).
        """
        return self.runs[self.scores.index(max(self.scores))]

    def plain(self) -> dict[str, Any]:
        """As JSON values, for the report."""
        return {
            "trial": self.trial,
            "params": self.values,
            "seeds": [one.recipe.seed for one in self.runs],
            "scores": list(self.scores),
            "mean": self.mean,
            "spread": self.spread,
            "seed": self.best.recipe.seed,
        }


class _Known(NamedTuple):
    """What came of an attempt: the score, None where it was broken off, and what each look at valid said."""

    score: float | None
    looks: list[float | None]


class _Search:
    """Optuna's TPE on the valid examples (Akiba 2019), then further seeds for the best settings.

    Trials go in rounds of ``search.workers``. What is drawn and pruned in a round follows from the seed and
    the rounds before it alone, in whatever order its trials end. So what is kept is what came of each
    attempt, with checksums: a search that goes on walks its rounds from the first one, and trains only what
    is not known yet, from its checkpoint.
    """

    def __init__(self, run: Run, parent: Path, data: Data, work: Path, *, key: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.run, self.parent, self.data, self.work = run, parent, data, work
        settings = run.recipe.search
        assert settings is not None
        self.settings = settings
        task: Any = run.recipe.task
        space = settings.space or registry.load("tasks", task.kind).build.SPACE
        self.space = {name: distribution(name, values) for name, values in space.items()}
        self.key, self.slots = key, Slots(work, "trials")
        self.known = self._recalled()
        self.study = optuna.create_study(
            study_name=key,
            storage=settings.storage or None,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2),
        )

    def walk(self) -> list[Finalist]:
        """Run what is missing; gives the finalists, best first. The bundle of the first one's best run is
        at its place.
        """
        with crew(self.settings.workers, self.parent, self.data, self.run.progress) as work:
            while (first := len(self._finished())) < self.settings.trials:
                self._round(work, first)
            found = self._judged(work)
            self._renew(work, found[0].best)
        self._say(found[0])
        return found

    def trials(self) -> list[dict[str, Any]]:
        """Every finished trial, for the report; one that a kill cut off has no number of its own."""
        return [
            {
                "number": number,
                "value": trial.value,
                "state": trial.state.name.lower(),
                "params": trial.params,
            }
            for number, trial in enumerate(self._finished(), start=1)
        ]

    def _round(self, work: Work, first: int) -> None:
        """Ask for some trials at once, train them, and tell the study only then what came of them."""
        size = min(self.settings.workers, self.settings.trials - first)
        asked = [self._ask(first + place) for place in range(size)]
        trials = {one.key: trial for trial, one in reversed(asked)}

        def hopeless(one: Attempt, score: float) -> bool:
            trial = trials[one.key]
            trial.report(score, len(self._trial(trial).intermediate_values))
            return bool(trial.should_prune())

        try:
            news = self._train(work, [one for _, one in asked], hopeless)
        except BaseException:
            for trial, _ in asked:
                self._tell(trial, None)
            raise
        for trial, one in asked:
            self._tell(trial, self.known[one.key])
        if news:
            # Only the best settings so far are trained further, so that the other bundles can go.
            best = [self._attempt(trial.params) for _, trial in self._best()]
            _keep_only(self.work / "made", {one.place for one in best})

    def _ask(self, number: int) -> tuple[Any, Attempt]:
        """A new trial. One sampler each: what it draws follows from the seed and the trials before it."""
        import optuna

        seed = self.run.recipe.seed + 1000 * len(self.study.get_trials(deepcopy=False))
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        # The first trial is the recipe as it stands, so that a search knows what it starts from.
        trial = self.study.ask(self.space if number else {})
        name = f"trial {number + 1}"
        return trial, self._attempt(trial.params, name=name, what=f"{name} of {self.settings.trials}")

    def _tell(self, trial: Any, known: _Known | None) -> None:
        """End a trial; None: it was cut off, which only a shared storage will remember."""
        from optuna.trial import TrialState

        if known is None:
            self.study.tell(trial, state=TrialState.FAIL)
            return
        told = len(self._trial(trial).intermediate_values)
        for step, score in enumerate(known.looks[told:], start=told):
            trial.report(math.nan if score is None else score, step)
        if known.score is None:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, known.score)

    def _judged(self, work: Work) -> list[Finalist]:
        """The best trials' settings with all their seeds, by their mean; of equal ones the better trial."""
        best = self._best()
        if not best:
            raise UserError("no trial came to an end", where="search", fix="widen search.space")
        seeds = range(1, self.settings.seeds)
        later = {
            number: [
                self._attempt(
                    trial.params,
                    name=f"trial {number} seed {seed}",
                    what=f"trial {number} again, seed {seed + 1} of {self.settings.seeds}",
                    seed=seed,
                )
                for seed in seeds
            ]
            for number, trial in best
        }
        self._train(work, [one for runs in later.values() for one in runs], lambda _one, _score: False)
        found = []
        for number, trial in best:
            scores = [self.known[one.key].score for one in later[number]]
            found.append(
                Finalist(
                    trial=number,
                    values=trial.params,
                    runs=(self._attempt(trial.params, name=f"trial {number}"), *later[number]),
                    scores=(trial.value, *(score for score in scores if score is not None)),
                )
            )
        return sorted(found, key=lambda one: -one.mean)

    def _train(self, work: Work, asked: Sequence[Attempt], hopeless: Hopeless) -> bool:
        """Train what is not known yet, and make durable what comes of it; whether there was any."""
        missing = {one.key: one for one in asked if one.key not in self.known}
        looks: dict[str, list[float | None]] = {key: [] for key in missing}

        def watch(one: Attempt, score: float) -> bool:
            looks[one.key].append(finite(score))
            return hopeless(one, score)

        for one, score in work(tuple(missing.values()), watch):
            self.known[one.key] = _Known(score, looks[one.key])
            came = "broken off, the others were better by then" if score is None else f"{score:.4f} on valid"
            self.run.progress.say(f"{one.what}: {came}")
            with self.slots.saving({"key": self.key, "step": len(self.known)}) as beside:
                files.save_json(beside / TRIALS, self.known)
            average.clear(one.work)
        return bool(missing)

    def _recalled(self) -> dict[str, _Known]:
        """What an earlier process kept, by the attempts' keys."""
        whole, complaints = self.slots.whole(self.key)
        for complaint in complaints:
            self.run.progress.say(complaint)
        kept = files.read_json(whole[0].place / TRIALS) if whole else {}
        return {key: _Known(*known) for key, known in kept.items()}

    def _renew(self, work: Work, one: Attempt) -> None:
        """Train an attempt again whose bundle is damaged, or was made on another machine."""
        try:
            files.verify(one.place, kind=bundle.KIND)
        except UserError as error:
            why = error if isinstance(error, DamagedError) else "it is not on this machine"
            self.run.progress.say(f"{one.what}: {why}; it is trained again")
            for _ in work((one,), lambda _one, _score: False):
                pass

    def _attempt(
        self, values: dict[str, Any], *, name: str = "trial", what: str = "", seed: int = 0
    ) -> Attempt:
        """Settings with the recipe's seed, or one so many after it."""
        settings = with_values(self.run.recipe, {**values, "seed": self.run.recipe.seed + seed})
        key = files.fingerprint({"search": self.key, "recipe": recipe.to_table(settings)})
        return Attempt(
            what=what or name,
            recipe=settings,
            key=key,
            work=self.work / name.replace(" ", "-"),
            place=self.work / "made" / key[:16],
        )

    def _best(self) -> list[tuple[int, Any]]:
        """The trials with the best scores and their numbers, best first; of equal settings one."""
        from optuna.trial import TrialState

        numbered = enumerate(self._finished(), start=1)
        whole = [(number, trial) for number, trial in numbered if trial.state == TrialState.COMPLETE]
        different: dict[str, tuple[int, Any]] = {}
        for number, trial in sorted(whole, key=lambda one: -one[1].value):
            if len(different) < self.settings.finalists:
                different.setdefault(self._attempt(trial.params).key, (number, trial))
        return list(different.values())

    def _finished(self) -> list[Any]:
        """Trials that came to their end or were pruned, in the order in which they were asked for."""
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def _trial(self, trial: Any) -> Any:
        """What the study knows of a trial now."""
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _say(self, won: Finalist) -> None:
        how = "" if won.spread is None else f", the mean of {len(won.scores)} seeds (spread {won.spread:.4f})"
        named = won.values or "the recipe's own settings"
        self.run.progress.say(f"search: trial {won.trial} is kept, {won.mean:.4f}{how}, with {named}")


def _keep_only(folder: Path, wanted: set[Path]) -> None:
    """Remove the other folders of one."""
    for place in folder.iterdir() if folder.is_dir() else ():
        if place not in wanted:
            shutil.rmtree(place, ignore_errors=True)


def distribution(key: str, values: Any) -> Any:
    """What an entry of a search space draws from; UserError when the entry cannot be read."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, dict) and set(values) == {"choose"} and values["choose"]:
        return CategoricalDistribution(values["choose"])
    if isinstance(values, list | tuple) and len(values) in (2, 3) and list(values[2:]) in ([], ["log"]):
        low, high = values[:2]
        log = len(values) == 3
        if (
            all(isinstance(one, int | float) for one in (low, high))
            and (0 if log else -math.inf) < low < high
        ):
            whole = isinstance(low, int) and isinstance(high, int)
            return IntDistribution(low, high, log=log) if whole else FloatDistribution(low, high, log=log)
    raise UserError(
        f"{values!r} is no range",
        where=f"search.space.{key}",
        fix='write [low, high], [low, high, "log"] or { choose = [...] }',
    )


def with_values(base: Recipe, values: dict[str, Any]) -> Recipe:
    """A recipe with some dotted keys set anew."""
    return recipe.changed(base, *(config.nested(key.split("."), value) for key, value in values.items()))

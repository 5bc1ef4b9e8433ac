"""Finetuning of a run: once with the recipe's settings, or a search over them on the valid examples."""

from __future__ import annotations

import functools
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from autolect.core import bundle, config, files, recipe, registry
from autolect.core.errors import UserError
from autolect.core.goal import Score
from autolect.core.recipe import Recipe
from autolect.core.slots import Slots
from autolect.jobs.finetune import Data, train_task, write_task_bundle
from autolect.jobs.stages import Run, section
from autolect.nn import weights
from autolect.train import checkpoint

TRIALS = "trials.json"
STARTUP_TRIALS = 3
"""Trials that are drawn at random before TPE models them, and that are never pruned."""


def finetune(run: Run, parent: Path, data: Data) -> Path:
    """Make the finetuned bundle of a run; with [search] the best trial's model is the one that is kept."""
    needs = section(run.recipe, "task", "finetune", "search", "seed", "name")
    needs |= {"parent": bundle.digest(parent), "data": data.hashes}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        work = run.work("finetuned")
        if run.recipe.search is None:
            settings = run.recipe
            goal, outcome = train_task(
                settings,
                parent,
                data,
                progress=run.progress,
                what="fine-tuning",
                folder=work / "only",
                key=facts["key"],
            )
            write_task_bundle(folder, settings, parent, data, goal, outcome)
        else:
            search = _Search(run, parent, data, work, key=facts["key"])
            best = search.walk()
            settings = with_values(run.recipe, search.chosen())
            files.save_json(folder / TRIALS, search.trials())
            for path in best.iterdir():
                if path.name != files.MANIFEST:
                    shutil.copyfile(path, folder / path.name)
        if getattr(settings.task, "refit", False):
            _refit(run, settings, folder, parent, data, work / "refit", key=facts["key"])

    return run.stage("finetuned", kind=bundle.KIND, needs=needs, make=make)


def _refit(
    run: Run, settings: Recipe, folder: Path, parent: Path, data: Data, work: Path, *, key: str
) -> None:
    """Learn again from train and valid together; the new weights take the place of the folder's.

    What was settled on valid stays, since the new network has seen those examples. Examples with a label
    that train lacks cannot be learned.
    """
    parts = data.parts
    learned = tuple(one for one in parts.valid if set(one.labels) <= set(data.labels))
    whole = replace(data, parts=replace(parts, train=(*parts.train, *learned)))
    goal, _ = train_task(settings, parent, whole, progress=run.progress, what="refit", folder=work, key=key)
    values = goal.network.state_dict()
    shapes = {name: tuple(values[name].shape) for name in values}
    settled = weights.read(folder / bundle.WEIGHTS, shapes)
    values |= {name: settled[name] for name in goal.task.SETTLED}
    weights.save(values, folder / bundle.WEIGHTS)


class _Search:
    """Optuna's TPE on the valid examples (Akiba 2019), resumable: finished trials are kept with checksums,
    one that runs has checkpoints.
    """

    def __init__(self, run: Run, parent: Path, data: Data, work: Path, *, key: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.run, self.parent, self.data, self.work = run, parent, data, work
        settings = run.recipe.search
        assert settings is not None
        self.settings = settings
        task: Any = run.recipe.task
        self.space = settings.space or registry.load("tasks", task.kind).build.SPACE
        self.key, self.slots = key, Slots(work, "trials")
        self.study = optuna.create_study(
            study_name=key,
            storage=settings.storage or None,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2),
        )
        if not settings.storage:
            self._recall()

    def walk(self) -> Path:
        """Run the trials that are missing; gives the folder of the best trial's bundle."""
        import optuna

        while (number := self._num_finished()) < self.settings.trials:
            # One sampler a trial: what it draws follows from the seed and the trials before it,
            # so a resumed search goes on as an uninterrupted one.
            self.study.sampler = optuna.samplers.TPESampler(
                seed=self.run.recipe.seed + 1000 * number, n_startup_trials=STARTUP_TRIALS
            )
            self.study.optimize(functools.partial(self._try, number=number), n_trials=1)
            self._keep()
            checkpoint.clear(self._folder(number))
        try:
            best = self.study.best_trial
        except ValueError:
            raise UserError("no trial came to an end", where="search", fix="widen search.space") from None
        self.run.progress.say(
            f"search: best of {self.settings.trials} trials is {best.value:.4f} with {best.params}"
        )
        return self.work / "best"

    def _try(self, trial: Any, *, number: int) -> float:
        chosen = {key: suggest(trial, key, values) for key, values in self.space.items()}
        # The first trial is the recipe as it stands, so that a search never ends below it.
        settings = with_values(self.run.recipe, chosen) if number else self.run.recipe
        trial.set_user_attr("recipe", number == 0)
        steps = iter(range(1_000_000))

        def watch(_step: int, score: Score) -> None:
            import optuna

            trial.report(score.value, next(steps))
            if trial.should_prune():
                raise optuna.TrialPruned

        what = f"trial {number + 1} of {self.settings.trials}"
        goal, outcome = train_task(
            settings,
            self.parent,
            self.data,
            progress=self.run.progress,
            what=what,
            folder=self._folder(number),
            key=files.fingerprint({"search": self.key, "number": number, "values": chosen}),
            watch=watch,
        )
        value = outcome.best.value
        if value > self._best_so_far():
            with files.saving(self.work / "best", kind=bundle.KIND, facts={"value": value}) as beside:
                write_task_bundle(beside, settings, self.parent, self.data, goal, outcome)
        return value

    def chosen(self) -> dict[str, Any]:
        """The values of the best trial; none where it is the recipe's own."""
        best = self.study.best_trial
        return {} if best.user_attrs.get("recipe") else dict(best.params)

    def _folder(self, number: int) -> Path:
        return self.work / f"trial-{number + 1}"

    def _keep(self) -> None:
        """Make the finished trials durable."""
        if self.settings.storage:
            return
        trials = [_plain(trial) for trial in self.study.trials if trial.state.is_finished()]
        with self.slots.saving({"key": self.key, "step": len(trials)}) as beside:
            files.save_json(beside / TRIALS, trials)

    def _recall(self) -> None:
        """Fill the study with the finished trials that an earlier process kept."""
        whole, complaints = self.slots.whole(self.key)
        for complaint in complaints:
            self.run.progress.say(complaint)
        for record in files.read_json(whole[0].place / TRIALS) if whole else ():
            self.study.add_trial(_trial_of(record))

    def _best_so_far(self) -> float:
        try:
            return float(files.read_manifest(self.work / "best").facts["value"])
        except UserError:
            return -math.inf

    def _num_finished(self) -> int:
        return sum(trial.state.is_finished() for trial in self.study.trials)

    def trials(self) -> list[dict[str, Any]]:
        """Every finished trial, for the report; one that a kill cut off has no number of its own."""
        finished = [trial for trial in self.study.trials if trial.state.is_finished()]
        return [
            {
                "number": number,
                "value": trial.value,
                "state": trial.state.name.lower(),
                "params": {} if trial.user_attrs.get("recipe") else trial.params,
            }
            for number, trial in enumerate(finished, start=1)
        ]


def _plain(trial: Any) -> dict[str, Any]:
    """A finished trial as JSON values, without its clock."""
    from optuna.distributions import distribution_to_json

    return {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {name: distribution_to_json(one) for name, one in trial.distributions.items()},
        "looks": [[step, value] for step, value in trial.intermediate_values.items()],
        "attributes": trial.user_attrs,
    }


def _trial_of(record: dict[str, Any]) -> Any:
    """The trial that `_plain` took apart."""
    import optuna

    known = {
        name: optuna.distributions.json_to_distribution(one) for name, one in record["distributions"].items()
    }
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[record["state"]],
        value=record["value"],
        params=record["params"],
        distributions=known,
        intermediate_values=dict(record["looks"]),
        user_attrs=record["attributes"],
    )


def suggest(trial: Any, key: str, values: Any) -> Any:
    """One value of a search space's entry; UserError when the entry cannot be read."""
    if isinstance(values, dict) and set(values) == {"choose"} and values["choose"]:
        return trial.suggest_categorical(key, values["choose"])
    if isinstance(values, list | tuple) and len(values) in (2, 3) and list(values[2:]) in ([], ["log"]):
        low, high = values[:2]
        if all(isinstance(one, int | float) for one in (low, high)) and low < high:
            if isinstance(low, int) and isinstance(high, int):
                return trial.suggest_int(key, low, high, log=len(values) == 3)
            return trial.suggest_float(key, low, high, log=len(values) == 3)
    raise UserError(
        f"{values!r} is no range",
        where=f"search.space.{key}",
        fix='write [low, high], [low, high, "log"] or { choose = [...] }',
    )


def with_values(base: Recipe, values: dict[str, Any]) -> Recipe:
    """A recipe with some dotted keys set anew."""
    return recipe.changed(base, *(config.nested(key.split("."), value) for key, value in values.items()))

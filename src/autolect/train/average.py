"""one start -> several networks that learn in an order of their own -> the mean of their weights.

Networks that begin alike end in one valley of the loss, and its middle is often better than its slopes
(Wortsman 2022, arXiv:2203.05482); to use it costs what one network does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from autolect.core.device import Device
from autolect.core.goal import Goal, Score
from autolect.core.progress import Progress
from autolect.core.recipe import BUDGETS, FinetuneConfig
from autolect.train import checkpoint
from autolect.train.loop import Outcome, fit

State = dict[str, Tensor]
PLACE = "network-{}"
"""Folder of a network's log and checkpoint."""


def fit_average(
    goal: Goal,
    config: FinetuneConfig,
    *,
    seed: int,
    device: Device,
    what: str,
    progress: Progress,
    folder: Path | None = None,
    key: str = "",
    watch: Callable[[int, Score], None] | None = None,
) -> Outcome:
    """As `fit`, with ``config.average`` networks that share the budget; leaves the mean of their weights.

    Where valid says that the mean is worse than the networks are by themselves, on average, the best of them
    is left instead: then they did not end in one valley. Steps are counted through, network after network.
    """
    learn = functools.partial(fit, goal, device=device, progress=progress, key=key)
    if config.average == 1:
        return learn(config, seed=seed, what=what, folder=folder, watch=watch)
    start, each = _weights(goal), _share(config)
    states: list[State] = []
    found: list[Outcome] = []
    for number in range(1, config.average + 1):
        goal.network.load_state_dict(start)
        before = sum(one.steps for one in found)
        found.append(
            learn(
                each,
                seed=seed if number == 1 else _seed(seed, number),
                what=f"{what}, network {number} of {config.average}",
                folder=folder and folder / PLACE.format(number),
                watch=watch and _counted(watch, before),
            )
        )
        states.append(_weights(goal))
    goal.network.load_state_dict(mean(states))
    return _judged(goal, states, found, device=device, what=what, progress=progress)


def clear(folder: Path) -> None:
    """Remove the checkpoints of all its networks."""
    for place in (folder, *folder.glob(PLACE.format("*"))):
        checkpoint.clear(place)


def mean(states: Sequence[State]) -> State:
    """The mean of each weight; what is no number with a point is the same in all."""
    first = states[0]
    return {
        name: torch.stack([one[name] for one in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _judged(
    goal: Goal,
    states: Sequence[State],
    found: Sequence[Outcome],
    *,
    device: Device,
    what: str,
    progress: Progress,
) -> Outcome:
    """Keep the mean, which the network has now, or the best of those it was made of."""
    score, alone = goal.measure(device), [one.best.value for one in found]
    usual = float(np.mean(alone))
    ends = np.cumsum([one.steps for one in found]).tolist()
    begins = [end - one.steps for end, one in zip(ends, found, strict=True)]
    best = int(np.argmax(alone))
    steps = [one.best_step and begin + one.best_step for begin, one in zip(begins, found, strict=True)]
    kept = math.isfinite(score.value) and score.value >= usual
    verdict = "is kept" if kept else f"is not: network {best + 1} is, with {alone[best]:.4f}"
    progress.say(
        f"{what}: {len(found)} networks score {usual:.4f} on average; the mean of their weights, with"
        f" {score.value:.4f}, {verdict}"
    )
    if not kept:
        goal.network.load_state_dict(states[best])
    looks = [
        (begin + step, value) for begin, one in zip(begins, found, strict=True) for step, value in one.looks
    ]
    return replace(
        found[0],
        best=score if kept else found[best].best,
        best_step=steps[best] or (max(steps) if kept else 0),
        steps=ends[-1],
        tokens=sum(one.tokens for one in found),
        seconds=sum(one.seconds for one in found),
        padding=float(np.mean([one.padding for one in found])),
        looks=tuple(looks),
        resumed_at=sum(one.resumed_at for one in found),
        averaged=len(found) if kept else 1,
    )


def _share(config: FinetuneConfig) -> FinetuneConfig:
    """What each network gets of the budget and of the looks at valid."""
    given = {name: getattr(config, name) for name in (*BUDGETS, "evaluations")}
    shares = {name: value / config.average for name, value in given.items() if value is not None}
    whole = {
        name: math.ceil(value) if isinstance(given[name], int) else value for name, value in shares.items()
    }
    return config.model_copy(update=whole)


def _counted(watch: Callable[[int, Score], None], before: int) -> Callable[[int, Score], None]:
    return lambda step, score: watch(before + step, score)


def _seed(seed: int, number: int) -> int:
    """Of a further network: none that a search's further seeds have."""
    return int(np.random.SeedSequence([seed, 4, number]).generate_state(1)[0])


def _weights(goal: Goal) -> State:
    return {name: value.clone() for name, value in goal.network.state_dict().items()}

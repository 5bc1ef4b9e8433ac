"""Several networks from one start, and the mean of their weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train.test_loop import CHECKPOINTS, CPU, Line

from autolect.core.goal import Score
from autolect.core.progress import Progress, Silent
from autolect.core.recipe import FinetuneConfig
from autolect.train import average
from autolect.train.average import fit_average, mean
from autolect.train.loop import Outcome, fit


class Kept(Line):
    """Remembers the weights it was measured with."""

    def __init__(self, scores: list[float] | None = None, **how: Any) -> None:
        super().__init__(**how)
        self.measured: list[dict[str, torch.Tensor]] = []
        self.scores = itertools.chain(scores or ())

    def measure(self, device: Any) -> Score:
        self.measured.append(weights(self))
        given = next(self.scores, None)
        return super().measure(device) if given is None else Score(given, {})


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def weights(goal: Line) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in goal.network.state_dict().items()}


def train(
    goal: Line,
    folder: Path | None = None,
    *,
    progress: Progress | None = None,
    watch: Callable[[int, Score], None] | None = None,
    **settings: Any,
) -> Outcome:
    given = {"steps": 30, "batch_tokens": 64, "rate": 0.02, "evaluations": 3, "checkpoint_seconds": 0}
    config = FinetuneConfig(**{**given, "average": 3, **settings})
    return fit_average(
        goal,
        config,
        seed=1,
        device=CPU,
        what="line",
        progress=progress or Silent(),
        folder=folder,
        key="k",
        watch=watch,
    )


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_networks_that_begin_alike_share_the_steps_and_their_mean_is_kept() -> None:
    goal = Kept()
    begun, outcome = weights(goal), train(goal)
    # A look at the start and one at the end of each network's ten steps, then one at the mean.
    begins, ends, last = goal.measured[0:6:2], goal.measured[1:6:2], goal.measured[6]
    assert len(goal.measured) == 7
    assert all(same(one, begun) for one in begins)
    assert not any(same(one, other) for one, other in itertools.combinations(ends, 2))
    assert same(last, mean(ends))
    assert same(weights(goal), last)
    assert outcome.best == goal.measure(CPU)
    assert (outcome.steps, outcome.averaged) == (30, 3)
    assert [step for step, _ in outcome.looks] == [0, 10, 10, 20, 20, 30]


def test_the_best_network_is_kept_where_the_mean_is_worse_than_they_are_alone() -> None:
    told = Told()
    goal = Kept(scores=[0.1, 0.5, 0.1, 0.8, 0.1, 0.5, 0.59])
    outcome = train(goal, progress=told)
    assert same(weights(goal), goal.measured[3])
    assert (outcome.best.value, outcome.best_step, outcome.averaged) == (0.8, 20, 1)
    assert told.said == [
        "line: 3 networks score 0.6000 on average; the mean of their weights, with 0.5900, is not:"
        " network 2 is, with 0.8000"
    ]


def test_a_mean_that_is_as_good_as_they_are_is_kept() -> None:
    outcome = train(Kept(scores=[0.1, 0.5, 0.1, 0.75, 0.1, 0.25, 0.5]))
    assert (outcome.best.value, outcome.averaged) == (0.5, 3)


def test_a_mean_of_networks_that_learned_names_a_step_of_theirs() -> None:
    outcome = train(Kept(scores=[0.7, 0.1, 0.1, 0.6, 0.1, 0.6, 0.9]))
    assert (outcome.best.value, outcome.averaged, outcome.best_step) == (0.9, 3, 30)


def test_where_no_network_was_better_than_the_start_no_step_is_named() -> None:
    assert train(Kept(scores=[0.5, 0.1] * 3)).best_step == 0


def test_one_network_is_what_the_loop_alone_makes_of_it() -> None:
    config = FinetuneConfig(steps=30, batch_tokens=64, rate=0.02, evaluations=3)
    one, alone = Line(), Line()
    outcome = train(one, average=1)
    assert outcome.looks == fit(alone, config, seed=1, device=CPU, what="line", progress=Silent()).looks
    assert same(weights(one), weights(alone))
    assert (outcome.averaged, outcome.steps) == (1, 30)


@pytest.mark.parametrize(
    ("budget", "share"),
    [
        ({"minutes": 3}, {"minutes": 1.0}),
        ({"epochs": 1}, {"epochs": 1 / 3}),
        ({"steps": 31}, {"steps": 11}),
        ({"steps": 0}, {"steps": 0}),
        ({"tokens": 100}, {"tokens": 34}),
    ],
)
def test_each_network_has_an_equal_share_of_the_budget(budget: dict[str, Any], share: dict[str, Any]) -> None:
    found = average._share(FinetuneConfig(average=3, evaluations=10, **budget))
    assert found.model_dump(exclude_none=True).items() >= (share | {"evaluations": 4}).items()


@pytest.mark.parametrize("stop_at", [3, 12, 21, 29])
def test_a_run_that_was_stopped_anywhere_ends_with_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    golden, struck, again = Line(), Line(stop_at=stop_at), Line()
    whole = train(golden, tmp_path / "golden")
    with pytest.raises(KeyboardInterrupt):
        train(struck, tmp_path / "struck")
    resumed = train(again, tmp_path / "struck")
    assert same(weights(again), weights(golden))
    assert resumed.looks == whole.looks
    assert resumed.resumed_at > 0


def test_what_watches_hears_of_steps_that_are_counted_through() -> None:
    heard: list[int] = []
    train(Line(), watch=lambda step, _: heard.append(step))
    assert heard == [10, 20, 30]


def test_the_checkpoints_of_all_networks_can_be_removed(tmp_path: Path) -> None:
    train(Line(), tmp_path)
    left = {place.parent.name for place in tmp_path.glob("*/checkpoint-*")}
    assert left == {"network-1", "network-2", "network-3"}
    average.clear(tmp_path)
    assert not [place for name in CHECKPOINTS for place in tmp_path.glob(f"*/{name}")]

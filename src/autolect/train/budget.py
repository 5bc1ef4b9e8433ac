"""A budget of minutes, tokens, epochs or steps -> a number of steps, and of looks at the valid split."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from autolect.core.recipe import TrainConfig
from autolect.train.batches import Batches

MOST_LOOKING = 0.1
"""Share of a budget in minutes that looks at the valid split may take; there are fewer of them rather."""
MEASURED_STEPS = 6
"""Steps that are timed before a budget in minutes becomes a number of steps."""
TIMED = (0.05, 0.1)
"""Share of such a run, in time or in steps, from and to which its steps are timed again."""
WORTH = 0.1
"""A number of steps that was wrong by a smaller share stays as it is."""


def steps_and_looks(
    config: TrainConfig, batches: Batches, *, look: float, step: Callable[[], float]
) -> tuple[int, int]:
    """How many steps a recipe's budget is, and how often valid is looked at meanwhile.

    look: seconds of one look; step: measures the seconds of one step, asked for a budget in minutes alone.
    """
    per_epoch = batches.num_batches
    if config.minutes is not None:
        seconds = config.minutes * 60
        looks = min(config.evaluations, max(1, int(MOST_LOOKING * seconds / max(1e-9, look))))
        return max(1, int((seconds - looks * look) / step())), looks
    if config.steps is not None:
        steps = config.steps
    elif config.tokens is not None:
        steps = max(1, round(config.tokens * per_epoch / max(1, int(batches.lengths.sum()))))
    else:
        steps = max(1, round((config.epochs or 1.0) * per_epoch))
    return steps, config.evaluations


@dataclass(slots=True)
class Pacing:
    """Corrects the steps of a budget in minutes, once: the machine may have been busier when it began."""

    look: float = 0.0
    """Seconds of a look at valid."""
    settled: bool = True
    """Whether the number of steps stays."""
    times: list[float] = field(default_factory=list)
    """Seconds of the steps that were timed again."""

    def corrected(
        self, took: float, *, budget: float, spent: float, step: int, steps: int, looks: int
    ) -> int | None:
        """How many steps fill the budget, where that is no longer ``steps``.

        took: seconds of the last step; budget, spent: seconds of the run and so far; looks: still to come.
        The median step counts: one that waited, or made its kernels ready first, says nothing of the others.
        """
        share = max(spent / budget, step / steps)
        if self.settled or share < TIMED[0]:
            return None
        self.times.append(took)
        if share < TIMED[1] or len(self.times) < MEASURED_STEPS:
            return None
        self.settled = True
        left = budget - spent - looks * self.look
        found = step + max(0, int(left / max(1e-6, statistics.median(self.times))))
        return found if steps > step and abs(found / steps - 1) > WORTH else None

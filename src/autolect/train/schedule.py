"""The learning rate over a run."""

from __future__ import annotations

import math


def rate_at(step: int, *, steps: int, peak: float, warmup: float) -> float:
    """Linear rise over the first ``warmup`` share of the steps, then a cosine down to zero."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return peak * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return peak * 0.5 * (1 + math.cos(math.pi * share))

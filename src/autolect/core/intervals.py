"""How sure a score is: intervals by drawing the examples again and again, and over independent runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SURE = 0.05
"""A p below this one."""
_CELLS = 1 << 22
"""Numbers drawn at a time when resampling: 32 MiB, however many examples there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean and the ends of its confidence interval, which are NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What each example adds to a score (N, K), and how means of that (R, K) become scores (R,)."""

    counts: NDArray[np.float64]
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    least: float = 0.0
    """The worst score there is."""
    most: float = 1.0
    """The best score there is."""

    @property
    def value(self) -> float:
        """The score of all examples."""
        return float(self.score(self.counts.mean(axis=0)[None])[0])

    def interval(self, *, seed: int) -> Interval:
        """Its 95 % interval, see `bootstrap`.

        Where every drawing has the same score, as where all examples are right, others may still differ by
        the share that as many alike cannot exclude (Clopper & Pearson 1934).
        """
        found = bootstrap(self.score, self.counts, seed=seed)
        if found.high > found.low:
            return found
        value, other = self.value, unseen(len(self.counts))
        return Interval(low=value - (value - self.least) * other, high=value + (self.most - value) * other)

    def facts(self, *, seed: int) -> dict[str, float]:
        """Score and both ends of its interval."""
        interval = self.interval(seed=seed)
        return {"score": self.value, "low": interval.low, "high": interval.high}


def unseen(count: int) -> float:
    """The share of examples that may be otherwise where so many were alike, with 95 % confidence."""
    return float(1 - 0.025 ** (1 / count))


def bootstrap(
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    counts: ArrayLike,
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a score under resampling of the examples (Efron 1979).

    counts: (N,) or (N, K), what each example adds. score: (R, K) sums over R resamples, each divided by
    N -> (R,) scores. `mean_score` serves accuracy over 0/1, `f1_score` rows of right, predicted, gold.
    Every call with the same seed draws the same examples, so that two systems can be compared.
    """
    assert 0 < level < 1
    tail = (1 - level) / 2
    low, high = np.quantile(resampled(score, counts, seed=seed, resamples=resamples), [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better one system is than another on the same examples, with its 95 % interval.

    p: how often resampled examples, and once these themselves, say the opposite, twice (two-sided;
    Davison 1997), and no less than if each example on which they differ were a coin: few cannot be sure.
    """

    value: float
    low: float
    high: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether it is more than chance may do, by interval and p."""
        return self.p < SURE and not self.low <= 0 <= self.high


def difference(one: Tally, other: Tally, *, seed: int, resamples: int = 1000) -> Difference:
    """One less the other under resampling of the examples, both with the same ones (Koehn 2004).

    Where every drawing says the same, see `Tally.interval`.
    """
    assert len(one.counts) == len(other.counts), "both answered the same examples"
    width = one.counts.shape[1]

    def less(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = one.score(sums[:, :width]) - other.score(sums[:, width:])
        return found

    drawn = resampled(
        less, np.concatenate([one.counts, other.counts], axis=1), seed=seed, resamples=resamples
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    value, span = one.value - other.value, one.most - one.least
    if high <= low:
        left = unseen(len(one.counts))
        low, high = value - (value + span) * left, value + (span - value) * left
    against = (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / (1 + len(drawn))
    p = min(1.0, 2 * max(float(against), 0.5 ** _differing(one, other)))
    return Difference(value=value, low=float(low), high=float(high), p=p)


def _differing(one: Tally, other: Tally) -> int:
    """On how many examples two systems differ; all where they are not counted alike."""
    if one.counts.shape != other.counts.shape:
        return len(one.counts)
    return int((one.counts != other.counts).any(axis=1).sum())


def resampled(
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    counts: ArrayLike,
    *,
    seed: int,
    resamples: int,
) -> NDArray[np.float64]:
    """(resamples,) scores of examples drawn again and again, see `bootstrap`."""
    table = np.asarray(counts, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    assert len(table) > 0
    assert resamples > 0
    chance = np.random.default_rng(seed)
    at_a_time = max(1, _CELLS // len(table))
    scores: list[NDArray[np.float64]] = []
    for first in range(0, resamples, at_a_time):
        drawn = chance.integers(len(table), size=(min(at_a_time, resamples - first), len(table)))
        sums = np.stack([column[drawn].mean(axis=1) for column in table.T], axis=1)
        scores.append(score(sums))
    return np.concatenate(scores)


def t_interval(values: Sequence[float], *, level: float = 0.95) -> Mean:
    """Student's interval of the mean of independent runs; no ends from one value alone."""
    from scipy.stats import t

    table = np.asarray(values, dtype=np.float64)
    assert len(table) > 0
    mean = float(table.mean())
    if len(table) == 1:
        return Mean(value=mean, low=float("nan"), high=float("nan"))
    reach = float(t.ppf((1 + level) / 2, len(table) - 1)) * float(table.std(ddof=1)) / len(table) ** 0.5
    return Mean(value=mean, low=mean - reach, high=mean + reach)

"""The weights of sparse features, fitted at once: linear machines, over naive Bayes ratios and without.

NB-SVM (Wang & Manning 2012) for any number of labels, each against the rest. Every feature is scaled by the
size of its log-count ratio between the two sides, so that a rare feature of one side is heard, and a linear
machine is fitted; a share of the ratios themselves is added, which is what naive Bayes alone would say. Where
there are many labels with few texts each the ratios mislead, and the machine over the features as they are is
better (docs/LOG.md): with enough items some of them tell what share it gets.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autolect.tasks._kept import Kept

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SMOOTHING = 0.07
"""Added to each count before a ratio is taken."""
COST = 1.0
"""C of the machine over ratios, where the features of an item have norm 1 on average."""
NAIVE = 0.14
"""Share of naive Bayes. All three were chosen on folds of the training examples of six data sets in two
languages (docs/LOG.md)."""
PLAIN_COST = 3.0
"""C of the machine over the features as they are."""
PLAIN_SHARES = (0.0, 0.5, 1.0)
"""What it may count, beside the other; of equally good ones the first."""
ENOUGH, HELD = 1000, 5
"""From more items than that each fifth is held back to choose a share; with fewer there is none."""


class Line(NamedTuple):
    """Weights (M,L) of features, and what each label scores without any (L,)."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, features: csr_matrix) -> NDArray[np.float64]:
        """(N,M) -> (N,L)."""
        found: NDArray[np.float64] = features @ self.weights + self.bias
        return found


_KEPT: Kept[Line] = Kept()


def fit(features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool = False) -> Line:
    """Features (N,M) of unit norm, targets (N,L) -> a line whose scores are about -1 to 1.

    A label that none or all of the items have gets no weights. balanced: those that have a label count as
    much together as all others.
    """
    digest = hashlib.sha256(repr((features.shape, targets.shape, balanced)).encode())
    for part in (features.data, features.indices, features.indptr, targets):
        digest.update(np.ascontiguousarray(part).tobytes())
    return _KEPT.get(digest.hexdigest(), lambda: _fit(features, targets, balanced=balanced))


def folds(count: int, number: int) -> NDArray[np.int64]:
    """(count,) the fold of each item, always drawn alike: the order of a file may tell its labels."""
    found: NDArray[np.int64] = np.random.default_rng(0).permutation(count) % number
    return found


def _fit(features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool) -> Line:
    if len(targets) <= ENOUGH:
        return _fitted(_over_ratios, features, targets, balanced=balanced)
    held = folds(len(targets), HELD) == 0
    tried = [
        _fitted(make, features[~held], targets[~held], balanced=balanced).scores(features[held])
        for make in (_over_ratios, _plain)
    ]
    right = [_right((1 - share) * tried[0] + share * tried[1], targets[held]) for share in PLAIN_SHARES]
    share = PLAIN_SHARES[int(np.argmax(right))]
    parts = [
        (np.float32(counts), _fitted(make, features, targets, balanced=balanced))
        for counts, make in ((1 - share, _over_ratios), (share, _plain))
        if counts
    ]
    return Line(
        np.sum([counts * part.weights for counts, part in parts], axis=0),
        np.sum([counts * part.bias for counts, part in parts], axis=0),
    )


def _fitted(
    make: Callable[..., Line], features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool
) -> Line:
    """A line over the features that these items have; the others get no weights."""
    used = np.flatnonzero(features.getnnz(axis=0))
    line = make(features[:, used].tocsr(), targets, balanced=balanced)
    weights = np.zeros((features.shape[1], targets.shape[1]), dtype=np.float32)
    weights[used] = line.weights
    return Line(weights, line.bias)


def _right(scores: NDArray[np.float64], targets: NDArray[np.bool_]) -> float:
    """Share of the items whose label is the likeliest; where they may have several, of labels told right."""
    if (targets.sum(axis=1) == 1).all():
        return float(targets[np.arange(len(targets)), scores.argmax(axis=1)].mean())
    return float(((scores > 0) == targets).mean())


def _over_ratios(features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool) -> Line:
    """NB-SVM."""
    from scipy.sparse import diags

    total = np.asarray(features.sum(axis=0)).ravel()
    found = _none(features, targets)
    for label in _learnable(targets):
        mine = targets[:, label]
        ratio = _log_ratio(np.asarray(features[mine].sum(axis=0)).ravel(), total)
        scaled = features @ diags(np.abs(ratio))
        norm = np.sqrt(scaled.multiply(scaled).sum() / scaled.shape[0])
        weights, found.bias[label] = _machine(scaled / norm, mine, cost=COST, balanced=balanced)
        found.weights[:, label] = weights * np.abs(ratio) / norm + NAIVE * ratio
    return found


def _plain(features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool) -> Line:
    """A machine a label over the features as they are."""
    found = _none(features, targets)
    for label in _learnable(targets):
        found.weights[:, label], found.bias[label] = _machine(
            features, targets[:, label], cost=PLAIN_COST, balanced=balanced
        )
    return found


def _none(features: csr_matrix, targets: NDArray[np.bool_]) -> Line:
    """No weights, and a label that none has, or all, said to be so."""
    bias = np.where(targets.all(axis=0), 1, -1).astype(np.float32)
    return Line(np.zeros((features.shape[1], targets.shape[1]), dtype=np.float32), bias)


def _learnable(targets: NDArray[np.bool_]) -> list[int]:
    """Labels that some have and others do not."""
    counts = targets.sum(axis=0)
    return np.flatnonzero((counts > 0) & (counts < len(targets))).tolist()


def _machine(
    features: csr_matrix, mine: NDArray[np.bool_], *, cost: float, balanced: bool
) -> tuple[NDArray[np.float64], float]:
    """Weights (M,) and bias of a linear machine (Fan 2008)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=cost, random_state=0, max_iter=3000, class_weight="balanced" if balanced else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(features, mine)
    return machine.coef_[0], float(machine.intercept_[0])


def _log_ratio(counts: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much likelier each feature is on one side than on the other, as a logarithm."""
    here, there = counts + SMOOTHING, total - counts + SMOOTHING
    ratio: NDArray[np.float64] = np.log(here / here.sum()) - np.log(there / there.sum())
    return ratio

"""The weights of sparse features, fitted at once: a support vector machine over naive Bayes ratios.

NB-SVM (Wang & Manning 2012) for any number of labels, each against the rest. Every feature is scaled by the
size of its log-count ratio between the two sides, so that a rare feature of one side is heard, and a linear
machine is fitted; a share of the ratios themselves is added, which is what naive Bayes alone would say.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SMOOTHING = 0.07
"""Added to each count before a ratio is taken."""
COST = 1.0
"""C of the machine, where the features of an item have norm 1 on average."""
NAIVE = 0.14
"""Share of naive Bayes. All three were chosen on folds of the training examples of six data sets in two
languages (docs/LOG.md)."""


def fit(features: csr_matrix, targets: NDArray[np.bool_], *, balanced: bool = False) -> NDArray[np.float32]:
    """Features (N,M) of unit norm, targets (N,L) -> weights (M,L), scores about -1 to 1.

    A label that none or all of the items have gets no weights. balanced: those that have a label count as
    much together as all others.
    """
    from scipy.sparse import diags
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    width = features.shape[1]
    used = np.flatnonzero(features.getnnz(axis=0))
    features = features[:, used].tocsr()
    found = np.zeros((width, targets.shape[1]), dtype=np.float32)
    total = np.asarray(features.sum(axis=0)).ravel()
    for label, mine in enumerate(targets.T):
        if mine.all() or not mine.any():
            continue
        ratio = _log_ratio(np.asarray(features[mine].sum(axis=0)).ravel(), total)
        scaled = features @ diags(np.abs(ratio))
        norm = np.sqrt(scaled.multiply(scaled).sum() / scaled.shape[0])
        even = "balanced" if balanced else None
        machine = LinearSVC(C=COST, random_state=0, max_iter=3000, class_weight=even)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(scaled / norm, mine)
        found[used, label] = machine.coef_[0] * np.abs(ratio) / norm + NAIVE * ratio
    return found


def _log_ratio(counts: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much likelier each feature is on one side than on the other, as a logarithm."""
    here, there = counts + SMOOTHING, total - counts + SMOOTHING
    ratio: NDArray[np.float64] = np.log(here / here.sum()) - np.log(there / there.sum())
    return ratio

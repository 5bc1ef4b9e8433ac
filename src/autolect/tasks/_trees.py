"""Boosted regression trees (Friedman 2001): fitted by scikit-learn, kept as plain arrays (`heads.Trees`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolect.nn.heads import Forest, nodes_of

NUM_TREES, DEPTH, RATE, SUBSAMPLE, LEAST = 300, 4, 0.05, 0.5, 10
"""Settings of the trees: small steps, half of the items each, and no leaf of fewer than ten items."""


def fit(
    features: NDArray[np.float32], targets: NDArray[np.float64], counts: NDArray[np.float64], *, seed: int
) -> Forest:
    """Features (N,F), targets (N,L), how much each row counts (N,) -> for each of L targets trees."""
    forest = Forest.empty(targets.shape[1], NUM_TREES, nodes_of(DEPTH))
    for number, target in enumerate(targets.T):
        _fit_one(features, target, counts, forest, number, seed=seed)
    return forest


def _fit_one(
    features: NDArray[np.float32],
    target: NDArray[np.float64],
    counts: NDArray[np.float64],
    forest: Forest,
    number: int,
    *,
    seed: int,
) -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    mean = float(np.average(target, weights=counts))
    machine = GradientBoostingRegressor(
        n_estimators=NUM_TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=SUBSAMPLE,
        min_samples_leaf=min(LEAST, max(1, len(target) // 10)),
        random_state=seed,
    ).fit(features, target, sample_weight=counts)
    for row, machine_tree in enumerate(machine.estimators_[:, 0]):
        tree = machine_tree.tree_
        inner = np.flatnonzero(tree.children_left >= 0)
        forest.feature[number, row, inner] = tree.feature[inner]
        forest.threshold[number, row, inner] = tree.threshold[inner]
        forest.left[number, row, inner] = tree.children_left[inner]
        forest.right[number, row, inner] = tree.children_right[inner]
        forest.value[number, row, : tree.node_count] = RATE * tree.value[:, 0, 0] + mean / NUM_TREES

"""What two texts share, as scores: boosted trees and a line over it, fitted at once and never trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autolect.nn.heads import Trees
from autolect.tasks import _trees
from autolect.text import pair_features
from autolect.text.pair_features import Matched

NUM_FEATURES = pair_features.NUM_OVERLAPS + pair_features.NUM_LIKENESSES
RIDGES = (1.0, 10.0, 100.0, 1000.0)
"""Penalties of the linear model among which its own left-out errors choose."""
COMMON = 1e-3
"""A token of this share of the training texts counts half as much as the rarest (SIF: Arora 2017)."""
AT_ONCE = 1024
"""Pairs that the trees look at together."""


class Shared(nn.Module):
    """Pairs -> (N,L): the mean of what trees and a line say of the words, characters and vectors they share.

    vocab_size, width: of the vectors that tell how alike words are.
    """

    directions: Tensor
    weights: Tensor
    line: Tensor
    rarity: Tensor
    range: Tensor

    def __init__(self, num_outputs: int, *, vocab_size: int, width: int) -> None:
        super().__init__()
        self.trees = Trees(num_outputs, num_trees=_trees.NUM_TREES, depth=_trees.DEPTH)
        self.register_buffer("line", torch.zeros(NUM_FEATURES + 1, num_outputs))
        self.register_buffer("range", torch.zeros(2, NUM_FEATURES))
        self.register_buffer("directions", torch.zeros(vocab_size, width, dtype=torch.float16))
        self.register_buffer("weights", torch.ones(vocab_size))
        self.register_buffer("rarity", torch.ones(pair_features.BUCKETS))

    def know(self, table: Tensor, texts: Sequence[NDArray[np.int32]], pairs: Sequence[Matched]) -> None:
        """Learn how alike words are from vectors (V,D), how rare they are from texts and from pairs."""
        self.directions.copy_(table / table.norm(dim=1, keepdim=True).clamp(min=1e-12))
        often = np.bincount(np.concatenate([*texts, np.zeros(0, np.int32)]), minlength=len(table))
        self.weights.copy_(torch.from_numpy(COMMON / (COMMON + often / max(1, often.sum()))))
        self.rarity.copy_(torch.from_numpy(pair_features.rarity_of(pairs)))

    def fit(
        self, pairs: Sequence[Matched], targets: NDArray[np.float64], counts: NDArray[np.float64]
    ) -> None:
        """Fit trees and line to targets (N,L), where each pair counts so much (N,)."""
        features = self._features(pairs)
        self.trees.fill(_trees.fit(features, targets, counts, seed=0))
        self.line.copy_(torch.from_numpy(_line(features, targets, counts)))
        self.range.copy_(torch.from_numpy(np.stack([features.min(axis=0), features.max(axis=0)])))

    def forward(self, pairs: Sequence[Matched]) -> Tensor:
        """Scores (N,L) of pairs."""
        features = torch.from_numpy(self._features(pairs)).to(self.line.device)
        # A line goes on for ever; beyond what training has seen nothing is known.
        features = features.clamp(self.range[0], self.range[1])
        said = [
            (self.trees(some) + some @ self.line[1:] + self.line[0]) / 2
            for some in torch.split(features, AT_ONCE)
        ]
        return torch.cat(said)

    def _features(self, pairs: Sequence[Matched]) -> NDArray[np.float32]:
        directions, weights = self.directions.float().cpu().numpy(), self.weights.cpu().numpy()
        parts = (
            pair_features.overlaps(pairs, rarity=self.rarity.cpu().numpy()),
            pair_features.likenesses(pairs, directions=directions, weights=weights),
        )
        return np.concatenate(parts, axis=1)


def _line(
    features: NDArray[np.float32], targets: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(F+1,L) a linear model, its constant first: ridge regression over features of even spread."""
    from sklearn.linear_model import RidgeCV

    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    machine = RidgeCV(alphas=RIDGES).fit((features - mean) / spread, targets, sample_weight=counts)
    slopes = np.atleast_2d(machine.coef_).T / spread[:, None]
    found: NDArray[np.float32] = np.vstack([machine.intercept_ - mean @ slopes, slopes]).astype(np.float32)
    return found

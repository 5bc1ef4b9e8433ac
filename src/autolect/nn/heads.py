"""Heads: what a task puts on top of the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from autolect.nn.bottleneck import mean_of
from autolect.nn.kernels import drop
from autolect.nn.keyed import Keyed

WIDE_WEIGHTS = 8_000_000
"""So many weights has the wide part of a head at most."""
PRIOR_SPREAD = 1e-3
"""Added to the spread of each feature, which a few texts may not show."""
PAIR_WIDTH = 128
"""Features in which two texts are compared."""


class Wide(Keyed):
    """Sparse features straight to the labels, beside the network (Cheng 2016, arXiv:1606.07792).

    ids (M,) keys of features, values (M,) how much of each, groups (M,) which kind each is of, starts (N,)
    where each item's features begin -> scores (N,L). The features of one kind have the same norm in every
    item, so that no kind drowns another by its number; those that are not known count for nothing.

    shares: of the squared norm, one a kind; an item that has all kinds has norm 1.
    """

    rarity: Tensor
    bias: Tensor

    def __init__(self, num_labels: int, *, shares: Sequence[float] = (1.0,)) -> None:
        super().__init__(num_labels)
        self.scales = [(share / sum(shares)) ** 0.5 for share in shares]
        self.register_buffer("rarity", torch.zeros(1))
        self.register_buffer("bias", torch.zeros(num_labels))

    def make_room(self, count: int) -> None:
        """See `Keyed`."""
        super().make_room(count)
        self.rarity = self.rarity.new_zeros(count)

    def learn(self, items: Sequence[NDArray[np.int64]]) -> None:
        """Know the features of these items, the most frequent ones if they are too many, and weigh each by
        the inverse of its document frequency in them (Spärck Jones 1972).
        """
        found = np.concatenate([np.unique(ids) for ids in items]) if items else np.zeros(0, dtype=np.int64)
        keys, counts = np.unique(found, return_counts=True)
        most = WIDE_WEIGHTS // self.table.shape[1]
        chosen = np.sort(np.argsort(-counts, kind="stable")[:most])
        self.name(keys[chosen])
        self.rarity[:-1] = torch.from_numpy(np.log((1 + len(items)) / (1 + counts[chosen])) + 1)

    def forward(self, ids: Tensor, values: Tensor, groups: Tensor, starts: Tensor) -> Tensor:
        """ids, values, groups, starts -> scores."""
        rows = self.rows(ids)
        return self.sums(rows, starts, self.weigh(rows, values, groups, starts)) + self.bias

    def weigh(self, rows: Tensor, values: Tensor, groups: Tensor, starts: Tensor) -> Tensor:
        """How much each feature (M,) of an item counts: by rarity, and to one norm a kind."""
        values = values * self.rarity[rows]
        ends = torch.cat([starts[1:], starts.new_tensor([len(rows)])])
        items = torch.repeat_interleave(torch.arange(len(starts), device=rows.device), ends - starts)
        places = items * len(self.scales) + groups
        squares = values.new_zeros(len(starts) * len(self.scales)).index_add(0, places, values.square())
        return values.new_tensor(self.scales)[groups] * values / squares[places].clamp(min=1e-12).sqrt()


class SparseField(Keyed):
    """What a random field over sparse features says of units.

    ids (M,) keys of features, starts (N,) where each unit's begin -> scores (N,L). moves (L,L): the score of
    each tag after each.
    """

    moves: Tensor

    def __init__(self, num_labels: int) -> None:
        super().__init__(num_labels)
        self.register_buffer("moves", torch.zeros(num_labels, num_labels))

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """ids, starts -> scores."""
        return self.sums(self.rows(ids), starts)


class TextHead(nn.Module):
    """states, embedded (B,T,D), keep (B,T) -> scores (B,L).

    From the mean and the maximum of the states, and from the mean of the token vectors below them, so that
    a network which learned little does not hide what its words mean (docs/LOG.md).
    """

    def __init__(self, width: int, *, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.output = nn.Linear(3 * width, num_labels)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, embedded: Tensor, keep: Tensor) -> Tensor:
        """states, embedded, keep -> scores."""
        pooled = self.pooled(states, embedded, keep)
        scores: Tensor = self.output(drop(pooled, self.dropout, self.training))
        return scores

    @staticmethod
    def pooled(states: Tensor, embedded: Tensor, keep: Tensor) -> Tensor:
        """states, embedded, keep -> what decides (B,3D)."""
        low = torch.finfo(states.dtype).min
        largest = states.masked_fill(~keep[..., None], low).amax(dim=1).float()
        words = F.rms_norm(mean_of(embedded, keep), embedded.shape[-1:])
        return torch.cat([mean_of(states, keep), largest, words], dim=-1)

    def start(self, weight: Tensor, bias: Tensor) -> None:
        """Start from weights (L,3D) and biases (L,), such as `prototypes`."""
        self.output.weight.copy_(weight)
        self.output.bias.copy_(bias)


def prototypes(pooled: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N,F) of texts, targets (N,L) True or not -> weights (L,F), biases (L,), scores of spread 1.

    A text is of the label whose mean is nearer than that of all other texts (Snell 2017, arXiv:1703.05175),
    each feature measured by its own spread. A label that none or all of the texts have gets zeros.
    """
    weight = pooled.new_zeros(targets.shape[1], pooled.shape[1])
    bias = pooled.new_zeros(targets.shape[1])
    spread = pooled.var(dim=0, correction=0) + PRIOR_SPREAD
    for label, mine in enumerate(targets.T):
        if mine.all() or not mine.any():
            continue
        one, other = pooled[mine].mean(dim=0), pooled[~mine].mean(dim=0)
        way = (one - other) / spread
        weight[label] = way / (pooled @ way).std(correction=0).clamp(min=1e-6)
        bias[label] = -(weight[label] @ (one + other)) / 2
    return weight, bias


class UnitHead(nn.Module):
    """states, embedded (B,T,D), owner (B,T) -> scores (B,U,L): one row a unit.

    From the means of its tokens' states and of the token vectors below them.
    owner[b,t] is the unit of token t, or -1 for tokens that belong to none.
    """

    def __init__(self, width: int, *, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.output = nn.Linear(2 * width, num_labels)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, embedded: Tensor, owner: Tensor, num_units: int) -> Tensor:
        """states, embedded, owner -> scores."""
        words = F.rms_norm(units_of(embedded, owner, num_units), embedded.shape[-1:])
        pooled = torch.cat([units_of(states, owner, num_units), words], dim=-1)
        scores: Tensor = self.output(drop(pooled, self.dropout, self.training))
        return scores


def units_of(states: Tensor, owner: Tensor, num_units: int) -> Tensor:
    """States (B,T,D), owner (B,T) -> (B,U,D), the mean of each unit's tokens, zero where it has none."""
    batch, _, width = states.shape
    place = torch.where(owner < 0, num_units, owner)
    sums = states.new_zeros((batch, num_units + 1, width), dtype=torch.float32)
    sums = sums.scatter_add(1, place[..., None].expand_as(states), states.float())
    ones = torch.ones_like(place, dtype=torch.float32)
    count = sums.new_zeros((batch, num_units + 1)).scatter_add(1, place, ones)
    return (sums / count.clamp(min=1)[..., None])[:, :num_units]


class Forest(NamedTuple):
    """Trees (L,K,N), K for each of L outputs, each of N nodes; a leaf is its own child."""

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]

    @classmethod
    def empty(cls, outputs: int, trees: int, nodes: int) -> Forest:
        """Trees that say nothing."""
        shape = (outputs, trees, nodes)
        own = np.broadcast_to(np.arange(nodes), shape)
        return cls(np.zeros(shape, np.int64), np.zeros(shape), own.copy(), own.copy(), np.zeros(shape))


def nodes_of(depth: int) -> int:
    """Nodes of a full binary tree."""
    return (2 << depth) - 1


class Trees(nn.Module):
    """features (N,F) -> (N,L): the sum of what regression trees say. Fitted elsewhere, never trained."""

    def __init__(self, num_outputs: int, *, num_trees: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        for name, values in Forest.empty(num_outputs, num_trees, nodes_of(depth))._asdict().items():
            self.register_buffer(name, torch.from_numpy(values))

    def fill(self, forest: Forest) -> None:
        """Take trees that were fitted elsewhere."""
        for name, values in forest._asdict().items():
            self.get_buffer(name).copy_(torch.from_numpy(values))

    def forward(self, features: Tensor) -> Tensor:
        """Features (N,F) -> outputs (N,L)."""
        outputs, trees, _ = self.get_buffer("feature").shape
        flat = {name: self.get_buffer(name).flatten(0, 1) for name in Forest._fields}
        place = torch.arange(outputs * trees, device=features.device)
        at = torch.zeros(len(features), outputs * trees, dtype=torch.int64, device=features.device)
        for _ in range(self.depth):
            seen = features.double().gather(1, flat["feature"][place, at])
            goes_left = seen <= flat["threshold"][place, at]
            at = torch.where(goes_left, flat["left"][place, at], flat["right"][place, at])
        values: Tensor = flat["value"][place, at].view(len(features), outputs, trees)
        return values.sum(dim=2).float()


class PairHead(nn.Module):
    """Two texts, each read alone -> scores (B,L).

    states and embedded (2B,T,D), keep (2B,T): first all first texts, then all second ones. Each token is
    compared with what it attends to in the other text (Parikh 2016, arXiv:1606.01933); the means and maxima
    of these comparisons, and of the texts' mean states and their difference and product, decide.
    """

    def __init__(self, width: int, *, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.attend = nn.Linear(2 * width, PAIR_WIDTH)
        self.compare = nn.Linear(4 * PAIR_WIDTH, PAIR_WIDTH)
        self.join = nn.Linear(4 * PAIR_WIDTH + 2 * width, PAIR_WIDTH)
        self.output = nn.Linear(PAIR_WIDTH, num_outputs)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, embedded: Tensor, keep: Tensor) -> Tensor:
        """states, embedded, keep -> scores."""
        words = F.rms_norm(embedded, embedded.shape[-1:])
        tokens = torch.cat([F.rms_norm(states, states.shape[-1:]), words], dim=-1)
        tokens = self.attend(drop(tokens, self.dropout, self.training))
        one, other = tokens.chunk(2)
        keep_one, keep_other = keep.chunk(2)
        near = one @ other.transpose(1, 2) / PAIR_WIDTH**0.5
        sides = [
            self._side(one, other, near, keep_one, keep_other),
            self._side(other, one, near.transpose(1, 2), keep_other, keep_one),
        ]
        first, second = mean_of(states, keep).chunk(2)
        joined = torch.cat([*sides, (first - second).abs(), first * second], dim=-1)
        hidden = F.gelu(self.join(drop(joined.float(), self.dropout, self.training)))
        scores: Tensor = self.output(drop(hidden, self.dropout, self.training))
        return scores

    def _side(self, one: Tensor, other: Tensor, near: Tensor, keep: Tensor, keep_other: Tensor) -> Tensor:
        """(B,2W): mean and maximum over one text's tokens of how they compare with the other's."""
        low = torch.finfo(near.dtype).min
        beside = near.masked_fill(~keep_other[:, None], low).softmax(dim=-1) @ other
        compared = torch.cat([one, beside, one - beside, one * beside], dim=-1)
        compared = F.gelu(self.compare(drop(compared, self.dropout, self.training)))
        largest = compared.masked_fill(~keep[..., None], torch.finfo(compared.dtype).min).amax(dim=1)
        return torch.cat([mean_of(compared, keep), largest.float()], dim=-1)

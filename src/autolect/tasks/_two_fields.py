"""A random field over the network's scores, and one over sparse features beside it: what each counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autolect.nn.crf import Crf, iob2_rules
from autolect.nn.heads import SparseField, UnitHead

BALANCE = (0.6, 0.6)
"""How much the network and the sparse features count before anything is known."""
TRUST = 16.0
"""How firmly that is believed: as much as so many squared logarithms of the change cost in likelihood."""


class Scored(NamedTuple):
    """What the P parts of a head say of some pieces (P,B,U,L); units, tags (B,U)."""

    scores: Tensor
    units: Tensor
    tags: Tensor


class TagHead(nn.Module):
    """A random field over the network's scores, and one over sparse features beside it.

    balance (P,): how much each counts. lean (): what is taken from the first tag's score.
    """

    def __init__(self, width: int, *, labels: tuple[str, ...], dropout: float, sparse: bool) -> None:
        super().__init__()
        self.units = UnitHead(width, num_labels=len(labels), dropout=dropout)
        self.moves = nn.Parameter(torch.zeros(len(labels), len(labels)))
        self.field = SparseField(len(labels)) if sparse else None
        self.crf = Crf(*iob2_rules(labels))
        self.balance: Tensor
        self.lean: Tensor
        self.register_buffer("balance", torch.tensor(BALANCE[: 1 if self.field is None else 2]))
        self.register_buffer("lean", torch.zeros(()))

    def mixed(self, scores: Tensor, balance: Tensor, lean: Tensor) -> tuple[Tensor, Tensor]:
        """What the parts (P,B,U,L) say together: scores (B,U,L), and of each tag after each, moves (L,L)."""
        moves = self.moves[None] if self.field is None else torch.stack([self.moves, self.field.moves])
        mixed = torch.einsum("p,pbul->bul", balance, scores)
        first = torch.zeros_like(mixed[0, 0])
        first[0] = 1.0
        return mixed - lean * first, torch.einsum("p,pij->ij", balance, moves)


def likeliest(head: TagHead, known: Sequence[Scored]) -> Tensor:
    """The balance (P,) with which the tags are likeliest."""
    from scipy.optimize import minimize

    start, upright = head.balance.new_tensor(BALANCE[: len(head.balance)]), torch.zeros_like(head.lean)

    def cost(change: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = start.new_tensor(change).requires_grad_()
        total = TRUST * logs.square().sum()
        for batch in known:
            scores, moves = head.mixed(batch.scores, start * logs.exp(), upright)
            total = total + head.crf.costs(scores, moves, batch.units, batch.tags).sum()
        (slope,) = torch.autograd.grad(total, logs)
        return total.item(), slope.cpu().numpy().astype(float)

    best = minimize(cost, np.zeros(len(start)), jac=True, method="L-BFGS-B").x
    return start * start.new_tensor(best).exp()

"""A linear-chain conditional random field over unit scores (Lafferty 2001)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Crf(nn.Module):
    """Which tag may follow which, and what follows from scores under these rules.

    scores (B,U,L), moves (L,L) score of each tag after each, keep (B,U) True on a prefix of each row, tags
    (B,U).

    ``allowed`` (L,L): False where a tag may never follow another, such as I-x after B-y.
    ``begins`` (L,): False where a tag may not stand first.
    """

    allowed: Tensor
    begins: Tensor

    def __init__(self, allowed: Tensor, begins: Tensor) -> None:
        super().__init__()
        self.register_buffer("allowed", allowed, persistent=False)
        self.register_buffer("begins", begins, persistent=False)

    def costs(self, scores: Tensor, moves: Tensor, keep: Tensor, tags: Tensor) -> Tensor:
        """(B,): -log p(tags)."""
        return self.log_partition(scores, moves, keep) - self.path_score(scores, moves, keep, tags)

    def log_partition(self, scores: Tensor, moves: Tensor, keep: Tensor) -> Tensor:
        """(B,): log of the sum over all tag paths."""
        return torch.logsumexp(self._before(scores, moves, keep)[-1], dim=1).to(scores.dtype)

    def path_score(self, scores: Tensor, moves: Tensor, keep: Tensor, tags: Tensor) -> Tensor:
        """(B,): the unnormalised log score of one path."""
        moves = self._ruled(moves)
        chosen = scores.gather(2, tags[..., None]).squeeze(2)
        moved = moves[tags[:, :-1], tags[:, 1:]]
        barred = torch.zeros_like(moves[0]).masked_fill(~self.begins, _NEVER)
        return barred[tags[:, 0]] + (chosen * keep).sum(1) + (moved * keep[:, 1:]).sum(1)

    def best(self, scores: Tensor, moves: Tensor, keep: Tensor) -> Tensor:
        """(B,U): the most likely path of each row (Viterbi); 0 where not keep."""
        moves, alpha = self._ruled(moves), self._first(scores)
        backs: list[Tensor] = []
        stay = torch.arange(scores.shape[2], device=scores.device).expand_as(alpha)
        for place in range(1, scores.shape[1]):
            value, back = (alpha[:, :, None] + moves).max(dim=1)
            here = keep[:, place, None]
            alpha = torch.where(here, value + scores[:, place], alpha)
            backs.append(torch.where(here, back, stay))
        path = [alpha.argmax(dim=1)]
        for back in reversed(backs):
            path.append(back.gather(1, path[-1][:, None]).squeeze(1))
        return torch.stack(path[::-1], dim=1) * keep

    def chances(self, scores: Tensor, moves: Tensor, keep: Tensor) -> Tensor:
        """(B,U,L): how likely each tag is at each place, over all paths (forward and backward)."""
        forward, odds = self._before(scores, moves, keep), self._odds(moves).t()
        beta = torch.zeros_like(forward[0])
        backward = [beta]
        for place in range(scores.shape[1] - 1, 0, -1):
            longer = _summed(beta + scores[:, place], odds)
            beta = torch.where(keep[:, place, None], longer, beta)
            backward.append(beta)
        both = torch.stack(forward, dim=1) + torch.stack(backward[::-1], dim=1)
        return both.softmax(dim=-1).to(scores.dtype) * keep[..., None]

    def _before(self, scores: Tensor, moves: Tensor, keep: Tensor) -> list[Tensor]:
        """Of each place (B,L): log of the sum over the paths that end there with each tag."""
        odds, alpha = self._odds(moves), self._first(scores).double()
        found = [alpha]
        for place in range(1, scores.shape[1]):
            longer = _summed(alpha, odds) + scores[:, place]
            alpha = torch.where(keep[:, place, None], longer, alpha)
            found.append(alpha)
        return found

    def _odds(self, moves: Tensor) -> Tensor:
        """(L,L): the exponentials of the moves."""
        return self._ruled(moves).double().exp()

    def _ruled(self, moves: Tensor) -> Tensor:
        return moves.masked_fill(~self.allowed, _NEVER)

    def _first(self, scores: Tensor) -> Tensor:
        return scores[:, 0].masked_fill(~self.begins, _NEVER)


_NEVER, _LEAST = -1e4, 1e-300


def _summed(alpha: Tensor, odds: Tensor) -> Tensor:
    """Log of exp(alpha (B,L)) @ odds (L,L).

    As a product it takes a small part of the time of a sum over (B,L,L) of logarithms; in float64 nothing
    that counts is lost.
    """
    most = alpha.detach().max(dim=1, keepdim=True).values
    return ((alpha - most).exp() @ odds).clamp_min(_LEAST).log() + most


def iob2_rules(labels: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """What IOB2 allows among labels such as O, B-PER, I-PER: (allowed (L,L), begins (L,))."""
    begins = torch.tensor([not label.startswith("I-") for label in labels])
    allowed = torch.ones(len(labels), len(labels), dtype=torch.bool)
    for after, label in enumerate(labels):
        if label.startswith("I-"):
            before = (f"B-{label[2:]}", label)
            allowed[:, after] = torch.tensor([other in before for other in labels])
    return allowed, begins

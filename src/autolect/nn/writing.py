"""Writing text token by token: greedy, sampled or by beams, from a latent or from a beginning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autolect.nn.model import Model


@dataclass(frozen=True, slots=True)
class Pen:
    """What writes without a whole model: an embedding, a decoder over a memory, and scores of its states."""

    embedding: nn.Module
    decoder: Any
    scores: Callable[[Tensor], Tensor]
    place: torch.device


@torch.inference_mode()
def write(
    model: Model | Pen,
    *,
    begin: Tensor,
    stop: int,
    length: int,
    memory: Tensor | None,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    beams: int = 1,
    seed: int = 0,
    never: Tensor | None = None,
) -> list[list[int]]:
    """Continue one beginning (n,) of ids, for each memory of (B,S,D), or once where there is none.

    Gives the new ids of each row up to ``stop``, at most ``length``. temperature 0 takes the likeliest; else
    one is drawn among the ``top_k`` likeliest (0: all), and of these among the fewest that together have
    the probability ``top_p`` (Holtzman 2020). beams: above 1, nothing is drawn, see `search`. never (m,):
    ids that are not written.
    """
    if beams > 1:
        return search(model, begin=begin, stop=stop, length=length, memory=memory, beams=beams, never=never)
    chance = torch.Generator().manual_seed(seed)
    scores, past = _read(model, begin, memory, rows=1 if memory is None else memory.shape[0])
    written: list[list[int]] = [[] for _ in range(len(scores))]
    open_rows = torch.ones(len(scores), dtype=torch.bool)
    for _ in range(length):
        if never is not None:
            scores[:, never] = -torch.inf
        chosen = _choose(scores, chance, temperature=temperature, top_k=top_k, top_p=top_p)
        open_rows &= chosen != stop
        if not bool(open_rows.any()):
            break
        for row in open_rows.nonzero().squeeze(1).tolist():
            written[row].append(int(chosen[row]))
        scores, past = _step(model, chosen[:, None], past, memory)
    return written


@torch.inference_mode()
def search(
    model: Model | Pen,
    *,
    begin: Tensor,
    stop: int,
    length: int,
    memory: Tensor | None,
    beams: int,
    never: Tensor | None = None,
) -> list[list[int]]:
    """The likeliest text that goes on from ``begin`` (n,), as far as so many beginnings side by side find it.

    One for each memory of (N,S,D), all at once, or one where there is none. Texts are compared by their
    log-probability over their length to the power 0.6, so that short ones have no advantage (Wu 2016,
    arXiv:1609.08144). Gives the new ids without ``stop``.
    """
    found = [_Beams([[]], []) for _ in range(1 if memory is None else len(memory))]
    scores, past = _read(model, begin, memory, rows=len(found))
    # Of each text one beginning is followed at first; where there are fewer than beams, the others cannot be.
    going, sums = found, torch.zeros(len(found), 1)
    for place in range(1, length + 1):
        if never is not None:
            scores[:, never] = -torch.inf
        followed = sums.shape[1]
        reached = (sums.flatten()[:, None] + scores.log_softmax(dim=-1)).view(len(going), -1)
        # Twice as many as are kept, since half of them may end here.
        best = reached.topk(min(2 * beams, reached.shape[1]))
        rows, chosen = best.indices // scores.shape[1], best.indices % scores.shape[1]
        steps = [
            one.grow(*told, place=place, stop=stop, beams=beams, length=length)
            for one, *told in zip(going, best.values.tolist(), rows.tolist(), chosen.tolist(), strict=True)
        ]
        left = [at for at, kept in enumerate(steps) if kept]
        if not left:
            break
        spare = [[*steps[at], *[steps[at][0]] * (beams - len(steps[at]))] for at in left]
        kept = torch.tensor(spare)
        sums = best.values[left].gather(1, kept)
        for row, at in enumerate(left):
            sums[row, len(steps[at]) :] = -torch.inf
        order = (rows[left].gather(1, kept) + followed * torch.tensor(left)[:, None]).flatten()
        first, second = past
        past = tuple(None if one is None else one.pick(order) for one in (first, second))
        going = [going[at] for at in left]
        scores, past = _step(model, chosen[left].gather(1, kept).view(-1, 1), past, memory)
    else:
        for one, values in zip(going, sums.tolist(), strict=True):
            one.ended += [(_fair(v, length), text) for v, text in zip(values, one.texts, strict=False)]
    return [max(one.ended)[1] for one in found]


@dataclass(slots=True)
class _Beams:
    """The beginnings of one text that are followed, and the texts that came to an end, with their values."""

    texts: list[list[int]]
    ended: list[tuple[float, list[int]]]

    def grow(
        self,
        values: Sequence[float],
        rows: Sequence[int],
        tokens: Sequence[int],
        *,
        place: int,
        stop: int,
        beams: int,
        length: int,
    ) -> list[int]:
        """Take the best continuations, best first: of which row, by which token. Gives the places of those
        that are followed on; none where nothing can be better than what has ended.
        """
        kept: list[int] = []
        for at, (value, row, token) in enumerate(zip(values, rows, tokens, strict=True)):
            if value == -math.inf:
                break
            if token == stop:
                self.ended.append((_fair(value, place), self.texts[row]))
            elif len(kept) < beams:
                kept.append(at)
        if kept and self.ended and max(self.ended)[0] >= _fair(values[kept[0]], length):
            return []
        self.texts = [[*self.texts[rows[at]], tokens[at]] for at in kept]
        return kept


def _fair(value: float, length: int) -> float:
    """A log-probability that texts of another length may be compared by."""
    return value / float(max(1, length) ** 0.6)


def _read(model: Model | Pen, begin: Tensor, memory: Tensor | None, *, rows: int) -> tuple[Tensor, Any]:
    """The scores (B,V) of what follows ``begin``, and what was remembered on the way."""
    past: Any = None
    scores = torch.zeros(0)
    for token in begin.tolist():
        scores, past = _step(model, torch.full((rows, 1), token), past, memory)
    return scores, past


def _step(model: Model | Pen, tokens: Tensor, past: Any, memory: Tensor | None) -> tuple[Tensor, Any]:
    """Tokens (B,1) -> scores (B,V) of the next one, where tokens are drawn: on the processor."""
    first, second = (None, None) if past is None else past
    x = model.embedding(tokens.to(model.place))
    if isinstance(model, Model) and model.architecture.causal:
        x, first = model.encoder.step(x, first)
    if model.decoder is not None:
        x, second = model.decoder.step(x, second, memory)
    return model.scores(x[:, 0]).float().cpu(), (first, second)


def _choose(
    scores: Tensor, chance: torch.Generator, *, temperature: float, top_k: int, top_p: float
) -> Tensor:
    if temperature <= 0:
        return scores.argmax(dim=-1)
    shares, order = (scores / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k:
        shares[:, top_k:] = 0
    # A token is out when those before it have the probability already; the likeliest one stays.
    shares[(shares.cumsum(dim=-1) - shares) >= top_p * shares.sum(dim=-1, keepdim=True)] = 0
    drawn = torch.multinomial(shares, 1, generator=chance)
    return order.gather(1, drawn).squeeze(1)

"""Writing text token by token: greedy or sampled, from a latent or from a beginning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autolect.nn.model import Model


@torch.inference_mode()
def write(
    model: Model,
    *,
    begin: Tensor,
    stop: int,
    length: int,
    memory: Tensor | None,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    never: Tensor | None = None,
) -> list[list[int]]:
    """Continue one beginning (n,) of ids, for each memory of (B,S,D), or once where there is none.

    Gives the new ids of each row up to ``stop``, at most ``length``. temperature 0 takes the likeliest; else
    one is drawn among the ``top_k`` likeliest (0: all), and of these among the fewest that together have
    the probability ``top_p`` (Holtzman 2020). never (m,): ids that are not written.
    """
    rows = 1 if memory is None else memory.shape[0]
    chance = torch.Generator().manual_seed(seed)
    past: Any = None
    scores = torch.zeros(0)
    for token in begin.tolist():
        scores, past = _step(model, torch.full((rows, 1), token), past, memory)
    written: list[list[int]] = [[] for _ in range(rows)]
    open_rows = torch.ones(rows, dtype=torch.bool)
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


def _step(model: Model, tokens: Tensor, past: Any, memory: Tensor | None) -> tuple[Tensor, Any]:
    """Tokens (B,1) -> scores (B,V) of the next one."""
    assert model.decoder is not None
    first, second = (None, None) if past is None else past
    x = model.embedding(tokens)
    if model.architecture.causal:
        x, first = model.encoder.step(x, first)
    x, second = model.decoder.step(x, second, memory)
    return model.scores(x[:, 0]).float(), (first, second)


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

"""How likely a network finds texts: token by token, or with each token hidden in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from autolect.nn.model import Model

TOKENS = 4096
"""Tokens whose scores over the vocabulary are in memory at once."""

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a document: ids (n,); those from ``first`` on are scored, each given those before it."""

    ids: Ids
    first: int


def windows(ids: NDArray[np.integer], *, begin: int, stop: int, length: int) -> list[Window]:
    """Cut [begin] ids [stop] so that each id but begin is scored once, with half a window before it or more.

    length: tokens of a window at most. Every window starts with ``begin``, as texts in training do.
    """
    body = np.concatenate([ids, [stop]]).astype(np.int64)
    room = length - 1
    step = max(1, room // 2)
    found, scored = [], 0
    while scored < len(body):
        end = min(len(body), room if not scored else scored + step)
        start = max(0, end - room)
        found.append(Window(np.concatenate([[begin], body[start:end]]), 1 + scored - start))
        scored = end
    return found


@torch.inference_mode()
def log_likelihoods(model: Model, pieces: Sequence[Window], *, pad: int) -> NDArray[np.float64]:
    """(N,) natural logarithms: the scored tokens of each window, each given those before it."""
    found = np.zeros(len(pieces))
    for places in _batches([len(piece.ids) for piece in pieces]):
        length = max(len(pieces[place].ids) for place in places)
        ids = np.full((len(places), length), pad, dtype=np.int64)
        scored = np.zeros((len(places), length), dtype=bool)
        for row, place in enumerate(places):
            piece = pieces[place]
            ids[row, : len(piece.ids)] = piece.ids
            scored[row, piece.first : len(piece.ids)] = True
        tokens = torch.from_numpy(ids).to(model.place)
        keep = tokens[:, :-1] != pad
        states = model.continue_(tokens[:, :-1], keep)
        wanted = torch.from_numpy(scored[:, 1:]).to(model.place)
        losses = torch.zeros(wanted.shape, dtype=torch.float64, device=model.place)
        losses[wanted] = F.cross_entropy(
            model.scores(states[wanted]).float(), tokens[:, 1:][wanted], reduction="none"
        ).double()
        found[places] = -losses.sum(dim=1).cpu().numpy()
    return found


@torch.inference_mode()
def pseudo_log_likelihood(model: Model, ids: Ids, *, mask: int) -> float:
    """Sum of the logarithms of each inner token, hidden alone (Salazar 2020, arXiv:1910.14659).

    ids: [begin] tokens [stop]; the first and the last one are never hidden.
    """
    inner = len(ids) - 2
    total = 0.0
    rows = max(1, TOKENS // len(ids))
    for start in range(0, inner, rows):
        places = torch.arange(1 + start, 1 + min(inner, start + rows), device=model.place)
        tokens = torch.from_numpy(ids).to(model.place).repeat(len(places), 1)
        at = torch.arange(len(places), device=model.place)
        wanted = tokens[at, places]
        tokens[at, places] = mask
        states = model.guesses(tokens, torch.ones_like(tokens, dtype=torch.bool))[at, places]
        total -= float(F.cross_entropy(model.scores(states).float(), wanted, reduction="sum"))
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """Hidden tokens that were guessed: how many, how many rightly, and the sum of their losses."""

    count: int
    right: int
    loss: float


@torch.inference_mode()
def guess_hidden(model: Model, ids: Ids, hidden: NDArray[np.bool_], *, pad: int, mask: int) -> Guessed:
    """Ids (B,T), hidden (B,T) -> how well the network guesses what is hidden."""
    tokens, places = (torch.from_numpy(array).to(model.place) for array in (ids, hidden))
    states = model.guesses(tokens.masked_fill(places, mask), tokens != pad)[places]
    scores, wanted = model.scores(states).float(), tokens[places]
    loss = float(F.cross_entropy(scores, wanted, reduction="sum"))
    return Guessed(count=len(wanted), right=int((scores.argmax(dim=-1) == wanted).sum()), loss=loss)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places in the order of their lengths, as many at a time as `TOKENS` allows."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda at: lengths[at]):
        if batch and (len(batch) + 1) * lengths[place] > TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch

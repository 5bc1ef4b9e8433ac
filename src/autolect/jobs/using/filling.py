"""A text with gaps -> the candidates for each of them."""

from __future__ import annotations

import functools
import re

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core.errors import UserError
from autolect.core.results import Candidate, Gap
from autolect.nn.model import Model
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import MASK, NUM_SPECIAL

GAP = "[MASK]"
_BYTE = re.compile("<0x[0-9A-F]{2}>")


class Filler:
    """Guesses what stands at each [MASK] of a text. room: tokens that the network reads at most."""

    def __init__(self, model: Model, reader: Reader, *, room: int) -> None:
        self._model, self._reader, self._room = model, reader, room

    @torch.inference_mode()
    def fill(self, text: str, *, count: int) -> tuple[Gap, ...]:
        """The gaps of a text in order, each with its ``count`` best candidates; UserError without any."""
        if GAP not in text:
            raise UserError(f"there is no {GAP} to fill", where=repr(text[:40]), fix=f"write {GAP} in it")
        ids = self._with_gaps(text)[: self._room]
        tokens = torch.from_numpy(padded([ids], len(ids) + 2)).to(self._model.place)
        states = self._model.guesses(tokens, torch.ones_like(tokens, dtype=torch.bool))[0]
        scores = self._model.scores(states[tokens[0] == MASK]).float()
        scores[:, self._unseen] = -torch.inf
        best = scores.softmax(dim=-1).topk(min(count, scores.shape[1] - len(self._unseen)))
        gaps, start = [], 0
        for values, places in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            start = text.index(GAP, start)
            words = [self._reader.tokenizer.decode([place]).strip() or "␣" for place in places]
            candidates = tuple(
                Candidate(token=word, probability=value) for word, value in zip(words, values, strict=True)
            )
            gaps.append(Gap(start=start, end=start + len(GAP), candidates=candidates))
            start += len(GAP)
        return tuple(gaps)

    @functools.cached_property
    def _unseen(self) -> torch.Tensor:
        """Ids that stand for no text of their own: specials, and single bytes of rare characters."""
        tokens = enumerate(self._reader.tokenizer.tokens)
        return torch.tensor([n for n, token in tokens if n < NUM_SPECIAL or _BYTE.fullmatch(token)])

    def _with_gaps(self, text: str) -> NDArray[np.int32]:
        """Ids of a text, its gaps as the mask token; the text between gaps is cleaned as any other."""
        parts = []
        for part in text.split(GAP):
            clean = self._reader.cleaner.clean(part).text
            parts.append(" " * part[:1].isspace() + clean + " " * (part.rstrip() != part and bool(clean)))
        return self._reader.tokenizer.encode(GAP.join(parts), masks=True).ids

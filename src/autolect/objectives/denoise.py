"""Denoising: a text that was damaged is written again as it was (BART: Lewis 2020).

in   [BOS] sat on [MASK] . [EOS]              to the encoder: spans gone, sentences in another order
in   [BOS] the cat sat on the mat .           to the decoder, which attends to the encoder's states
out   the  cat sat on the mat . [EOS]         from the decoder, at every token
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from autolect.core.config import Section
from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Texts, choose, infill, permute, rotate, spans
from autolect.text.tokenizer import PAD


class DenoiseConfig(Section):
    """How a text is damaged."""

    marked: ClassVar[bool] = True

    kind: Literal["denoise"] = "denoise"
    share: float = Field(default=0.3, gt=0, lt=1)
    """Share of the tokens that stand in spans; each span becomes one [MASK]."""
    mean: float = Field(default=3.0, ge=1)
    """Words of a span: max(1, Poisson(mean))."""
    delete: float = Field(default=0.0, ge=0, lt=1)
    """Share of the words that are left out without a trace."""
    permute: bool = True
    """Put the sentences of a text in another order."""
    rotate: bool = False
    """Begin a text at another of its tokens."""


class Denoise:
    """arXiv:1910.13461. The decoder attends to all states of the encoder; no latent is written from."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"decoder", "states"})

    def __init__(self, config: DenoiseConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator, *, done: float = 1.0) -> Tensors:
        """Texts (B,T) -> tokens, keep (B,T) and inputs, inputs_keep, following (B,T-1)."""
        del done
        config, damaged = self.config, texts
        if config.permute:
            damaged = permute(damaged, draw)
        if config.rotate:
            damaged = rotate(damaged, draw)
        units = spans(damaged, draw, mean=config.mean)
        chosen = choose(damaged, config.share, draw, units=units)
        gone = choose(damaged, config.delete, draw, units=damaged.words()) & ~chosen
        tokens = infill(damaged.ids, chosen, units, gone)
        inputs, following = texts.ids[:, :-1], texts.ids[:, 1:]
        return tensors(
            tokens=tokens,
            keep=tokens != PAD,
            inputs=np.ascontiguousarray(inputs),
            inputs_keep=inputs != PAD,
            following=np.where(following == PAD, NO_TARGET, following),
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """Cross-entropy of every token of the text as it was."""
        states = model.encode(batch["tokens"], batch["keep"])
        decoded = model.decode(batch["inputs"], batch["inputs_keep"], states, batch["keep"])
        total, count = token_loss(model, decoded, batch["following"])
        return Loss(total, count)


PLUGIN, CONFIG = Denoise, DenoiseConfig

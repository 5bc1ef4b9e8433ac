"""Masked language modelling: hidden tokens are guessed from both sides (BERT: Devlin 2019).

in   [BOS] the [MASK] sat [EOS]       to the encoder
out      -     cat     -              from the encoder, at hidden tokens only
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, target_places, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Hiding, Texts
from autolect.text.tokenizer import PAD


class MaskedConfig(Hiding):
    """What is hidden."""

    kind: Literal["masked"] = "masked"


class Masked:
    """arXiv:1810.04805. Trains the encoder; there is no decoder."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"fill"})

    def __init__(self, config: MaskedConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator, *, done: float = 1.0) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T each)."""
        tokens, chosen = self.config.hide(texts, draw, done=done, vocab_size=self.vocab_size)
        return tensors(
            tokens=tokens,
            keep=texts.ids != PAD,
            targets=np.where(chosen, texts.ids, NO_TARGET),
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """Cross-entropy of the hidden tokens; the last states of the others are not computed."""
        at = target_places(batch["targets"])
        states = model.encode_at(batch["tokens"], batch["keep"], at)
        total, count = token_loss(model, states, batch["targets"].gather(1, at))
        return Loss(total, count)


PLUGIN, CONFIG = Masked, MaskedConfig

"""Causal language modelling: the next token from those before it (GPT-2: Radford 2019).

in   [BOS] the cat sat       to the encoder, left to right, and on through the decoder as one stack
out   the  cat sat [EOS]     at every token
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from autolect.core.config import Section
from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Texts
from autolect.text.tokenizer import PAD


class CausalConfig(Section):
    """Nothing is hidden, so there is nothing to set."""

    marked: ClassVar[bool] = False

    kind: Literal["causal"] = "causal"


class Causal:
    """Encoder and decoder are one left-to-right stack; there is no bottleneck."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"decoder", "causal"})

    def __init__(self, config: CausalConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator, *, done: float = 1.0) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T-1 each)."""
        del draw, done
        tokens, following = np.ascontiguousarray(texts.ids[:, :-1]), texts.ids[:, 1:]
        return tensors(
            tokens=tokens, keep=tokens != PAD, targets=np.where(following == PAD, NO_TARGET, following)
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """Cross-entropy of every next token."""
        states = model.continue_(batch["tokens"], batch["keep"])
        total, count = token_loss(model, states, batch["targets"])
        return Loss(total, count)


PLUGIN, CONFIG = Causal, CausalConfig

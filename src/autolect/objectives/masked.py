"""Masked language modelling: hidden tokens are guessed from both sides (BERT: Devlin 2019).

in   [BOS] the [MASK] sat [EOS]       to the encoder
out      -     cat     -              from the encoder, at hidden tokens only
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from autolect.core.config import Section
from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Texts, Unit, choose, groups, hide
from autolect.text.tokenizer import PAD


class MaskedConfig(Section):
    """What is hidden."""

    kind: Literal["masked"] = "masked"
    share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that are hidden; more than 15 % teaches sooner (Wettig 2023)."""
    unit: Unit = "token"
    """What is hidden whole: a token, a word of the language, or a span of about three words."""
    swap: bool = True
    """Of what is hidden 10 % becomes a random token and 10 % stays (Devlin 2019); else all is [MASK]."""


class Masked:
    """arXiv:1810.04805. Trains the encoder; there is no decoder."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"fill"})

    def __init__(self, config: MaskedConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T each)."""
        ids, config = texts.ids, self.config
        chosen = choose(texts, config.share, draw, units=groups(texts, draw, unit=config.unit))
        return tensors(
            tokens=hide(ids, chosen, draw, vocab_size=self.vocab_size, swap=config.swap),
            keep=ids != PAD,
            targets=np.where(chosen, ids, NO_TARGET),
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """Cross-entropy of the hidden tokens."""
        total, count = token_loss(model, model.encode(batch["tokens"], batch["keep"]), batch["targets"])
        return Loss(total, count)


PLUGIN, CONFIG = Masked, MaskedConfig

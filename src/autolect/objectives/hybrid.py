"""One stack that reads both ways and writes from left to right (GPT-BERT: Charpentier & Samuel 2024).

in   [BOS] the [MASK] sat       most rows: the stack looks both ways
out    -    cat    -     -      a hidden token is guessed one place before it, where a next token would be
in   [BOS] the  cat  sat        the other rows: the stack looks back only
out   the   cat sat [EOS]       at every token
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from autolect.core.config import Section
from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Texts, Unit, choose, groups, hide
from autolect.text.tokenizer import PAD


class HybridConfig(Section):
    """What is hidden, and how often there is nothing to hide."""

    kind: Literal["hybrid"] = "hybrid"
    share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that are hidden in the rows that are read both ways."""
    unit: Unit = "token"
    """What is hidden whole: a token, a word of the language, or a span of about three words."""
    swap: bool = True
    """Of what is hidden 10 % becomes a random token and 10 % stays (Devlin 2019); else all is [MASK]."""
    causal: float = Field(default=0.25, gt=0, lt=1)
    """Share of the rows that are read from left to right."""


class Hybrid:
    """arXiv:2410.24159. The bundle fills, embeds and generates with one set of weights."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"decoder", "causal", "both", "fill"})

    def __init__(self, config: HybridConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T-1 each), ahead (B,): rows read from left to right."""
        ids, config = texts.ids, self.config
        ahead = draw.random(len(ids)) < config.causal
        chosen = choose(texts, config.share, draw, units=groups(texts, draw, unit=config.unit))
        tokens = hide(ids, chosen, draw, vocab_size=self.vocab_size, swap=config.swap)
        tokens = np.where(ahead[:, None], ids, tokens)[:, :-1]
        wanted = np.where(ahead[:, None], ids[:, 1:] != PAD, chosen[:, 1:])
        return tensors(
            tokens=np.ascontiguousarray(tokens),
            keep=ids[:, :-1] != PAD,
            targets=np.where(wanted, ids[:, 1:], NO_TARGET),
            ahead=ahead,
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """The two kinds of rows together, each counted by its own targets."""
        parts = {}
        for name, rows in (("masked", ~batch["ahead"]), ("causal", batch["ahead"])):
            tokens, keep, targets = (batch[key][rows] for key in ("tokens", "keep", "targets"))
            if len(tokens):
                states = model.continue_(tokens, keep, both=name == "masked")
                parts[name] = token_loss(model, states, targets)
        total = torch.stack([loss for loss, _ in parts.values()]).sum()
        return Loss(total, sum(count for _, count in parts.values()), parts=parts)


PLUGIN, CONFIG = Hybrid, HybridConfig

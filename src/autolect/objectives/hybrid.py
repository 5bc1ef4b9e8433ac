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

from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Hiding, Texts
from autolect.text.tokenizer import PAD


class HybridConfig(Hiding):
    """What is hidden in the rows that are read both ways, and how many are not."""

    kind: Literal["hybrid"] = "hybrid"
    causal: float = Field(default=0.25, gt=0, lt=1)
    """Share of the rows that are read from left to right."""


class Hybrid:
    """arXiv:2410.24159. The bundle fills, embeds and generates with one set of weights."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"decoder", "causal", "both", "fill"})

    def __init__(self, config: HybridConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator, *, done: float = 1.0) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T-1 each), ahead (B,): rows read from left to right."""
        ids, config = texts.ids, self.config
        ahead = draw.random(len(ids)) < config.causal
        tokens, chosen = config.hide(texts, draw, done=done, vocab_size=self.vocab_size)
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

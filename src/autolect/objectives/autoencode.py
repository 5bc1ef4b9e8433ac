"""Text autoencoding: hidden tokens from the encoder, the whole text through the latent.

in   [BOS] the [MASK] sat [EOS]          to the encoder; the mean of its states is the latent
in   [BOS] the [MASK] sat    + latent    to the decoder, many of its inputs hidden
out   the   cat  sat  [EOS]              from the decoder, at every token
out    -    cat   -                      from the encoder, at hidden tokens
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from autolect.core.goal import Loss, Tensors
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Model
from autolect.text.noise import Hiding, Texts, choose
from autolect.text.tokenizer import MASK, PAD


class AutoencodeConfig(Hiding):
    """What is hidden from the encoder, and from the decoder."""

    kind: Literal["autoencode"] = "autoencode"
    decoder_share: float = Field(default=0.5, ge=0, lt=1)
    """Share of its inputs that the decoder does not see, so that it must ask the latent."""


class Autoencode:
    """TSDAE (Wang 2021, arXiv:2104.06979) with the encoder loss of RetroMAE (Xiao 2022, arXiv:2205.12035)."""

    PARTS: ClassVar[frozenset[str]] = frozenset({"decoder", "bottleneck", "fill"})

    def __init__(self, config: AutoencodeConfig, *, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size

    def corrupt(self, texts: Texts, draw: np.random.Generator, *, done: float = 1.0) -> Tensors:
        """Texts (B,T) -> tokens, keep, targets (B,T) and inputs, inputs_keep, following (B,T-1)."""
        ids = texts.ids
        tokens, chosen = self.config.hide(texts, draw, done=done, vocab_size=self.vocab_size)
        inputs, following = ids[:, :-1], ids[:, 1:]
        unseen = choose(texts, self.config.decoder_share, draw)[:, :-1]
        return tensors(
            tokens=tokens,
            keep=ids != PAD,
            targets=np.where(chosen, ids, NO_TARGET),
            inputs=np.where(unseen, MASK, inputs),
            inputs_keep=inputs != PAD,
            following=np.where(following == PAD, NO_TARGET, following),
        )

    def loss(self, model: Model, batch: Tensors) -> Loss:
        """The two sums together, each counted by its own targets."""
        states = model.encode(batch["tokens"], batch["keep"])
        hidden, num_hidden = token_loss(model, states, batch["targets"])
        coded = model.coded(states, batch["keep"])
        decoded = model.decode(batch["inputs"], batch["inputs_keep"], model.memory(coded.latent))
        whole, num_whole = token_loss(model, decoded, batch["following"])
        total, parts = hidden + whole, {"masked": (hidden, num_hidden), "reconstruction": (whole, num_whole)}
        bottleneck = model.architecture.bottleneck
        if bottleneck is not None and bottleneck.code == "variational":
            parts["latent_nats"] = (coded.nats.sum(), len(coded.nats))
            total = total + bottleneck.price * coded.nats.sum()
        return Loss(total, num_hidden + num_whole, parts=parts)


PLUGIN, CONFIG = Autoencode, AutoencodeConfig

"""Composes the network of a bundle: embedding, encoder, bottleneck, decoder and tied output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autolect.core import registry
from autolect.core.config import Section
from autolect.core.recipe import BottleneckConfig, Recipe
from autolect.nn.bottleneck import Bottleneck, mean_of
from autolect.nn.norm import make_norm

EMBEDDING_STD = 0.05
"""Spread of the embedding rows, random or from vectors; wider than the usual 0.02, not compared yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of the network; a bundle carries it as plain values."""

    vocab_size: int
    encoder: Section
    decoder: Section | None
    bottleneck: BottleneckConfig | None
    causal: bool
    """The encoder runs left to right and the decoder continues it: one stack, as GPT-2."""

    @property
    def width(self) -> int:
        """D."""
        width: int = getattr(self.encoder, "width")  # noqa: B009 - every encoder's CONFIG has it
        return width

    def plain(self) -> dict[str, Any]:
        """As JSON values, for bundle.json."""
        return {
            "vocab_size": self.vocab_size,
            "encoder": self.encoder.model_dump(mode="json"),
            "decoder": self.decoder.model_dump(mode="json") if self.decoder else None,
            "bottleneck": self.bottleneck.model_dump(mode="json") if self.bottleneck else None,
            "causal": self.causal,
        }


def architecture_from(plain: dict[str, Any]) -> Architecture:
    """The reverse of `Architecture.plain`."""

    def section(group: str, values: dict[str, Any] | None) -> Section | None:
        if values is None:
            return None
        return registry.load(group, values["kind"]).config.model_validate(values)

    encoder = section("encoders", plain["encoder"])
    assert encoder is not None
    bottleneck = plain["bottleneck"]
    return Architecture(
        vocab_size=plain["vocab_size"],
        encoder=encoder,
        decoder=section("decoders", plain["decoder"]),
        bottleneck=None if bottleneck is None else BottleneckConfig.model_validate(bottleneck),
        causal=plain["causal"],
    )


def architecture_for(recipe: Recipe, *, vocab_size: int) -> Architecture:
    """What a recipe asks for; its objective decides which parts are built."""
    parts = registry.load("objectives", recipe.objective.kind).build.PARTS  # type: ignore[attr-defined]
    return Architecture(
        vocab_size=vocab_size,
        encoder=recipe.encoder,
        decoder=recipe.decoder if "decoder" in parts else None,
        bottleneck=recipe.bottleneck if "bottleneck" in parts else None,
        causal="causal" in parts,
    )


class Model(nn.Module):
    """Tokens in, token states, latents and token scores out.

    Shapes: tokens (B,T) int64, keep (B,T) bool, states (B,T,D), latent (B,K), scores (...,V).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        width, decoder = architecture.width, architecture.decoder
        encoder = architecture.encoder
        self.embedding = nn.Embedding(architecture.vocab_size, width)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        kind: str = encoder.kind  # type: ignore[attr-defined]
        self.encoder = registry.load("encoders", kind).build(encoder, causal=architecture.causal)
        bottleneck = architecture.bottleneck
        self.bottleneck = None if bottleneck is None else Bottleneck(bottleneck, width=width)
        self.decoder = None
        if decoder is not None:
            build = registry.load("decoders", decoder.kind).build  # type: ignore[attr-defined]
            self.decoder = build(decoder, width=width, memory=bottleneck is not None)
        self.guess_norm = make_norm("rms", width)
        self.guess = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.guess.weight)
        self.output_bias = nn.Parameter(torch.zeros(architecture.vocab_size))

    def encode(self, tokens: Tensor, keep: Tensor) -> Tensor:
        """tokens, keep -> states of the encoder."""
        states: Tensor = self.encoder(self.embedding(tokens), keep)
        return states

    def latent(self, states: Tensor, keep: Tensor) -> Tensor:
        """States -> latent; the mean of the states where the network has no bottleneck."""
        if self.bottleneck is None:
            return mean_of(states, keep)
        latent: Tensor = self.bottleneck(states, keep)
        return latent

    def scores(self, states: Tensor) -> Tensor:
        """States (...,D) -> one score a token of the vocabulary (...,V), by the embedding's rows."""
        rows = self.embedding.weight
        return nn.functional.linear(self.guess(self.guess_norm(states)), rows, self.output_bias)

    def decode(self, tokens: Tensor, keep: Tensor, latent: Tensor) -> Tensor:
        """Decoder inputs (B,T) and latent (B,K) -> states that predict the token after each."""
        assert self.decoder is not None
        assert self.bottleneck is not None
        states: Tensor = self.decoder(self.embedding(tokens), keep, self.bottleneck.memory(latent))
        return states

    def continue_(self, tokens: Tensor, keep: Tensor) -> Tensor:
        """A left-to-right network's states that predict the token after each."""
        states: Tensor = self.encode(tokens, keep)
        return states if self.decoder is None else self.decoder(states, keep)

    def num_parameters(self) -> int:
        """All weights, the tied rows counted once."""
        return sum(value.numel() for value in self.parameters())


def start_from_vectors(model: Model, matrix: NDArray[np.float32]) -> None:
    """Put vectors (V,D), one row a token id, into the embedding that encoder, decoder and output share.

    Rows are rescaled to the initialiser's spread; unscaled rows are known to hurt (arXiv:2407.12514).
    Rows of zeros (tokens without a vector) keep their random start.
    """
    rows = model.embedding.weight
    assert matrix.shape == tuple(rows.shape), "vectors were learned over the same vocabulary"
    known = np.abs(matrix).sum(axis=1) > 0
    chosen = matrix[known]
    chosen = chosen * (EMBEDDING_STD / max(float(chosen.std()), 1e-12)) if len(chosen) else chosen
    with torch.no_grad():
        places = torch.from_numpy(np.flatnonzero(known))
        rows[places] = torch.from_numpy(np.ascontiguousarray(chosen)).to(rows)

"""Composes the network of a bundle: embedding, encoder, bottleneck, decoder and tied output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autolect.core import registry
from autolect.core.config import Section
from autolect.core.errors import UserError
from autolect.core.recipe import BottleneckConfig, Recipe
from autolect.nn.attention import taken
from autolect.nn.bottleneck import Bottleneck, Coded, mean_of
from autolect.nn.norm import make_norm

EMBEDDING_STD = 0.05
"""Spread of the embedding rows, random or from vectors; wider than the usual 0.02, not compared yet."""

Head = Literal["modern", "bert", "plain"]
"""modern: RMSNorm and a matrix. bert: a matrix, GELU and LayerNorm (Devlin 2019).
plain: nothing (Radford 2019, Lewis 2020)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of the network; a bundle carries it as plain values."""

    vocab_size: int
    encoder: Section
    decoder: Section | None
    bottleneck: BottleneckConfig | None
    causal: bool
    """The encoder runs left to right and the decoder continues it: one stack, as GPT-2."""
    both: bool = False
    """That one stack can also read both ways (GPT-BERT)."""
    states: bool = False
    """The decoder attends to all states of the encoder, not to a latent (BART)."""
    fill: bool = True
    """It was taught to guess hidden tokens."""
    styles: tuple[str, ...] = ()
    """What may stand in the place of [BOS] to say what kind of text follows: style i is id V + i."""
    output: Head = "modern"
    """What stands between states and scores."""

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
            "both": self.both,
            "states": self.states,
            "fill": self.fill,
            "styles": list(self.styles),
            "output": self.output,
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
        # Bundles of before there was a choice do not name these.
        both=plain.get("both", False),
        states=plain.get("states", False),
        fill=plain.get("fill", not plain["causal"]),
        styles=tuple(plain.get("styles", ())),
        output=plain.get("output", "modern"),
    )


def architecture_for(recipe: Recipe, *, vocab_size: int, styles: tuple[str, ...] = ()) -> Architecture:
    """What a recipe asks for; its objective decides which parts are built. UserError where they cannot be."""
    objective: str = recipe.objective.kind  # type: ignore[attr-defined]
    parts = registry.load("objectives", objective).build.PARTS
    decoder = recipe.decoder if "decoder" in parts else None
    if "both" in parts:
        _refuse_one_way(recipe, objective)
    if decoder is None and "decoder" in parts and "causal" not in parts:
        raise UserError(
            f"{objective} writes the text again with a decoder",
            where="decoder.kind",
            fix="name one (transformer, lstm, gru), or set objective.kind = 'masked' or 'causal'",
        )
    bottleneck = recipe.bottleneck if "bottleneck" in parts else None
    found = Architecture(
        vocab_size=vocab_size,
        encoder=recipe.encoder,
        decoder=decoder,
        bottleneck=bottleneck,
        causal="causal" in parts,
        both="both" in parts,
        states="states" in parts,
        fill="fill" in parts,
        styles=styles,
        output=_output(recipe.encoder, classic="bert" if "fill" in parts else "plain"),
    )
    if bottleneck is not None and bottleneck.size is not None and bottleneck.size > found.width:
        raise UserError(
            f"{bottleneck.size} is wider than the states it is made of ({found.width})",
            where="bottleneck.size",
            fix=f"set it to {found.width} or less, or widen the encoder",
        )
    return found


def _output(encoder: Section, *, classic: Head) -> Head:
    """BERT's head for hidden tokens, nothing for the writing of GPT-2 and BART, else the modern one."""
    return classic if getattr(encoder, "shape", "modern") != "modern" else "modern"


def _refuse_one_way(recipe: Recipe, objective: str) -> None:
    """A stack that goes both ways and one way with the same weights must be able to look back only."""
    for group, section in (("encoders", recipe.encoder), ("decoders", recipe.decoder)):
        if section is None:
            continue
        kind: str = section.kind  # type: ignore[attr-defined]
        if not getattr(registry.load(group, kind).build, "BOTH", False):
            name = group.removesuffix("s")
            raise UserError(
                f"{kind} reads one way or both ways, and {objective} needs both with the same weights",
                where=f"{name}.kind",
                fix=f"set {name}.kind = 'transformer', or another objective",
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
        self.embedding = nn.Embedding(architecture.vocab_size + len(architecture.styles), width)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        kind: str = encoder.kind  # type: ignore[attr-defined]
        self.encoder = registry.load("encoders", kind).build(encoder, causal=architecture.causal)
        bottleneck = architecture.bottleneck
        self.bottleneck = None if bottleneck is None else Bottleneck(bottleneck, width=width)
        self.decoder = None
        if decoder is not None:
            build = registry.load("decoders", decoder.kind).build  # type: ignore[attr-defined]
            memory = bottleneck is not None or architecture.states
            self.decoder = build(decoder, width=width, memory=memory)
        output = architecture.output
        self.guess_norm = make_norm("rms", width) if output == "modern" else None
        self.guess = None if output == "plain" else nn.Linear(width, width, bias=output == "bert")
        self.guess_leave = make_norm("layer", width) if output == "bert" else None
        if self.guess is not None:
            nn.init.eye_(self.guess.weight)
        if self.guess is not None and output == "bert":
            nn.init.zeros_(self.guess.bias)
        self.output_bias = nn.Parameter(torch.zeros(architecture.vocab_size))

    @property
    def place(self) -> torch.device:
        """Where its weights are, and its inputs have to be."""
        return self.output_bias.device

    def encode(self, tokens: Tensor, keep: Tensor) -> Tensor:
        """tokens, keep -> states of the encoder, which looks both ways if it can."""
        ways = {"both": True} if self.architecture.both else {}
        states: Tensor = self.encoder(self.embedding(tokens), keep, **ways)
        return states

    def encode_at(self, tokens: Tensor, keep: Tensor, at: Tensor) -> Tensor:
        """What `encode` gives at places (B,Q) alone (B,Q,D), for less where the encoder can."""
        if self.architecture.causal or not getattr(self.encoder, "AT", False):
            return taken(self.encode(tokens, keep), at)
        states: Tensor = self.encoder(self.embedding(tokens), keep, at=at)
        return states

    def guesses(self, tokens: Tensor, keep: Tensor) -> Tensor:
        """States whose scores are those of the token at each place, hidden or not."""
        if not self.architecture.both:
            return self.encode(tokens, keep)
        # A stack that also writes guesses a token one place before it; nothing stands before the first.
        states = self.continue_(tokens, keep, both=True)
        return torch.cat([states[:, :1], states[:, :-1]], dim=1)

    def latent(self, states: Tensor, keep: Tensor) -> Tensor:
        """States -> latent; the mean of the states where the network has no bottleneck."""
        if self.bottleneck is None:
            return mean_of(states, keep)
        latent: Tensor = self.bottleneck(states, keep)
        return latent

    def coded(self, states: Tensor, keep: Tensor) -> Coded:
        """States -> latent with its noise, if it has any, and what it costs."""
        assert self.bottleneck is not None
        return self.bottleneck.coded(states, keep)

    def scores(self, states: Tensor) -> Tensor:
        """States (...,D) -> one score a token of the vocabulary (...,V), by the embedding's rows."""
        return nn.functional.linear(self.features(states), self.rows(), self.output_bias)

    def features(self, states: Tensor) -> Tensor:
        """States (...,D) -> what is multiplied with the rows to score tokens (...,D)."""
        if self.guess_norm is not None:
            states = self.guess_norm(states)
        if self.guess is not None:
            states = self.guess(states)
        if self.guess_leave is not None:
            states = self.guess_leave(nn.functional.gelu(states))
        return states

    def rows(self) -> Tensor:
        """The embedding's rows that are tokens (V,D); styles are never written."""
        whole = self.embedding.weight
        return whole[: self.architecture.vocab_size] if self.architecture.styles else whole

    def memory(self, latent: Tensor) -> Tensor:
        """Latent (B,K) -> what the decoder attends to (B,1,D)."""
        assert self.bottleneck is not None
        return self.bottleneck.memory(latent)

    def decode(
        self, tokens: Tensor, keep: Tensor, memory: Tensor, memory_keep: Tensor | None = None
    ) -> Tensor:
        """Decoder inputs (B,T), memory (B,S,D), memory_keep (B,S) -> states that predict the next token."""
        assert self.decoder is not None
        states: Tensor = self.decoder(self.embedding(tokens), keep, memory, memory_keep)
        return states

    def continue_(self, tokens: Tensor, keep: Tensor, *, both: bool = False) -> Tensor:
        """A left-to-right network's states that predict the next token; ``both``: it looks both ways."""
        ways = {"both": True} if both else {}
        states: Tensor = self.encoder(self.embedding(tokens), keep, **ways)
        return states if self.decoder is None else self.decoder(states, keep, **ways)

    def num_parameters(self) -> int:
        """All weights, the tied rows counted once."""
        return sum(value.numel() for value in self.parameters())


def start_from_counts(model: Model, counts: NDArray[np.int64]) -> None:
    """Put the logarithm of each token's share (V,) into the output's bias: nothing need learn it then."""
    shares = (counts + 1) / (counts.sum() + len(counts))
    with torch.no_grad():
        model.output_bias.copy_(torch.from_numpy(np.log(shares)))


def start_from_vectors(model: Model, matrix: NDArray[np.float32]) -> None:
    """Put vectors (V,D), one row a token id, into the embedding that encoder, decoder and output share.

    Rows are rescaled to the initialiser's spread; unscaled rows are known to hurt (arXiv:2407.12514).
    Rows of zeros (tokens without a vector) keep their random start.
    """
    rows = model.rows()
    assert matrix.shape == tuple(rows.shape), "vectors were learned over the same vocabulary"
    known = np.abs(matrix).sum(axis=1) > 0
    chosen = matrix[known]
    chosen = chosen * (EMBEDDING_STD / max(float(chosen.std()), 1e-12)) if len(chosen) else chosen
    with torch.no_grad():
        places = torch.from_numpy(np.flatnonzero(known))
        rows[places] = torch.from_numpy(np.ascontiguousarray(chosen)).to(rows)

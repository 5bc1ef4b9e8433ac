"""What the server asks of a model, and what a client may ask of the server.

The server never imports a model: anything with these members can be served. Requests are strict:
an unknown field, a number in place of a text, or NaN is refused, and nothing in them is a path, a
URL, a pattern or code.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python

from autolect.core.results import Gap, Label, Labels, Prediction, Rating, Span

Vectors = npt.NDArray[np.float32]

Answer = Vectors | tuple[Gap, ...] | str | Label | Labels | Rating | tuple[Span, ...]
"""What a model answers for one text; an array is one vector (D,)."""


class Servable(Protocol):
    """A model behind the server. All but `count_tokens` run in one thread, one call at a time."""

    @property
    def name(self) -> str:
        """The id that clients see."""

    @property
    def abilities(self) -> frozenset[str]:
        """Some of embed, fill, reconstruct, generate, classify, tag, pair,
        translate.
        """

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the task; empty without one."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Kinds of text that `generate` can be asked for; empty without."""

    @property
    def max_tokens(self) -> int:
        """The longest text, in tokens, that is not cut."""

    def card(self) -> Mapping[str, object]:
        """Facts for a reader: JSON values; ``language`` is an ISO 639-1 code when present."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text. Called from a second thread while another method may be running."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors (N, D) that are near for texts that are alike."""

    def fill(self, texts: Sequence[str], *, count: int = 5) -> list[tuple[Gap, ...]]:
        """The gaps of each text, with ``count`` candidates each."""

    def reconstruct(self, texts: Sequence[str]) -> list[str]:
        """Each text as the decoder rebuilds it."""

    def generate(
        self,
        texts: Sequence[str],
        *,
        length: int,
        temperature: float,
        top_k: int,
        top_p: float,
        beams: int,
        style: str | None,
        seed: int,
    ) -> list[str]:
        """Each text carried on by up to ``length`` tokens."""

    def predict(self, texts: Sequence[str]) -> Sequence[Prediction]:
        """For each text a Label or Labels (classify) or its Spans (tag); for two texts, parted by a tab, a
        Label or a Rating (pair); a text (translate).
        """


Ability = Literal["embed", "fill", "reconstruct", "generate", "classify", "tag", "pair", "translate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One way of using a model. Texts of equal calls may share a batch."""

    ability: Ability
    count: int = 0
    length: int = 0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    beams: int = 1
    style: str | None = None
    seed: int = 0

    @property
    def shared(self) -> bool:
        """Whether requests may be mixed: random draws depend on the whole batch, so not to generate."""
        return self.ability != "generate"


def answer(model: Servable, call: Call, texts: Sequence[str]) -> list[Answer]:
    """Run one batch through the model; as many answers as texts, in their order."""
    answers: Sequence[Answer]
    match call.ability:
        case "embed":
            answers = list(model.embed(texts))
        case "fill":
            answers = model.fill(texts, count=call.count)
        case "reconstruct":
            answers = model.reconstruct(texts)
        case "generate":
            answers = model.generate(
                texts,
                length=call.length,
                temperature=call.temperature,
                top_k=call.top_k,
                top_p=call.top_p,
                beams=call.beams,
                style=call.style,
                seed=call.seed,
            )
        case "classify" | "tag" | "pair" | "translate":
            answers = model.predict(texts)
    assert len(answers) == len(texts), f"{call.ability}: {len(answers)} answers to {len(texts)} texts"
    return list(answers)


class _Request(BaseModel):
    """Strict: no conversion of types, no unknown field, no NaN."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class TextsRequest(_Request):
    """Texts for reconstruct, classify and tag."""

    texts: list[str] = Field(min_length=1)
    """One answer is given for each, in this order."""


class PairsRequest(_Request):
    """Pairs of texts."""

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(min_length=1)
    """One answer is given for each, in this order."""

    @property
    def texts(self) -> list[str]:
        """The two texts of each pair, parted by a tab."""
        return ["\t".join(text.replace("\t", " ") for text in pair) for pair in self.pairs]


class FillRequest(TextsRequest):
    """Texts with ``[MASK]`` where something is missing."""

    count: int = Field(default=5, ge=1, le=100)
    """Candidates a gap."""


class GenerateRequest(TextsRequest):
    """Texts to carry on. The same request gives the same answer."""

    length: int = Field(default=32, ge=1, le=1024)
    """Tokens to add at most."""
    temperature: float = Field(default=0.8, ge=0, le=5)
    """0 always takes the likeliest token; higher is more varied."""
    top_k: int = Field(default=0, ge=0, le=100_000)
    """Draw among so many likeliest tokens; 0 among all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw among the likeliest tokens that have this probability together."""
    beams: int = Field(default=1, ge=1, le=16)
    """Above 1: the likeliest text among so many beginnings; nothing is drawn."""
    style: str | None = None
    """What kind of text it shall be, one of the model's styles."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Every random choice follows from it."""


class EmbeddingsRequest(_Request):
    """The shape of OpenAI's embeddings endpoint."""

    input: str | list[str] = Field(min_length=1)
    """One text or several."""
    model: str | None = None
    """The model's id; may be left out, since a server holds one model."""
    encoding_format: Literal["float", "base64"] = "float"
    """base64: little-endian float32, three to four times smaller."""
    user: str | None = None
    """Accepted for OpenAI clients and not used."""

    @property
    def texts(self) -> list[str]:
        """The input as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


def as_results(answers: Sequence[Answer]) -> dict[str, object]:
    """The body of a task route's answer."""
    return {"results": [to_jsonable_python(_plain(one)) for one in answers]}


def as_embeddings(
    answers: Sequence[Answer], *, name: str, encoding: Literal["float", "base64"], tokens: int
) -> dict[str, object]:
    """The body of /v1/embeddings in OpenAI's shape."""
    rows = [np.asarray(one, dtype="<f4") for one in answers]
    assert all(np.isfinite(row).all() for row in rows), "a vector is not finite"
    values = [
        row.tolist() if encoding == "float" else base64.b64encode(row.tobytes()).decode("ascii")
        for row in rows
    ]
    return {
        "object": "list",
        "model": name,
        "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(values)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def as_models(model: Servable) -> dict[str, object]:
    """The body of /v1/models: OpenAI's list, with what the page and a curious client need."""
    entry = {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "autolect",
        "abilities": sorted(model.abilities),
        "labels": list(model.labels),
        "styles": list(model.styles),
        "max_tokens": model.max_tokens,
        "card": dict(model.card()),
    }
    return {"object": "list", "data": [entry]}


def _plain(one: Answer) -> object:
    if isinstance(one, Label):
        return {
            "label": one.label,
            "probability": one.probability,
            "probabilities": dict(one.probabilities),
        }
    if isinstance(one, Rating):
        return {"value": one.value}
    if isinstance(one, Labels):
        return {"labels": list(one.labels), "probabilities": dict(one.probabilities)}
    return one

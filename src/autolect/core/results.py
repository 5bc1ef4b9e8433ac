"""What a model answers with: small records that the API, the CLI, the server and the report share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One token that could stand in a gap, with its probability."""

    token: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One ``[MASK]`` of a text, start and end in code points, and its candidates, best first."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The label of a text and the probability of every label."""

    label: str
    probability: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels that a text has, likeliest first, and the probability of every label."""

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A number that stands for how much, on the scale of the examples it was learned from."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the right text came among all that could be found, counted from 1, and which text came first."""

    rank: int
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One labelled piece of a text: text[start:end] in code points."""

    start: int
    end: int
    label: str
    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A word near another one, with their cosine similarity."""

    word: str
    similarity: float


Prediction = Label | Labels | Rating | tuple[Span, ...] | str
"""What a task answers for one text: classify gives a Label, or Labels where a text may have several; tag
gives its spans; pair gives a Label or a Rating for two texts; translate gives a text."""

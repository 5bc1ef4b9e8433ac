"""A small model that answers by rule, so that what the server does to it can be seen."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient

from autolect.core.errors import UserError
from autolect.core.results import Candidate, Gap, Label, Labels, Prediction, Rating, Span
from autolect.serve.app import create_app
from autolect.serve.limits import ServeSettings

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
EVERYTHING = frozenset({"embed", "fill", "reconstruct", "generate", "classify"})
Connect = Callable[..., TestClient]


class PanicError(BaseException):
    """As a panic of native code arrives: not an Exception."""


@dataclass
class FakeModel:
    """Counts a token a character. `open` lets calls through; `calls` keeps what was asked."""

    abilities: frozenset[str] = EVERYTHING
    labels: tuple[str, ...] = ("good", "bad", HOSTILE)
    styles: tuple[str, ...] = ("poem", HOSTILE)
    name: str = "fake-zh"
    max_tokens: int = 100
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    busy: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def card(self) -> Mapping[str, object]:
        return {
            "language": "zh",
            "parameters": 5_242_880,
            "objective": "autoencode",
            "hostile": HOSTILE,
            "scores": {"accuracy": 0.9312, "perplexity": 18.25},
        }

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self._enter("embed", texts)
        rows = [np.random.default_rng(crc32(text.encode())).normal(size=4) for text in texts]
        return np.stack(rows).astype(np.float32)

    def fill(self, texts: Sequence[str], *, count: int = 5) -> list[tuple[Gap, ...]]:
        self._enter("fill", texts)
        tokens = ["天", HOSTILE, "人", "地", "水"][:count]
        candidates = tuple(
            Candidate(token=token, probability=0.5 / (rank + 1)) for rank, token in enumerate(tokens)
        )
        return [
            tuple(
                Gap(start=one.start(), end=one.end(), candidates=candidates)
                for one in re.finditer(r"\[MASK\]", text)
            )
            for text in texts
        ]

    def reconstruct(self, texts: Sequence[str]) -> list[str]:
        self._enter("reconstruct", texts)
        return [text.replace("a", "e") for text in texts]

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
        self._enter("generate", texts)
        if style is not None:
            return [f"{text}+{top_k}+{top_p}+{beams}+{style}" for text in texts]
        return [f"{text}+{length}+{temperature}+{seed}+{len(texts)}" for text in texts]

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self._enter("predict", texts)
        if "tag" in self.abilities:
            return [self._spans(text) for text in texts]
        if "pair" in self.abilities:
            return [Rating(value=float(len(text.split("\t")))) for text in texts]
        if "translate" in self.abilities:
            return [text.upper() for text in texts]
        if "several" in self.abilities:
            return [Labels(labels=("good",), probabilities={"good": 0.9, "bad": 0.2}) for _ in texts]
        shares = np.linspace(0.6, 0.1, len(self.labels))
        all_of = {label: float(share) for label, share in zip(self.labels, shares, strict=True)}
        best = self.labels[0]
        return [Label(label=best, probability=all_of[best], probabilities=all_of) for _ in texts]

    def _spans(self, text: str) -> tuple[Span, ...]:
        half = len(text) // 2
        pieces = [(0, half, self.labels[0]), (half, len(text), self.labels[-1])]
        return tuple(
            Span(start=start, end=end, label=label, text=text[start:end], probability=0.9)
            for start, end, label in pieces
            if start < end
        )

    def _enter(self, what: str, texts: Sequence[str]) -> None:
        self.calls.append((what, tuple(texts)))
        self.busy.set()
        assert self.open.wait(timeout=10)
        if any("BOOM" in text for text in texts):
            raise RuntimeError(f"broken by {texts}")
        if any("REFUSE" in text for text in texts):
            raise UserError(f"cannot take {texts}")
        if any("PANIC" in text for text in texts):
            raise PanicError("rust")


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def tagger() -> FakeModel:
    return FakeModel(abilities=frozenset({"embed", "tag"}))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(model, **settings) -> a client of a running application."""
    with ExitStack() as stack:

        def open_client(model: FakeModel, **settings: Any) -> TestClient:
            app = create_app(model, settings=ServeSettings(**settings))
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield open_client

"""A linear-chain conditional random field over hand-made features of each token and its neighbours.

The classic tagger before neural networks (Lafferty 2001; features in the manner of Ratnaparkhi 1996),
trained by crfsuite's L-BFGS with the elastic net.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.core.config import Section
from autolect.text import segment
from autolect.text.labelled import TokenExample

MAX_ITERATIONS = 100
"""Steps of L-BFGS on ordinary data."""
MIN_ITERATIONS = 30
"""Fewest steps, however large the data: with fewer it would be no fair opponent."""
_WORK = 1_000_000_000
"""Steps x tokens x tags that are worth their time: about two minutes on one core (0.12 µs each)."""
_AFFIX = 4
_REACH = 2


class CrfConfig(Section):
    """It has no settings."""

    kind: Literal["crf"] = "crf"


@dataclass(frozen=True, slots=True)
class Crf:
    """Fitted on train and valid together, because nothing is chosen on valid."""

    title: str = "feature CRF"
    serves: Literal["tag"] = "tag"

    def predict(
        self,
        train: Sequence[TokenExample],
        valid: Sequence[TokenExample],
        examples: Sequence[TokenExample],
        *,
        language: str,  # noqa: ARG002 (all baselines of a task share one signature)
        seed: int,  # noqa: ARG002 (L-BFGS draws nothing)
    ) -> list[tuple[str, ...]]:
        """One tag for each token; the same arguments give the same answer."""
        import pycrfsuite

        assert train
        known = [*train, *valid]
        features = _characters if _in_characters(known) else _words
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        for example in known:
            trainer.append(pycrfsuite.ItemSequence(features(example.words())), example.tags)
        trainer.set_params({"c1": 0.05, "c2": 0.05, "max_iterations": _iterations(known)})
        trainer.set("feature.possible_transitions", True)
        with tempfile.TemporaryDirectory(prefix="autolect-crf-") as folder:
            model = str(Path(folder) / "model.crfsuite")
            trainer.train(model)
            tagger = pycrfsuite.Tagger()
            tagger.open(model)
            return [tuple(tagger.tag(features(example.words()))) for example in examples]


def _iterations(examples: Sequence[TokenExample]) -> int:
    """Steps within the bound on work; counted, not timed, so that the result is always the same."""
    num_tokens = sum(len(example.tags) for example in examples)
    num_tags = len({tag for example in examples for tag in example.tags})
    affordable = _WORK // max(1, num_tokens * num_tags)
    return max(MIN_ITERATIONS, min(MAX_ITERATIONS, affordable))


def _in_characters(examples: Sequence[TokenExample]) -> bool:
    """Whether most tokens that have a CJK character are nothing but one: Chinese cut in characters."""
    single = longer = 0
    for example in examples:
        for start, end in example.tokens:
            if segment.is_cjk(example.text[start]):
                single += end - start == 1
                longer += end - start > 1
    # Words of Chinese text are single characters about half of the time.
    return single > 4 * longer and single * 2 > sum(len(example.tokens) for example in examples)


def _words(tokens: Sequence[str]) -> list[list[str]]:
    """Features of each token: form, affixes and shape of itself, forms and shapes around it, pairs."""
    own = [_form(token) for token in tokens]
    shapes = [_shape(token) for token in tokens]
    lower = [token.lower() for token in tokens]
    rows = []
    for at in range(len(tokens)):
        row = ["bias", *own[at]]
        for step in range(-_REACH, _REACH + 1):
            if step == 0:
                continue
            row.append(f"{step}w={_at(lower, at + step)}")
            row.append(f"{step}s={_at(shapes, at + step)}")
        for step in range(-_REACH, _REACH):
            row.append(f"{step}p={_at(lower, at + step)} {_at(lower, at + step + 1)}")
        rows.append(row)
    return rows


def _characters(tokens: Sequence[str]) -> list[list[str]]:
    """Features of each character: every run of 1-3 characters within two of it."""
    rows = []
    for at in range(len(tokens)):
        window = [_at(tokens, at + step) for step in range(-_REACH, _REACH + 1)]
        row = ["bias", f"s={_shape(tokens[at])}"]
        for size in (1, 2, 3):
            for first in range(len(window) - size + 1):
                row.append(f"{first - _REACH}c{size}={''.join(window[first : first + size])}")
        rows.append(row)
    return rows


def _at(values: Sequence[str], at: int) -> str:
    """A neighbour, or a mark that no token can be mistaken for beyond either end."""
    if at < 0:
        return "<\t"
    return values[at] if at < len(values) else ">\t"


@functools.lru_cache(maxsize=1 << 16)
def _form(token: str) -> tuple[str, ...]:
    lower = token.lower()
    affixes = [f"<{lower[:size]}" for size in range(1, min(_AFFIX, len(lower)) + 1)]
    affixes += [f"{lower[-size:]}>" for size in range(1, min(_AFFIX, len(lower)) + 1)]
    return (f"w={token}", f"l={lower}", f"s={_shape(token)}", f"S={_shape(token, whole=True)}", *affixes)


@functools.lru_cache(maxsize=1 << 16)
def _shape(token: str, *, whole: bool = False) -> str:
    """The kinds of the characters (X upper, x lower, 9 digit, 字 CJK), runs shortened unless whole."""
    shape: list[str] = []
    for char in token[:32]:
        kind = _kind(char)
        if whole or not shape or shape[-1] != kind:
            shape.append(kind)
    return "".join(shape)


def _kind(char: str) -> str:
    if char.isupper():
        return "X"
    if char.isdigit():
        return "9"
    if segment.is_cjk(char):
        return "字" if char.isalpha() else char
    return "x" if char.isalpha() else char


PLUGIN, CONFIG = Crf(), CrfConfig

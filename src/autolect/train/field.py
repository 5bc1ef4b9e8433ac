"""A random field over sparse features of tokens, fitted at once by crfsuite's L-BFGS (Lafferty 2001)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SPARSE, SMALL = 0.05, 0.05
"""Factors of the sum of the weights' sizes and of the sum of their squares (Zou & Hastie 2005)."""
MAX_ITERATIONS = 100
"""Steps of L-BFGS on ordinary data."""
MIN_ITERATIONS = 30
"""Fewest steps, however large the data: with fewer it would be no fair opponent."""
_WORK = 1_000_000_000
"""Steps x tokens x tags that are worth their time: about two minutes on one core (0.12 µs each)."""


@contextlib.contextmanager
def fitted(features: Sequence[Sequence[Sequence[str]]], tags: Sequence[Sequence[str]]) -> Iterator[Any]:
    """The features and the tag of each token of each text -> a pycrfsuite.Tagger, while the block runs.

    The same arguments give the same weights.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    for text, own in zip(features, tags, strict=True):
        trainer.append(pycrfsuite.ItemSequence(text), own)
    trainer.set_params({"c1": SPARSE, "c2": SMALL, "max_iterations": _iterations(tags)})
    trainer.set("feature.possible_transitions", True)
    with tempfile.TemporaryDirectory(prefix="autolect-crf-") as folder:
        model = str(Path(folder) / "model.crfsuite")
        trainer.train(model)
        tagger = pycrfsuite.Tagger()
        tagger.open(model)
        yield tagger


def _iterations(tags: Sequence[Sequence[str]]) -> int:
    """Steps within the bound on work; counted, not timed, so that the result is always the same."""
    num_tokens = sum(map(len, tags))
    num_tags = len({tag for own in tags for tag in own})
    affordable = _WORK // max(1, num_tokens * num_tags)
    return max(MIN_ITERATIONS, min(MAX_ITERATIONS, affordable))

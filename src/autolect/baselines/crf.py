"""A linear-chain conditional random field over hand-made features of each token and its neighbours.

The classic tagger before neural networks (Lafferty 2001; features in the manner of Ratnaparkhi 1996),
trained by crfsuite's L-BFGS with the elastic net.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autolect.core.config import Section
from autolect.text import segment
from autolect.text.features import character_features, word_features
from autolect.text.labelled import TokenExample

MAX_ITERATIONS = 100
"""Steps of L-BFGS on ordinary data."""
MIN_ITERATIONS = 30
"""Fewest steps, however large the data: with fewer it would be no fair opponent."""
_WORK = 1_000_000_000
"""Steps x tokens x tags that are worth their time: about two minutes on one core (0.12 µs each)."""


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
        features = character_features if _in_characters(known) else word_features
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


PLUGIN, CONFIG = Crf(), CrfConfig

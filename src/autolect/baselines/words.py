"""The texts that share rare words with the one that asks come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autolect.core.config import Section
from autolect.text import lexical
from autolect.text.labels.pairs import PairExample
from autolect.text.lookup import lookup


class WordsConfig(Section):
    """It has no settings."""

    kind: Literal["words"] = "words"


@dataclass(frozen=True, slots=True)
class Words:
    """BM25, as an index has it; it learns nothing from pairs."""

    title: str = "shared words (BM25)"
    serves: Literal["embed"] = "embed"

    def predict(
        self,
        train: Sequence[PairExample],  # noqa: ARG002 (all baselines of a task share one signature)
        valid: Sequence[PairExample],  # noqa: ARG002
        given: Sequence[PairExample],
        *,
        language: str,
        seed: int,  # noqa: ARG002
    ) -> list[int]:
        """The rank of each pair's second text among those of all given pairs."""
        asked = lookup(given)
        texts = lexical.Postings.of(asked.texts, language=language)
        queries = lexical.asked(asked.asking, language=language)
        return [one.rank for one in asked.places(lambda part: texts.scores(queries[part]))]


PLUGIN, CONFIG = Words(), WordsConfig

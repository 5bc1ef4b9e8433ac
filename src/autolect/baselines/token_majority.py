"""The tag that each token has most often in training, without looking at its neighbours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autolect.core.config import Section
from autolect.text.labels.labelled import TokenExample


class TokenMajorityConfig(Section):
    """It has no settings."""

    kind: Literal["token_majority"] = "token_majority"


@dataclass(frozen=True, slots=True)
class TokenMajority:
    """A dictionary from token to tag."""

    title: str = "most frequent tag of each token"
    serves: Literal["tag"] = "tag"

    def predict(
        self,
        train: Sequence[TokenExample],
        valid: Sequence[TokenExample],
        examples: Sequence[TokenExample],
        *,
        language: str,  # noqa: ARG002 (all baselines of a task share one signature)
        seed: int,  # noqa: ARG002
    ) -> list[tuple[str, ...]]:
        """One tag for each token; an unknown token gets the most frequent tag of all.

        Of equally frequent tags the first in alphabetical order is taken.
        """
        assert train
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        overall: Counter[str] = Counter()
        for example in (*train, *valid):
            overall.update(example.tags)
            for token, tag in zip(example.words(), example.tags, strict=True):
                counts[token][tag] += 1
        known = {token: _most_frequent(tags) for token, tags in counts.items()}
        other = _most_frequent(overall)
        return [tuple(known.get(token, other) for token in example.words()) for example in examples]


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))


PLUGIN, CONFIG = TokenMajority(), TokenMajorityConfig

"""Counts of words and character pieces under a linear support vector machine.

Word 1-2 grams and character 1-4 grams, each weighted by TF-IDF with sublinear counts and scaled to unit
length, then LinearSVC (Fan et al. 2008). On small labelled sets this is hard to stand above (Wang and
Manning 2012), so it is tuned as carefully as the model it is compared with.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autolect.core import metrics
from autolect.core.config import Section
from autolect.text import segment
from autolect.text.labels.labelled import TextExample

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COSTS = (0.3, 1.0, 3.0)
"""Values of C that are tried on valid."""
_COST_UNTUNED = 1.0
"""C when there is no valid data to choose by."""
_FEW_TEXTS = 2000
"""Up to so many texts, pieces that stand in one text only are kept: in cross-validation on three training
sets of 560 to 800 texts they gained 0.5 points; on large sets they cost time and memory for nothing."""
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages in which a piece of characters may run across words, because no blank separates them."""


class TfidfConfig(Section):
    """It has no settings; C is chosen on valid."""

    kind: Literal["tfidf"] = "tfidf"


@dataclass(frozen=True, slots=True)
class Tfidf:
    """Chosen on valid, then fitted again on train and valid together."""

    title: str = "TF-IDF + linear SVM"
    serves: Literal["classify"] = "classify"

    def predict(
        self,
        train: Sequence[TextExample],
        valid: Sequence[TextExample],
        texts: Sequence[str],
        *,
        language: str,
        seed: int,
    ) -> list[str]:
        """One label for each text; the same arguments give the same answer."""
        assert train
        if not texts:
            return []
        cost = _choose(train, valid, language=language, seed=seed) if valid else _COST_UNTUNED
        fitted = _Fitted.of([*train, *valid], language=language)
        return fitted.predict(fitted.features(texts), cost=cost, seed=seed)

    def predict_several(
        self,
        train: Sequence[TextExample],
        valid: Sequence[TextExample],
        texts: Sequence[str],
        *,
        language: str,
        seed: int,
    ) -> list[tuple[str, ...]]:
        """The labels of each text, each by a machine of its own; C by micro F1 on valid."""
        assert train
        cost = _COST_UNTUNED
        if valid:
            fitted = _Fitted.of(train, language=language)
            features = fitted.features([example.text for example in valid])
            gold = [example.labels for example in valid]
            scores = {
                one: metrics.set_f1(gold, fitted.predict_several(features, cost=one, seed=seed))
                for one in COSTS
            }
            cost = _best(scores)
        fitted = _Fitted.of([*train, *valid], language=language)
        return fitted.predict_several(fitted.features(texts), cost=cost, seed=seed)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Features of one set of examples; a classifier is fitted for each value of C."""

    vectorizers: tuple[Any, ...]
    matrix: csr_matrix
    labels: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, examples: Sequence[TextExample], *, language: str) -> _Fitted:
        from scipy.sparse import hstack

        texts = [example.text.lower() for example in examples]
        vectorizers = _vectorizers(language, num_texts=len(texts))
        blocks = [vectorizer.fit_transform(texts) for vectorizer in vectorizers]
        labels = tuple(example.labels for example in examples)
        return cls(vectorizers, hstack(blocks, format="csr"), labels)

    def features(self, texts: Sequence[str]) -> csr_matrix:
        from scipy.sparse import hstack

        lower = [text.lower() for text in texts]
        return hstack([vectorizer.transform(lower) for vectorizer in self.vectorizers], format="csr")

    def predict(self, features: csr_matrix, *, cost: float, seed: int) -> list[str]:
        found = self._machine([label for (label,) in self.labels], features, cost=cost, seed=seed)
        return [str(label) for label in found]

    def predict_several(self, features: csr_matrix, *, cost: float, seed: int) -> list[tuple[str, ...]]:
        names = sorted({label for labels in self.labels for label in labels})
        has = [
            self._machine([name in labels for labels in self.labels], features, cost=cost, seed=seed)
            for name in names
        ]
        return [
            tuple(name for name, yes in zip(names, row, strict=True) if yes) for row in zip(*has, strict=True)
        ] or [()] * features.shape[0]

    def _machine(self, targets: Sequence[Any], features: csr_matrix, *, cost: float, seed: int) -> list[Any]:
        """What a machine that learned one target a text says of other texts."""
        from sklearn.svm import LinearSVC

        if len(set(targets)) == 1:
            return [targets[0]] * features.shape[0]
        classifier = LinearSVC(C=cost, random_state=seed, max_iter=3000)
        classifier.fit(self.matrix, np.array(targets, dtype=object if isinstance(targets[0], str) else bool))
        return list(classifier.predict(features))


def _choose(train: Sequence[TextExample], valid: Sequence[TextExample], *, language: str, seed: int) -> float:
    """The C with the best accuracy on valid."""
    fitted = _Fitted.of(train, language=language)
    features = fitted.features([example.text for example in valid])
    right = {}
    for cost in COSTS:
        predicted = fitted.predict(features, cost=cost, seed=seed)
        right[cost] = sum(label == example.label for label, example in zip(predicted, valid, strict=True))
    return _best(right)


def _best(scores: Mapping[float, float]) -> float:
    """The C with the best score; of equally good ones the untuned one, then the smaller."""
    return max(COSTS, key=lambda cost: (scores[cost], cost == _COST_UNTUNED, -cost))


def _vectorizers(language: str, *, num_texts: int) -> tuple[Any, ...]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    characters = "char" if language in _UNSPACED else "char_wb"
    rare = 1 if num_texts <= _FEW_TEXTS else 2
    return (
        TfidfVectorizer(analyzer=_word_grams(language), sublinear_tf=True),
        TfidfVectorizer(
            analyzer=characters, ngram_range=(1, 4), min_df=rare, sublinear_tf=True, lowercase=False
        ),
    )


def _word_grams(language: str) -> Callable[[str], list[str]]:
    def grams(text: str) -> list[str]:
        words = [text[start:end] for start, end in segment.words(text, language=language)]
        # A blank cannot stand in a word, so a pair never equals a single word.
        return words + [f"{one} {other}" for one, other in itertools.pairwise(words)]

    return grams


PLUGIN, CONFIG = Tfidf(), TfidfConfig

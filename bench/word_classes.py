"""What classes of words add to a tagger's sparse features: entity F1 or accuracy on valid, without a network.

python bench/sets.py DATA build/sets
python bench/word_classes.py build/sets --bundles en=BUNDLE zh=BUNDLE --sets ner-en-wnut17 ner-zh-weibo

Learned from train, measured on valid: for making choices, the test split stays closed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _race import processor

from autolect.core import metrics
from autolect.text.features import company_features, token_features
from autolect.text.word_classes import WordClasses
from autolect.train.field import fitted

Features = Callable[[Sequence[str]], list[list[str]]]
Sentences = list[tuple[list[str], list[str]]]


def main() -> None:
    """A row a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets_folder", type=Path)
    parser.add_argument("--bundles", nargs="+", required=True, metavar="LANGUAGE=BUNDLE")
    parser.add_argument("--sets", nargs="+", required=True)
    given = parser.parse_args()
    bundles = dict(one.split("=", 1) for one in given.bundles)
    print(f"{processor()}\n")
    print("| set | forms alone | seconds | and classes | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for name in given.sets:
        known, asked = (sentences(given.sets_folder / name / f"{part}.jsonl") for part in ("train", "valid"))
        language = name.split("-")[1]
        if language not in bundles or (classes := WordClasses.load(Path(bundles[language]))) is None:
            parser.error(f"{name} needs a bundle for {language!r} that has classes of words")

        def both(
            tokens: Sequence[str], classes: WordClasses = classes, language: str = language
        ) -> list[list[str]]:
            company = company_features(tokens, classes, language=language)
            return [[*forms, *more] for forms, more in zip(token_features(tokens), company, strict=True)]

        shown = [name]
        for features in (token_features, both):
            started = time.monotonic()
            score = measured(known, asked, features)
            shown += [f"{score:.4f}", f"{time.monotonic() - started:.0f}"]
        print("| " + " | ".join(shown) + " |", flush=True)


def measured(known: Sentences, asked: Sentences, features: Features) -> float:
    """Entity F1, or accuracy where tags are no entities."""
    with fitted([features(tokens) for tokens, _ in known], [tags for _, tags in known]) as tagger:
        found = [list(tagger.tag(features(tokens))) for tokens, _ in asked]
    gold = [tags for _, tags in asked]
    if any(tag.startswith("B-") for tags in gold for tag in tags):
        return metrics.entity_f1(gold, found).f1
    pairs = [(a, b) for g, f in zip(gold, found, strict=True) for a, b in zip(g, f, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def sentences(path: Path) -> Sentences:
    """Tokens and tags of each sentence."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(row["tokens"], row["tags"]) for row in rows]


if __name__ == "__main__":
    main()

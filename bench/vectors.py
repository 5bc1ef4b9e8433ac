"""Word vectors: words of text a second beside gensim, and how well they agree with people.

make bench-setup; python bench/corpora.py DATA build/text; ln -s DATA build/data; python bench/vectors.py
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _race import ROOT, Bench, Round, Side, main

WIDTH, WORDS, EPOCHS = 256, 300_000, 5
LANGUAGES = {"en": ("en.txt", "wordsim-en/EN-WS-353-ALL.txt"), "zh": ("zh.txt", "wordsim-zh/wordsim-297.txt")}


def inputs(folder: Path, *, language: str) -> None:
    """Sentences of words."""
    from autolect.text import segment

    kept: list[list[str]] = []
    total = 0
    with (ROOT / "build" / "text" / LANGUAGES[language][0]).open(encoding="utf-8") as stream:
        for line in stream:
            words = [line[start:end].lower() for start, end in segment.words(line, language=language)]
            kept.append(words)
            total += len(words)
            if total > WORDS:
                break
    (folder / "words.json").write_text(json.dumps(kept), encoding="utf-8")


def prepare_ours(folder: Path, *, language: str) -> Round:
    """Vectors from counts, as a recipe learns them."""
    from autolect.vectors.learners import counts
    from autolect.vectors.texts import spelt

    texts = json.loads((folder / "words.json").read_text(encoding="utf-8"))

    def work() -> dict[str, Any]:
        spelling = spelt(texts)
        found = counts.learn(spelling, config=counts.CountsConfig(), width=WIDTH, seed=0, purpose="words")
        return {"work": len(spelling.ids), **_agreement(found.keys, found.matrix, language)}

    return work


def prepare_theirs(folder: Path, *, language: str, skipgram: bool) -> Round:
    """Gensim at its usual settings, on two threads."""
    from gensim.models import Word2Vec

    texts = json.loads((folder / "words.json").read_text(encoding="utf-8"))

    def work() -> dict[str, Any]:
        model = Word2Vec(
            texts,
            vector_size=WIDTH,
            window=5,
            min_count=2,
            negative=5,
            sg=int(skipgram),
            epochs=EPOCHS,
            workers=2,
        )
        agreement = _agreement(list(model.wv.index_to_key), model.wv.vectors, language)
        return {"work": sum(map(len, texts)), **agreement}

    return work


def _agreement(keys: list[str], matrix: Any, language: str) -> dict[str, float]:
    """Spearman's rank correlation with people's judgement of pairs, those with an unknown word left out."""
    rows = dict(zip(keys, matrix, strict=True))
    found, wanted = [], []
    text = (ROOT / "build" / "data" / LANGUAGES[language][1]).read_text(encoding="utf-8")
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or not {fields[0].lower(), fields[1].lower()} <= rows.keys():
            continue
        one, other = rows[fields[0].lower()], rows[fields[1].lower()]
        found.append(float(one @ other / max(1e-9, float(np.linalg.norm(one) * np.linalg.norm(other)))))
        wanted.append(float(fields[2]))
    return {"agreement": _spearman(np.array(found), np.array(wanted)), "pairs": len(found)}


def _spearman(one: Any, other: Any) -> float:
    def ranks(values: Any) -> Any:
        order = values.argsort()
        places = np.empty(len(values))
        places[order] = np.arange(len(values))
        return np.array([places[values == value].mean() for value in values])

    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def bench(language: str) -> Bench:
    """The question in one language."""
    sides = [Side("autolect counts", ours=True, prepare=functools.partial(prepare_ours, language=language))]
    for kind in ("skip-gram", "CBOW"):
        prepare = functools.partial(prepare_theirs, language=language, skipgram=kind == "skip-gram")
        sides.append(Side(f"gensim {kind}", ours=False, prepare=prepare))
    return Bench(
        claim=f"Vectors of {WIDTH} numbers ({language}); gensim with two threads and {EPOCHS} passes.",
        unit="words",
        sides=sides,
        inputs=functools.partial(inputs, language=language),
    )


if __name__ == "__main__":
    sys.exit(main({f"vectors-{language}": bench(language) for language in LANGUAGES}))

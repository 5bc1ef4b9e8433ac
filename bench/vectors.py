"""Word vectors: words of text a second beside gensim and fastText, and how well they agree with people.

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

WIDTH, WORDS = 256, 300_000
PASSES = {
    "gensim skip-gram": (5, 25),
    "gensim CBOW": (5, 25, 100),
    "fastText": (5, 25),
    "fastText whole words": (5, 25),
}
"""Of the peers: their usual number, and more, since so little text is not learned in five."""
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
    (folder / "words.txt").write_text("\n".join(map(" ".join, kept)) + "\n", encoding="utf-8")


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


def prepare_theirs(folder: Path, *, language: str, skipgram: bool, epochs: int) -> Round:
    """Gensim at its usual settings but for the passes, on two threads."""
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
            epochs=epochs,
            workers=2,
        )
        agreement = _agreement(list(model.wv.index_to_key), model.wv.vectors, language)
        return {"work": sum(map(len, texts)), **agreement}

    return work


def prepare_fasttext(folder: Path, *, language: str, pieces: bool, epochs: int) -> Round:
    """FastText's skip-gram on two threads, with pieces of words as usual, or faster without."""
    import fasttext

    usual = {} if pieces else {"minn": 0, "maxn": 0}
    total = sum(map(len, json.loads((folder / "words.json").read_text(encoding="utf-8"))))

    def work() -> dict[str, Any]:
        model = fasttext.train_unsupervised(
            str(folder / "words.txt"),
            model="skipgram",
            dim=WIDTH,
            minCount=2,
            epoch=epochs,
            thread=2,
            verbose=0,
            **usual,
        )
        keys = model.get_words()
        matrix = np.stack([model.get_word_vector(key) for key in keys])
        return {"work": total, **_agreement(keys, matrix, language)}

    return work


MAKERS = {"gensim": prepare_theirs, "fastText": prepare_fasttext}


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
    for name, passes in PASSES.items():
        maker, _, kind = name.partition(" ")
        how = {"skipgram": kind == "skip-gram"} if maker == "gensim" else {"pieces": not kind}
        made = functools.partial(MAKERS[maker], language=language, **how)
        sides += [
            Side(f"{name}, {epochs} passes", ours=False, prepare=functools.partial(made, epochs=epochs))
            for epochs in passes
        ]
    return Bench(
        claim=f"Vectors of {WIDTH} numbers ({language}); peers have two threads.",
        unit="words",
        sides=sides,
        inputs=functools.partial(inputs, language=language),
        quality="agreement",
    )


if __name__ == "__main__":
    sys.exit(main({f"vectors-{language}": bench(language) for language in LANGUAGES}))

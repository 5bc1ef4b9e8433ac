"""corpus -> vectors: over token ids, to start the model, and over words, to look at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolect.core import bundle, files, registry
from autolect.jobs.prepare import FIGURES, documents
from autolect.jobs.stages import Run, section
from autolect.text import segment
from autolect.text.shards import open_store
from autolect.text.tokenizer import NUM_SPECIAL
from autolect.vectors.store import Learned, WordVectors

SENTENCE = 5000
"""Tokens that gensim sees as one sentence at most."""
MIN_WORD_COUNT = 2
WORDS_SEEN, TOKENS_SEEN = (20_000_000, 5), (10_000_000, 1)
"""Words, and tokens, that are seen in all passes together, and the fewest passes: a minute or two of
skip-gram on one thread. Tokens only start a network; fewer words gave worse vectors (docs/LOG.md)."""
MOST_PASSES = 30


def learn_vectors(run: Run, corpus: Path, tokens: Path) -> Path | None:
    """Make the vectors folder of a run, or none where the recipe wants none."""
    config = run.recipe.vectors
    if config is None:
        return None
    kind: str = config.kind  # type: ignore[attr-defined]
    learn = registry.load("vectors", kind).build
    width: int = run.recipe.encoder.width  # type: ignore[attr-defined]
    needs = {**section(run.recipe, "vectors", "seed"), "width": width, "tokens": bundle.digest(tokens)}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        known = files.read_json(corpus / FIGURES)["language"]
        run.progress.say(f"vectors: {kind} over tokens and over words")

        def learned(texts: list[list[str]], least: int, seen: int, fewest: int) -> WordVectors:
            passed = config
            if getattr(config, "epochs", 0) is None:
                epochs = passes(sum(map(len, texts)), seen=seen, fewest=fewest)
                passed = config.model_copy(update={"epochs": epochs})
            found: Learned = learn(texts, config=passed, width=width, seed=run.recipe.seed, min_count=least)
            return WordVectors(keys=found.keys, matrix=found.matrix, counts=found.counts)

        # Each on one thread, so that a run can be repeated; the two beside each other.
        with ThreadPoolExecutor() as pool:
            tasks = {
                "tokens": pool.submit(learned, _token_sentences(tokens), 1, *TOKENS_SEEN),
                "words": pool.submit(learned, _word_sentences(corpus, known), MIN_WORD_COUNT, *WORDS_SEEN),
            }
            both = {name: task.result() for name, task in tasks.items()}
        figures = {}
        for name, vectors in both.items():
            vectors.save(folder, name=name)
            figures[name] = {"keys": len(vectors.keys), "tokens": int(vectors.counts.sum())}
        facts["width"] = width
        files.save_json(folder / "vectors.json", {"kind": kind, "width": width, **figures})

    return run.stage("vectors", kind="vectors", needs=needs, make=make)


def passes(size: int, *, seen: int, fewest: int) -> int:
    """Passes over a text of so many tokens: more over little text."""
    return min(max(seen // max(size, 1), fewest), MOST_PASSES)


def token_matrix(folder: Path, *, vocab_size: int) -> NDArray[np.float32]:
    """(V, D): the vector of each token id, zeros where there is none."""
    vectors = WordVectors.load(folder, name="tokens")
    matrix = np.zeros((vocab_size, vectors.matrix.shape[1]), dtype=np.float32)
    matrix[[int(key) for key in vectors.keys]] = vectors.matrix
    matrix[:NUM_SPECIAL] = 0.0
    return matrix


def _token_sentences(tokens: Path) -> list[list[str]]:
    store = open_store(tokens, "train", length=SENTENCE)
    return [[str(token) for token in store.sequence(place)] for place in range(len(store))]


def _word_sentences(corpus: Path, language: str) -> list[list[str]]:
    return [
        [text[start:end].lower() for start, end in segment.words(text, language=language)]
        for text in documents(corpus, "train")
    ]

"""corpus -> vectors: over token ids, to start the model, and over words, to look at."""

from __future__ import annotations

import time
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
from autolect.text.tokenizer import NUM_SPECIAL, Tokenizer
from autolect.vectors.classes import grouped
from autolect.vectors.store import Learned, Purpose, WordVectors
from autolect.vectors.texts import Texts, spelt

SENTENCE = 5000
"""Tokens that gensim sees as one sentence at most."""


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
        spelling = run.work("vectors") / "words.ids"
        spelling.parent.mkdir(parents=True, exist_ok=True)
        run.progress.say(f"vectors: {kind} over tokens and over words")

        def learned(purpose: Purpose, texts: Texts) -> WordVectors:
            found: Learned = learn(texts, config=config, width=width, seed=run.recipe.seed, purpose=purpose)
            return WordVectors(keys=found.keys, matrix=found.matrix, counts=found.counts)

        # Each on one thread, so that a run can be repeated; the two beside each other.
        with ThreadPoolExecutor() as pool:
            tasks = {
                "tokens": pool.submit(learned, "tokens", _token_texts(tokens)),
                "words": pool.submit(lambda: learned("words", _word_texts(corpus, known, spelling))),
            }
            both = {name: task.result() for name, task in tasks.items()}
        figures = {}
        for name, vectors in both.items():
            vectors.save(folder, name=name)
            figures[name] = {"keys": len(vectors.keys), "tokens": int(vectors.counts.sum())}
        started = time.monotonic()
        grouped(both["words"], seed=run.recipe.seed).save(folder)
        facts |= {"width": width, "classes_seconds": round(time.monotonic() - started, 2)}
        files.save_json(folder / "vectors.json", {"kind": kind, "width": width, **figures})

    return run.stage("vectors", kind="vectors", needs=needs, make=make)


def token_matrix(folder: Path, *, vocab_size: int) -> NDArray[np.float32]:
    """(V, D): the vector of each token id, zeros where there is none."""
    vectors = WordVectors.load(folder, name="tokens")
    matrix = np.zeros((vocab_size, vectors.matrix.shape[1]), dtype=np.float32)
    matrix[[int(key) for key in vectors.keys]] = vectors.matrix
    matrix[:NUM_SPECIAL] = 0.0
    return matrix


def _token_texts(tokens: Path) -> Texts:
    store = open_store(tokens, "train", length=SENTENCE)
    return Texts([str(token) for token in range(len(Tokenizer.load(tokens)))], store.ids, store.lengths)


def _word_texts(corpus: Path, language: str, path: Path) -> Texts:
    words = (
        [text[start:end].lower() for start, end in segment.words(text, language=language)]
        for text in documents(corpus, "train")
    )
    return spelt(words, path)

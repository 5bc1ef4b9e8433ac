"""Tokenising and packing: our token store beside datasets.map and group_texts, with the same tokenizer.

make bench-setup; python bench/corpora.py DATA build/text; python bench/prepare.py

Ours also cleans each text; the peer uses two processes. What marks of words and sentences cost, which some
objectives ask for, stands beside it.
"""

from __future__ import annotations

import functools
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from _race import ROOT, Bench, Round, Side, main

LANGUAGES = {"zh": "zh.txt", "en": "en.txt"}
BYTES = 6_000_000
LENGTH = 128


def inputs(folder: Path, *, language: str) -> None:
    """The beginning of a text, and a tokenizer of it."""
    from autolect.text import tokenizer

    with (ROOT / "build" / "text" / LANGUAGES[language]).open("rb") as stream:
        lines = stream.read(BYTES).decode("utf-8", "ignore").split("\n")
    lines = [line for line in lines if line.strip()]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer.train(lines[:20_000], kind="unigram", vocab_size=8000, language=language).save(folder)


def prepare_ours(folder: Path, *, language: str, marked: bool) -> Round:
    """Read, clean, cut, mark where asked, and write the token store."""
    from itertools import islice

    from autolect.text import readers
    from autolect.text.clean import Cleaner
    from autolect.text.cutter import Cutter
    from autolect.text.marks import token_marks
    from autolect.text.shards import TokenWriter
    from autolect.text.tokenizer import Tokenizer

    tokenizer, cleaner = Tokenizer.load(folder), Cleaner("faithful", language=language)

    def work() -> dict[str, Any]:
        cutter = Cutter(tokenizer)
        texts = (cleaner.clean(one.text).text for one in readers.read(folder / "text.txt", document="line"))
        with (
            tempfile.TemporaryDirectory() as place,
            TokenWriter(Path(place), "train", marked=marked) as writer,
        ):
            while some := list(islice(texts, 1000)):
                found = cutter.cut(some)
                offsets = [one.offsets for one in found]
                marks = token_marks(some, offsets, language=language) if marked else [None] * len(found)
                for one, of_one in zip(found, marks, strict=True):
                    writer.add(one.ids, of_one)
        return {"work": _megabytes(folder), "tokens": writer.num_tokens, "peak MB": _peak()}

    return work


def prepare_theirs(folder: Path) -> Round:
    """The usual script: load, map the tokenizer, map group_texts."""
    import datasets
    from transformers import PreTrainedTokenizerFast

    datasets.disable_progress_bars()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))

    def tokenised(rows: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": tokenizer(rows["text"], add_special_tokens=False)["input_ids"]}

    def grouped(rows: dict[str, list[list[int]]]) -> dict[str, Any]:
        joined = [token for one in rows["input_ids"] for token in one]
        whole = len(joined) // LENGTH * LENGTH
        return {"input_ids": [joined[start : start + LENGTH] for start in range(0, whole, LENGTH)]}

    def work() -> dict[str, Any]:
        place = tempfile.mkdtemp()
        data = datasets.load_dataset(
            "text", data_files=str(folder / "text.txt"), split="train", cache_dir=place
        )
        data = data.map(
            tokenised, batched=True, num_proc=2, remove_columns=["text"], load_from_cache_file=False
        )
        data = data.map(grouped, batched=True, num_proc=2, load_from_cache_file=False)
        tokens = len(data) * LENGTH
        shutil.rmtree(place)
        return {"work": _megabytes(folder), "tokens": tokens, "peak MB": _peak()}

    return work


def _megabytes(folder: Path) -> float:
    return (folder / "text.txt").stat().st_size / 1e6


def _peak() -> int:
    """Megabytes of this process, and of the largest of its children, at their worst."""
    return (
        sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        // 1000
    )


def bench(language: str) -> Bench:
    """The question in one language."""
    return Bench(
        claim=f"Text ({language}) to packed tokens; the peer with two processes.",
        unit="MB",
        sides=[
            Side(name, ours=True, prepare=functools.partial(prepare_ours, language=language, marked=marked))
            for name, marked in (("autolect", False), ("autolect, marked", True))
        ]
        + [
            Side("datasets", ours=False, prepare=prepare_theirs),
        ],
        inputs=functools.partial(inputs, language=language),
    )


if __name__ == "__main__":
    sys.exit(main({f"prepare-{language}": bench(language) for language in LANGUAGES}))

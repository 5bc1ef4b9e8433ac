"""A tiny run of each task, made once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from autolect.core import recipe
from autolect.core.progress import Silent
from autolect.jobs.run import Summary, run

SUBJECTS = ("the cat", "a dog", "my old friend", "the red bird", "her brother")
VERBS = ("sees", "likes", "follows", "finds", "hears")
CITIES = ("Paris", "New York", "Rome", "Oslo", "San Marino")
TINY = (
    "tokenizer.vocab_size=300",
    "encoder.width=32",
    "encoder.layers=1",
    "train.steps=30",
    "train.batch_tokens=512",
    "finetune.epochs=6",
    "finetune.rate=0.01",
    "finetune.batch_tokens=256",
)


def sentences(count: int, *, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        who, whom = draw.choice(SUBJECTS), draw.choice(SUBJECTS)
        found[f"{who} {draw.choice(VERBS)} {whom} {draw.randrange(999)} times."] = None
    return list(found)


def write_corpus(folder: Path) -> Path:
    path = folder / "corpus.txt"
    path.write_text("\n".join(sentences(240)), encoding="utf-8")
    return path


def write_labels(folder: Path) -> Path:
    draw, rows = random.Random(1), []
    for number in range(120):
        label = ("night", "day")[number % 2]
        word = {"night": "moon", "day": "sun"}[label]
        rows.append(f"{label}\t{draw.choice(SUBJECTS)} {draw.choice(VERBS)} the {word} {number * 7} times")
    path = folder / "labels.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def write_tags(folder: Path) -> Path:
    draw, blocks = random.Random(2), []
    for number in range(120):
        city = draw.choice(CITIES).split()
        words = [*draw.choice(SUBJECTS).split(), "flies", "to", *city, "with", str(number), "bags"]
        start = words.index(city[0])
        tags = ["O"] * len(words)
        tags[start : start + len(city)] = ["B-city", *["I-city"] * (len(city) - 1)]
        blocks.append("\n".join(f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)))
    path = folder / "tags.conll"
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def walk(folder: Path, *overrides: str, name: str = "run", until: str = "report") -> Summary:
    settings = recipe.read(None, overrides=[*TINY, *overrides], environment={})
    return run(settings, folder=folder / name, progress=Silent(), until=until)


@pytest.fixture(scope="session")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = tmp_path_factory.mktemp("classify")
    corpus, labels = write_corpus(folder), write_labels(folder)
    return walk(
        folder,
        f"corpus.files=['{corpus}']",
        f"task.train={labels}",
        "task.allow_overlap=true",
        "search.trials=2",
    )


@pytest.fixture(scope="session")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = tmp_path_factory.mktemp("tag")
    corpus, tags = write_corpus(folder), write_tags(folder)
    return walk(
        folder,
        f"corpus.files=['{corpus}','{tags}']",
        "task.kind=tag",
        f"task.train={tags}",
        "task.allow_overlap=true",
        "finetune.epochs=20",
        "encoder.kind=lstm",
    )

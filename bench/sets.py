"""The labelled sets of a folder as files that a recipe can name, and their training texts to pretrain on.

python bench/sets.py DATA build/sets

DATA holds the sets, one folder each, as they were published. OUT gets a folder a set with train, valid and
test, as far as they are given, and text.en.txt, text.zh.txt and text.fr.txt: the training texts alone.
What has no split of its own is split 80 / 10 / 10 without repeats, with seed 0.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[tuple[str, ...]]
"""(text, label), (text, text, answer) or (text, text)."""
SPLITS = ("train", "valid", "test")


def main() -> None:
    """Write every set that DATA holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    texts: dict[str, list[str]] = {}
    for name, make in SETS.items():
        folder = given.data / name
        if not folder.is_dir():
            print(f"{name}: not there")
            continue
        parts = make(folder)
        (given.out / name).mkdir(parents=True, exist_ok=True)
        for split, rows in parts.items():
            _write(given.out / name / f"{split}.jsonl", rows)
        for language, some in _texts(name, parts["train"]).items():
            texts.setdefault(language, []).extend(some)
        print(f"{name}: " + ", ".join(f"{split} {len(rows):,}" for split, rows in parts.items()))
    for language, some in texts.items():
        path = given.out / f"text.{language}.txt"
        path.write_text("\n".join(dict.fromkeys(some)) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def read(path: Path) -> str:
    """A file's text, unpacked."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")


def cut(rows: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """80 / 10 / 10 of the different rows."""
    different = list(dict.fromkeys(rows))
    order = np.random.default_rng(0).permutation(len(different))
    ends = len(different) * 8 // 10, len(different) * 9 // 10
    parts = np.split(order, ends)
    return {name: [different[at] for at in sorted(part)] for name, part in zip(SPLITS, parts, strict=True)}


def tabbed(**files: str) -> Callable[[Path], dict[str, Any]]:
    """Splits in files of text, tab, label."""
    return lambda folder: {
        split: [tuple(line.split("\t")) for line in read(folder / name).splitlines() if line]
        for split, name in files.items()
    }


def chnsenticorp(folder: Path) -> dict[str, Any]:
    """A header, and the label before the text."""
    names = {"train": "train.tsv.gz", "valid": "dev.tsv", "test": "test.tsv"}
    return {
        split: [
            (text, label)
            for label, text in (line.split("\t", 1) for line in read(folder / name).splitlines()[1:])
        ]
        for split, name in names.items()
    }


def agnews(folder: Path) -> dict[str, Any]:
    """Class, title and description, quoted."""
    rows = csv.reader(io.StringIO(read(folder / "test.csv")))
    return cut((f"{title} {description}", label) for label, title, description in rows)


def clinc(folder: Path) -> dict[str, Any]:
    """Splits in one file; what is out of scope is left out."""
    found = json.loads(read(folder / "data_full.json.gz"))
    return {
        split: [tuple(one) for one in found[name]]
        for split, name in (("train", "train"), ("valid", "val"), ("test", "test"))
    }


def snips(folder: Path) -> dict[str, Any]:
    """Chunks of a text, joined."""
    return {
        split: [
            ("".join(chunk["text"] for chunk in one["data"]).strip(), one["intent"])
            for one in map(json.loads, read(folder / name).splitlines())
        ]
        for split, name in (("train", "train.jsonl.gz"), ("test", "validate.jsonl.gz"))
    }


def newsgroups(folder: Path) -> dict[str, Any]:
    """Whole posts."""
    return {
        split: [(one["text"], one["label"]) for one in map(json.loads, read(folder / name).splitlines())]
        for split, name in (("train", "train.jsonl.gz"), ("test", "test.jsonl.gz"))
    }


def tagged(pattern: str, names: dict[str, str], *, word: int, tag: int) -> Callable[[Path], dict[str, Any]]:
    """Columns parted by tabs, sentences by blank lines; lines of CoNLL-U that are no word are left out."""

    def make(folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for split, name in names.items():
            sentences = []
            for block in re.split(r"\n[ \t\r]*\n", read(folder / pattern.format(name))):
                rows = [line.split("\t") for line in block.splitlines() if line and not line.startswith("# ")]
                rows = [row for row in rows if len(row) > max(word, tag) and (not word or row[0].isdecimal())]
                if rows:
                    sentences.append(([row[word] for row in rows], [row[tag] for row in rows]))
            found[split] = sentences
        return found

    return make


def weibo(folder: Path) -> dict[str, Any]:
    """Characters with a digit behind them."""
    names = {"train": "train", "valid": "dev", "test": "test"}
    found = tagged("weiboNER_2nd_conll.{}", names, word=0, tag=1)(folder)
    return {
        split: [([word[:-1] for word in words], tags) for words, tags in sentences]
        for split, sentences in found.items()
    }


def scored(pattern: str) -> Callable[[Path], dict[str, Any]]:
    """Two texts and a score, quoted."""
    return lambda folder: {
        split: [tuple(row) for row in csv.reader(io.StringIO(read(folder / pattern.format(name)))) if row]
        for split, name in (("train", "train"), ("valid", "dev"), ("test", "test"))
    }


def tatoeba(folder: Path) -> dict[str, Any]:
    """English, Chinese, and who wrote them."""
    return cut(tuple(line.split("\t")[:2]) for line in read(folder / "cmn.txt.gz").splitlines() if line)


def multi30k(folder: Path) -> dict[str, Any]:
    """A file a language, line by line."""
    names = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
    return {
        split: list(
            zip(*(read(folder / f"{name}.{code}.gz").splitlines() for code in ("en", "de")), strict=True)
        )
        for split, name in names.items()
    }


UD = {"train": "train", "valid": "dev", "test": "test"}
SETS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "sentiment-en-sst2": tabbed(train="train.tsv", valid="dev.tsv", test="test.tsv"),
    "sentiment-zh-chnsenticorp": chnsenticorp,
    "topic-zh-thucnews": tabbed(train="dev.txt", test="test.txt"),
    "topic-en-agnews": agnews,
    "topic-en-clinc150": clinc,
    "topic-en-snips": snips,
    "topic-en-20news-8": newsgroups,
    "ner-en-uner-ewt": tagged("en_ewt-ud-{}.iob2.gz", UD, word=1, tag=2),
    "ner-en-wnut17": tagged("{}.conll", UD, word=0, tag=1),
    "ner-zh-weibo": weibo,
    "ner-zh-uner-gsdsimp": tagged("zh_gsdsimp-ud-{}.iob2.gz", UD, word=1, tag=2),
    "pos-en-ud-ewt": tagged("en_ewt-ud-{}.conllu.gz", UD, word=1, tag=3),
    "pos-zh-ud-gsd-v1": tagged("zh-ud-{}.conllu.gz", UD, word=1, tag=3),
    "pos-fr-ud-sequoia": tagged("fr_sequoia-ud-{}.conllu.gz", UD, word=1, tag=3),
    "similarity-en-stsb": scored("stsb-en-{}.csv"),
    "similarity-zh-stsb": scored("stsb-zh-{}.csv"),
    "similarity-zh-lcqmc": tabbed(train="dev.txt.gz", test="test.txt.gz"),
    "mt-en-zh-tatoeba": tatoeba,
    "mt-en-de-multi30k": multi30k,
}


def _write(path: Path, rows: list[Any]) -> None:
    """Keys say what a row is; labels are text, for a number is no name."""
    lines = []
    for row in rows:
        if isinstance(row[0], list):
            values = {"tokens": row[0], "tags": row[1]}
        elif len(row) == 3:
            values = {"sentence1": row[0], "sentence2": row[1], "score": row[2]}
        elif "mt-" in str(path):
            values = {"source": row[0], "target": row[1]}
        else:
            values = {"text": row[0], "label": row[1]}
        lines.append(json.dumps(values, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _texts(name: str, rows: list[Any]) -> dict[str, list[str]]:
    """The texts of train by language; a set's name says which it is."""
    languages = name.split("-")[1:3]
    if name.startswith("mt-"):
        return {code: [row[at] for row in rows] for at, code in enumerate(languages)}
    if isinstance(rows[0][0], list):
        blank = "" if languages[0] == "zh" else " "
        return {languages[0]: [blank.join(words) for words, _ in rows]}
    both = [text for row in rows for text in (row[:2] if len(row) == 3 else row[:1])]
    return {languages[0]: [" ".join(text.split()) for text in both]}


if __name__ == "__main__":
    main()

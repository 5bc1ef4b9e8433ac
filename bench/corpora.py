"""Two corpora with a part held back, cut from a folder of public sets: what the pretraining figures stand on.

python bench/corpora.py DATA OUT

DATA holds lm-en-openstax, lm-en-wikitext2, lm-zh-wiki-cmrc, lm-zh-web-sample, lm-zh-d2l and
mt-lzh-zh-classical, one folder each, gzipped text with a paragraph a line. OUT gets en.txt (textbooks),
zh.txt (encyclopaedia, web, a textbook, modern translations of classics), and what no model may train on:
en.held.txt, zh.held.txt (every 40th line of like kind), and en.wiki.txt (the WikiText-2 test, as it is).
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator
from pathlib import Path

EVERY = 40
"""One line of so many is held back."""
SOURCES = {
    "en": ("lm-en-openstax/*.txt.gz",),
    "zh": (
        "lm-zh-wiki-cmrc/*.txt.gz",
        "lm-zh-web-sample/*.txt.gz",
        "lm-zh-d2l/*.txt.gz",
        "mt-lzh-zh-classical/*.target.txt.gz",
    ),
}
WIKI = "lm-en-wikitext2/test.txt*"


def main() -> None:
    """Cut the corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for language, patterns in SOURCES.items():
        lines = [line for pattern in patterns for line in _lines(given.data, pattern)]
        assert lines, f"no text below {given.data}"
        held = lines[EVERY - 1 :: EVERY]
        kept = [line for number, line in enumerate(lines, start=1) if number % EVERY]
        for name, some in ((f"{language}.txt", kept), (f"{language}.held.txt", held)):
            _write(given.out / name, some)
    _write(given.out / "en.wiki.txt", [line.strip() for line in _lines(given.data, WIKI)])


def _lines(data: Path, pattern: str) -> Iterator[str]:
    for path in sorted(data.glob(pattern)):
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
        yield from (line for line in text.splitlines() if line.strip())


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(lines):,} lines, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

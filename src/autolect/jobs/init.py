"""files -> a commented recipe: what they are, their language, and a model of a fitting size."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autolect.core import files
from autolect.core.device import power
from autolect.core.errors import UserError
from autolect.jobs.labels.look import LARGEST_LOOK, LONGEST_NAME, TABLES, TAGGED, Look, look
from autolect.text import language, readers, streams, tables
from autolect.text.labels import columns
from autolect.text.labels.formats import folders

SAMPLE_CHARACTERS = 200_000
"""How much text is read to tell the language and the bytes a character takes."""

_SAMPLE_FILES = 20
_PACKED_RATIO = 3
"""Text is about this much larger than its gzip or zstd file."""
_LOOKED_ROWS = 100
_UNSPACED = ("zh", "ja", "ko", "th")
_MANY_CHARACTERS = ("zh", "ja")
_FEWEST_PIECES = 4000
"""Smaller vocabularies would lack common Chinese characters, of which everyday text has about 3,500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A recipe's text, and what was found, to show."""

    text: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Network:
    """An encoder for up to so many characters of text, and for so much work."""

    characters: float
    work: float
    """Minutes of pretraining on two cores with AVX2, times `power`; below, a smaller one learns more."""
    width: int
    layers: int
    rate: float


_NETWORKS = (
    _Network(0, 0, 64, 2, 6e-3),
    _Network(3e5, 1, 128, 2, 3e-3),
    _Network(3e6, 8, 192, 3, 2e-3),
    _Network(3e7, 300, 256, 4, 1e-3),
    _Network(3e8, 1500, 384, 6, 1e-3),
    _Network(3e9, 6000, 512, 8, 6e-4),
    _Network(float("inf"), 20_000, 768, 12, 4e-4),
)
"""From small to large. Measured are the work of the second and that the fourth needs more than 108; what lies
above is a guess (docs/LOG.md)."""


@dataclass(frozen=True, slots=True)
class _Amount:
    """Up to so many characters of text: a vocabulary, and minutes if none are named."""

    characters: float
    vocab_size: int
    minutes: float


_AMOUNTS = (
    _Amount(3e5, 2000, 2),
    _Amount(3e6, 6000, 5),
    _Amount(3e7, 8000, 15),
    _Amount(3e8, 16000, 90),
    _Amount(float("inf"), 32000, 480),
)
_SHOWN = 60
"""Characters of a header that are shown."""
_HEAD = 64
"""Features of a head, in networks that are wide enough for four of them."""
_MANY = 16_384
"""Tokens a step where small products leave the machine idle."""
_MANY_FROM = 100.0
"""Which it is from this `power` on."""


@dataclass(frozen=True, slots=True)
class _Size:
    """What a recipe says of sizes."""

    vocab_size: int
    minutes: float
    network: _Network
    batch_tokens: int | None


def init(
    patterns: Sequence[str], *, recipe: Path, minutes: float | None = None, encoding: str = "utf-8"
) -> Proposal:
    """Write a recipe for the files that paths, folders and patterns name; an existing one stays.

    minutes: of pretraining on this machine; empty: by the amount of text.  encoding: of files without a byte
    order mark.
    """
    if recipe.exists():
        raise UserError("is there already", where=str(recipe), fix="choose another name with -o")
    proposal = propose(patterns, beside=recipe.parent, minutes=minutes, encoding=encoding)
    files.save_file(recipe, proposal.text)
    return proposal


def propose(
    patterns: Sequence[str], *, beside: Path, minutes: float | None = None, encoding: str = "utf-8"
) -> Proposal:
    """Look at files; paths in the recipe are relative to ``beside`` where they lie below it."""
    places = [one for one in map(Path, patterns) if one.is_dir()]
    labelled = [seen for one in places if (seen := look(one, encoding=encoding)) is not None]
    patterns = [one for one in patterns if Path(one) not in [seen.path for seen in labelled]]
    paths = readers.expand(patterns) if patterns else []
    found = {path: look(path, encoding=_encoding([path], encoding)) for path in paths}
    tasks = [*labelled, *(one for one in found.values() if one is not None)]
    if len({one.kind for one in tasks}) > 1:
        two = next(one for one in tasks if one.kind != tasks[0].kind)
        what = f"holds data to {two.kind}, and {tasks[0].path} data to {tasks[0].kind}"
        raise UserError(what, where=str(two.path), fix="init takes one task; leave one of them out")
    plain = [path for path, one in found.items() if one is None]
    parts = _parts(tasks)
    _refuse_unlike(parts)
    learned, encoding = encoding, _encoding(plain or [parts["train"].path], encoding)
    column = _text_column(plain, encoding) if plain else _column(parts)
    corpus = plain or readers.expand([str(parts["train"].path)])
    texts, ratio = sample(corpus, column, encoding=encoding)
    code = language.guess(texts)
    total = sum(characters(path, column, ratio, encoding=encoding) for path in corpus)
    size = _size(total, code, minutes)
    written = _short(patterns, plain, beside) if plain else [_from(parts["train"].path, beside)]
    keys = [_encoding_key(encoding), _encoding_key(_encoding([one.path for one in parts.values()], learned))]
    return Proposal(
        text=_text(written, code, size, parts, column=column, encodings=keys, beside=beside),
        rows=(
            *_rows(corpus, code, total, size, parts),
            *_untold(plain, encoding),
            *_foldered(patterns, beside),
        ),
    )


def _size(characters: float, code: str, minutes: float | None) -> _Size:
    """The largest network that the text can fill and the minutes can train."""
    amount = next(one for one in _AMOUNTS if characters <= one.characters)
    minutes = amount.minutes if minutes is None else minutes
    speed = power()
    most = next(place for place, one in enumerate(_NETWORKS) if characters <= one.characters)
    fitting = [one for one in _NETWORKS[: most + 1] if one.work <= minutes * speed]
    return _Size(
        vocab_size=max(amount.vocab_size, _FEWEST_PIECES if code in _MANY_CHARACTERS else 0),
        minutes=minutes,
        network=fitting[-1],
        batch_tokens=_MANY if speed >= _MANY_FROM else None,
    )


def _parts(tasks: Sequence[Look]) -> dict[str, Look]:
    """train, valid and test by the files' names; the largest of the others is train."""
    parts: dict[str, Look] = {}
    others = []
    for one in tasks:
        name = re.search(r"(?<![a-z])(train|valid|val|dev|test)(?![a-z])", one.path.name.lower())
        part = {"val": "valid", "dev": "valid"}.get(name[1], name[1]) if name else ""
        if part and part not in parts:
            parts[part] = one
        else:
            others.append(one)
    if tasks and "train" not in parts:
        chosen = max(others or [*parts.values()], key=lambda one: one.num_examples)
        parts = {"train": chosen, **{name: one for name, one in parts.items() if one is not chosen}}
    return parts


def _encoding(paths: Sequence[Path], given: str) -> str:
    """The encoding of some files: UTF-8 where all of them are, however another one is written."""
    return "utf-8" if given != "utf-8" and all(map(streams.is_utf8, paths)) else given


def _encoding_key(encoding: str) -> list[str]:
    return [f"encoding = {_toml(encoding)}"] if encoding != "utf-8" else []


def _refuse_unlike(parts: dict[str, Look]) -> None:
    """UserError where one key would have to name a column that only some of the files have."""
    train = parts.get("train")
    for one in parts.values():
        if train is not None and (one.asked or train.asked) and one.columns != train.columns:
            shown = [
                f"its texts in column {look.columns[0]!r}" if look.columns else "no columns"
                for look in (one, train)
            ]
            what = f"has {shown[0]}, and {train.path} {shown[1]}; a number is that of a column without a name"
            raise UserError(what, where=str(one.path), fix="give all of them a first line of the same names")


def _text_column(plain: Sequence[Path], encoding: str) -> str:
    """The column that text files with columns share; see `_longest`. UserError where they share none."""
    column, first = "text", None
    for path in plain:
        if streams.suffix(path) not in (*TABLES, ".parquet"):
            continue
        rows = list(itertools.islice(tables.headed_rows(path, encoding=encoding), _LOOKED_ROWS + 1))
        if not rows:
            continue
        if first is None:
            column, first = _longest(rows, path), path
        elif column not in rows[0].cells:
            what = f"has no column {column!r}, in which {first} has its texts"
            raise UserError(what, where=str(path), fix="give them the same names, or leave one of them out")
    return column


def _longest(rows: Sequence[tables.Row], path: Path) -> str:
    """The column of the texts by its header, the first row: a usual name, else that of the longest cells."""
    names = [cell or "" for cell in rows[0].cells]
    usual = next((name for name in columns.TEXT_NAMES[0] if name in names), "")
    if usual or len(rows) < 2:
        return usual or "text"
    if max(map(len, names)) > LONGEST_NAME:
        raise UserError(
            "has no header, as it seems: its first row is a text",
            where=str(path),
            fix="write names of the columns into a first line; a recipe with task.train and task.kind ="
            ' "translate" or "pair" learns from pairs of texts as they are',
        )
    sizes = [sum(len(row.cells[at] or "") for row in rows[1:]) for at in range(len(names))]
    return names[sizes.index(max(sizes))]


def _column(parts: dict[str, Look]) -> readers.Column:
    """The columns from which the labelled file is read as text, too."""
    train = parts["train"]
    if train.kind == "tag" and (streams.suffix(train.path) in TAGGED or train.path.is_dir()):
        return "text"
    if train.columns and not any(name.isdecimal() for name in train.columns):
        return train.columns if len(train.columns) > 1 else train.columns[0]
    raise UserError(
        "has labels but no column that can be read as text",
        where=str(train.path),
        fix="name files of plain text as well; the model learns the language from them",
    )


def sample(
    paths: Sequence[Path],
    column: readers.Column,
    *,
    encoding: str = "utf-8",
    document: readers.DocumentUnit = "auto",
) -> tuple[list[str], float]:
    """Texts to judge by, and the bytes of file that one character stands for."""
    texts: list[str] = []
    step = max(1, len(paths) // _SAMPLE_FILES)
    chosen = paths[::step][:_SAMPLE_FILES]
    for path in chosen:
        left = SAMPLE_CHARACTERS // len(chosen)
        for one in readers.read(path, column=column, encoding=encoding, document=document):
            texts.append(one.text[:left])
            left -= len(one.text)
            if left <= 0:
                break
    if not texts:
        raise UserError("there is no text in it", where=str(paths[0]), fix="name files with text")
    joined = "".join(texts)
    return texts, max(1.0, len(joined.encode(encoding, "replace")) / len(joined))


def characters(path: Path, column: readers.Column, ratio: float, *, encoding: str = "utf-8") -> float:
    """Characters of text in a file: counted where tags and columns stand beside it, else told by its size."""
    size = path.stat().st_size
    if streams.suffix(path) in (*TAGGED, *TABLES) and size <= LARGEST_LOOK:
        return sum(len(one.text) for one in readers.read(path, column=column, encoding=encoding))
    packed = path.suffix.lower() in (".gz", ".zst", ".parquet")
    return size * (_PACKED_RATIO if packed else 1) / ratio


def _short(patterns: Sequence[str], plain: Sequence[Path], beside: Path) -> list[str]:
    """What the user wrote, but for what names other files than text too: then its text files one by one."""
    texts = set(plain)
    named = {pattern: readers.expand([pattern]) for pattern in patterns}
    written = [
        [Path(pattern)] if texts.issuperset(found) else [one for one in found if one in texts]
        for pattern, found in named.items()
    ]
    return list(dict.fromkeys(_from(path, beside) for paths in written for path in paths))


def _from(path: Path, folder: Path) -> str:
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(folder))  # noqa: PTH100 (keep links)
    return (absolute.relative_to(base) if absolute.is_relative_to(base) else absolute).as_posix()


def _rows(
    corpus: Sequence[Path], code: str, characters: float, size: _Size, parts: dict[str, Look]
) -> tuple[tuple[str, str], ...]:
    rows = [("text", f"{len(corpus)} {'file' if len(corpus) == 1 else 'files'}, about {_round(characters)}")]
    rows += [("language", code), ("encoder", f"{size.network.layers} layers, width {size.network.width}")]
    unit = "minute" if size.minutes == 1 else "minutes"
    rows += [("vocabulary", f"{size.vocab_size}"), ("pretraining", f"{size.minutes:g} {unit}")]
    rows += [
        (name, f"{one.path.name}, {one.num_examples} examples{_taken(one)}") for name, one in parts.items()
    ]
    rows += [("task", parts["train"].kind if parts else "none")]
    return tuple(rows)


def _taken(one: Look) -> str:
    """What a first row was taken for where that is not sure."""
    if not one.asked:
        return ""
    return f"; its first row is taken for {'a text' if one.asked.isdecimal() else 'a header'}, see the recipe"


def _untold(plain: Sequence[Path], encoding: str) -> Iterator[tuple[str, str]]:
    """Tables that are taken for text, with what they hold: somebody may know labels among it."""
    for path in plain:
        if streams.suffix(path) not in TABLES or path.stat().st_size > LARGEST_LOOK:
            continue
        first = next(tables.headed_rows(path, encoding=encoding), None)
        if first is None:
            yield path.name, "nothing stands in it"
        elif len(first.cells) > 1:
            names = ", ".join(cell or "" for cell in first.cells)[:_SHOWN]
            why = f"`autolect labels check {path}` says why"
            yield f"{path.name}", f"text; it was not known to have labels by its columns ({names}): {why}"


def _foldered(patterns: Sequence[str], beside: Path) -> Iterator[tuple[str, str]]:
    """Folders of text whose own folders may be labels: somebody may know."""
    for folder in map(Path, patterns):
        if folders.is_mine(folder, encoding="utf-8"):
            names = ", ".join(sorted(one.name for one in folder.iterdir() if one.is_dir()))
            keys = f'in the recipe a [task] with kind = "classify" and train = {_toml(_from(folder, beside))}'
            yield f"{folder.name}", f"text; if its folders ({names[:_SHOWN]}) are labels: {keys}"


def _round(characters: float) -> str:
    for unit, name in ((1e6, "million"), (1e3, "thousand")):
        if characters >= unit:
            return f"{characters / unit:.1f} {name} characters"
    return f"{characters:.0f} characters"


def _text(
    written: Sequence[str],
    code: str,
    size: _Size,
    parts: dict[str, Look],
    *,
    column: readers.Column,
    encodings: Sequence[list[str]],
    beside: Path,
) -> str:
    """A recipe; encodings: the lines that say those of the text and of the labelled files."""
    why = (
        "no spaces between words: pieces are learned from characters"
        if code in _UNSPACED
        else ("pieces of words, so no word is unknown")
    )
    lines = ["# Written by `autolect init`. Every key is explained in docs/recipe.md.", "", "[corpus]"]
    lines += [f"files = {_toml(list(written))}"]
    lines += encodings[0]
    lines += [f"language = {_toml(code)}  # found by looking at the text"]
    written_column = column if isinstance(column, str) else list(column)
    lines += [f"column = {_toml(written_column)}"] if column != "text" else []
    lines += ['clean = "faithful"  # "classic" also removes stop words and punctuation', ""]
    lines += ["[tokenizer]", f'kind = "unigram"  # {why}']
    lines += [f"vocab_size = {size.vocab_size}  # at most; a small corpus gives fewer", ""]
    lines += ["[vectors]", 'kind = "counts"  # skipgram, cbow, fasttext or none', ""]
    network, heads = size.network, size.network.width // _HEAD
    lines += ["[encoder]", 'kind = "transformer"  # lstm or gru: smaller and faster']
    lines += [f"width = {network.width}", f"layers = {network.layers}"]
    lines += [f"heads = {heads}"] if heads > 4 else []
    lines += [""]
    lines += ["[decoder]", 'kind = "transformer"  # lstm or gru', ""]
    lines += ["[objective]", 'kind = "autoencode"  # masked (BERT), causal (GPT-2) ...', ""]
    lines += ["[train]", f"minutes = {size.minutes:g}  # or steps, epochs, tokens"]
    lines += [f"rate = {network.rate:g}"]
    lines += [f"batch_tokens = {size.batch_tokens}"] if size.batch_tokens else []
    lines += [""]
    return "\n".join([*lines, *_task_lines(parts, encodings[1], beside)])


def _task_lines(parts: dict[str, Look], encoding: Sequence[str], beside: Path) -> list[str]:
    """The lines of the task; encoding: what says how its files are written."""
    if not parts:
        return [
            "# [task]  # with labelled data: what the model is fine-tuned for",
            '# kind = "classify"  # or "tag"',
            '# train = "train.tsv"',
            "",
        ]
    lines = ["[task]", f"kind = {_toml(parts['train'].kind)}"]
    for name in ("train", "valid", "test"):
        lines += [f"{name} = {_toml(_from(parts[name].path, beside))}"] if name in parts else []
    lines += encoding
    if asked := parts["train"].asked:
        taken = (
            "a text: give the name in it if it is a header"
            if asked.isdecimal()
            else "a header: give the column's number, from 1, if it is a text"
        )
        lines += [f"text_column = {_toml(asked)}  # its first row is taken for {taken}"]
    lines += ["several = true  # labels, or none, of one text"] if parts["train"].several else []
    cut = any(one.cut for one in parts.values())
    lines += ["mend = true  # some spans cut words: they grow to whole ones, and are counted"] if cut else []
    missing = [name for name in ("valid", "test") if name not in parts]
    if missing:
        lines += [f"# {' and '.join(missing)}: split off train, the same way each time"]
    return [*lines, "", "# [search]  # tries settings on the valid split", "# trials = 8", ""]


def _toml(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

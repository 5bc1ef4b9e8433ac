"""bundle -> figures: what a pretrained model knows, asked of files that need no task.

text         how well it predicts the text: bits a character, perplexity, hidden tokens
pairs        minimal pairs: is the good sentence the likelier one
similarity   sentence pairs: do the vectors of `embed` agree with people on likeness
words        word pairs: do static vectors
analogies    a is to b as c is to ?
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from autolect.core import config, intervals, metrics
from autolect.core.config import Section
from autolect.core.errors import UserError
from autolect.core.progress import Progress
from autolect.jobs.using.use import Lect
from autolect.nn import scoring
from autolect.text import readers, records, segment, streams, tables
from autolect.text.noise import choose, rows_of
from autolect.text.tokenizer import BOS, EOS, MASK, PAD
from autolect.vectors import probes

Better = Literal["higher", "lower"]
HIDDEN = 0.15
"""Share of the tokens that are hidden to see how many are guessed."""
_BATCH = 32


class Suite(Section):
    """Files to measure a model on; each key takes several, relative to the suite's own folder."""

    text: tuple[str, ...] = ()
    """Texts that are in no corpus: bits a character, perplexity, and the share of hidden tokens guessed."""
    document: Literal["auto", "line", "block", "file"] = "auto"
    """What one document is in them: what stands before it in its own document helps to predict a token."""
    pairs: tuple[str, ...] = ()
    """Minimal pairs: good and bad sentence as two columns, or JSON Lines with sentence_good, sentence_bad."""
    similarity: tuple[str, ...] = ()
    """Two sentences and how alike people find them."""
    words: tuple[str, ...] = ()
    """Two words and how alike people find them."""
    analogies: tuple[str, ...] = ()
    """Four words a line: the second is to the first as the fourth is to the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFigure:
    """One measured figure. beside: what simpler ways give on the same file."""

    what: str
    file: str
    value: float
    better: Better
    count: int
    """Items that it is measured over."""
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What was measured on which file."""
        return f"{self.what}, {self.file}"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "what": self.what,
            "file": self.file,
            "value": self.value,
            "better": self.better,
            "count": self.count,
            "beside": dict(self.beside),
        }


def read(path: Path) -> Suite:
    """Read a suite; UserError where it names no file, or one that is not there."""
    table = config.read_toml(path)
    try:
        found = Suite.model_validate(table)
    except ValidationError as error:
        raise config.complaint(error, where=str(path), section=Suite) from None
    places = {key: tuple(str((path.parent / name).resolve()) for name in getattr(found, key)) for key in _ASK}
    if not any(places.values()):
        raise UserError("names no file", where=str(path), fix=f"give one of {', '.join(_ASK)}")
    for key, names in places.items():
        for name in names:
            if not Path(name).is_file():
                raise UserError("no such file", where=name, fix=f"mend {key!r} in {path}")
    return found.model_copy(update=places)


def measure(lect: Lect, suite: Suite, *, progress: Progress) -> list[SuiteFigure]:
    """Every figure that this bundle can give, in the suite's order; what it cannot is said."""
    found: list[SuiteFigure] = []
    for key, ask in _ASK.items():
        for name in getattr(suite, key):
            figures = list(ask(lect, Path(name), suite))
            found += figures
            if not figures:
                progress.say(f"suite: {lect.name} cannot answer {Path(name).name!r} ({key})")
            for one in figures:
                progress.say(f"suite: {one.name}: {one.value:.4g}")
    return found


def _text(lect: Lect, path: Path, suite: Suite) -> Iterator[SuiteFigure]:
    documents = [one.text for one in readers.read(path, document=suite.document)]
    cleaned = [lect.reader.cleaner.clean(text).text for text in documents]
    cleaned = [text for text in cleaned if text]
    if not cleaned:
        raise UserError("no text is left after cleaning", where=str(path))
    ids = [found.ids for found in lect.reader.tokenizer.encode_batch(cleaned)]
    whole = "\n".join(cleaned) + "\n"
    if lect.model.architecture.causal:
        yield from _predicted(lect, ids, whole, path)
    if "fill" in lect.abilities:
        yield from _hidden(lect, cleaned, path)


def _predicted(lect: Lect, ids: list[NDArray[np.int32]], whole: str, path: Path) -> Iterator[SuiteFigure]:
    """Every token from those before it. The end of a document is a token too, and a character."""
    pieces = [
        piece for one in ids for piece in scoring.windows(one, begin=BOS, stop=EOS, length=lect.info.length)
    ]
    nats = -float(scoring.log_likelihoods(lect.model, pieces, pad=PAD).sum())
    count = sum(len(one) + 1 for one in ids)
    unknown = sum(lect.reader.tokenizer.unknown_rate(one) * len(one) for one in ids)
    if not unknown:
        # An unknown token hides which character it was, so that there are no bits to speak of.
        packed = 8 * len(lzma.compress(whole.encode(), preset=9 | lzma.PRESET_EXTREME))
        yield SuiteFigure(
            what="bits a character",
            file=path.name,
            value=nats / math.log(2) / len(whole),
            better="lower",
            count=len(whole),
            beside={"xz -9e": packed / len(whole)},
        )
    yield SuiteFigure(
        what="perplexity",
        file=path.name,
        value=math.exp(min(50.0, nats / count)),
        better="lower",
        count=count,
    )


def _hidden(lect: Lect, cleaned: Sequence[str], path: Path) -> Iterator[SuiteFigure]:
    """Tokens hidden alone by chance, all as the mask; the same ones at every call."""
    draw = np.random.default_rng(0)
    room, count, right, loss = lect.max_tokens, 0, 0, 0.0
    sequences = [
        one.ids[start : start + room]
        for one in lect.reader.tokenizer.encode_batch(cleaned)
        for start in range(0, len(one.ids), room)
    ]
    sequences.sort(key=len)
    for start in range(0, len(sequences), _BATCH):
        some = sequences[start : start + _BATCH]
        texts = rows_of(some, None, 2 + max(map(len, some)))
        chosen = choose(texts, HIDDEN, draw)
        guessed = scoring.guess_hidden(lect.model, texts.ids, chosen, pad=PAD, mask=MASK)
        count, right, loss = count + guessed.count, right + guessed.right, loss + guessed.loss
    if count:
        yield SuiteFigure(
            what="hidden tokens guessed", file=path.name, value=right / count, better="higher", count=count
        )
        yield SuiteFigure(
            what="perplexity of hidden tokens",
            file=path.name,
            value=math.exp(min(50.0, loss / count)),
            better="lower",
            count=count,
        )


def _pairs(lect: Lect, path: Path, suite: Suite) -> Iterator[SuiteFigure]:
    """A pair is right when the good sentence is the likelier one; a tie is wrong."""
    del suite
    if "score" not in lect.abilities:
        return
    pairs = read_pairs(path)
    good, bad = lect.score([one for one, _ in pairs]), lect.score([other for _, other in pairs])
    right = [one > other for one, other in zip(good, bad, strict=True)]
    interval = intervals.bootstrap(metrics.mean_score, right, seed=0)
    yield SuiteFigure(
        what="minimal pairs right",
        file=path.name,
        value=sum(right) / len(right),
        better="higher",
        count=len(right),
        beside={"chance": 0.5, "low": interval.low, "high": interval.high},
    )


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(good, bad) sentences; UserError with the line that is no such pair."""
    if streams.suffix(path) in records.JSONL:
        found = []
        for record in records.read_records(path, encoding="utf-8"):
            sentences = [record.values.get(key) for key in ("sentence_good", "sentence_bad")]
            if not all(isinstance(one, str) and one for one in sentences):
                raise UserError("sentence_good or sentence_bad is missing", where=record.where)
            found.append((str(sentences[0]), str(sentences[1])))
    else:
        found = []
        for row in tables.read_rows(path, encoding="utf-8"):
            if len(row.cells) < 2 or not row.cells[0] or not row.cells[1]:
                raise UserError("is not a good and a bad sentence", where=row.where, fix="write good TAB bad")
            found.append((row.cells[0], row.cells[1]))
    if not found:
        raise UserError("holds no pairs", where=str(path))
    return found


def _similarity(lect: Lect, path: Path, suite: Suite) -> Iterator[SuiteFigure]:
    del suite
    ones, others, scores = read_scored(path)
    texts = [*ones, *others]
    value = metrics.spearman(_cosines(lect.embed(texts)), scores)
    beside = {"latent": metrics.spearman(_cosines(lect.encode(texts)), scores)}
    if (vectors := lect.words) is not None:
        beside["mean of word vectors"] = metrics.spearman(_cosines(_averaged(lect, vectors, texts)), scores)
    yield SuiteFigure(
        what="likeness of sentences",
        file=path.name,
        value=value,
        better="higher",
        count=len(scores),
        beside=beside,
    )


def read_scored(path: Path) -> tuple[list[str], list[str], list[float]]:
    """Two sentences and a number a line; UserError with the line that is none."""
    ones, others, scores = [], [], []
    for number, row in enumerate(tables.read_rows(path, encoding="utf-8")):
        cells = [cell or "" for cell in row.cells]
        try:
            score = float(cells[2])
        except (IndexError, ValueError):
            if number == 0 and len(cells) > 2:
                continue
            raise UserError(
                "is not two sentences and a number", where=row.where, fix="write sentence, sentence, score"
            ) from None
        ones.append(cells[0])
        others.append(cells[1])
        scores.append(score)
    if not scores:
        raise UserError("holds no scored pairs", where=str(path))
    return ones, others, scores


def _cosines(rows: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Rows (2N,D), first and second sentences -> (N,)."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms == 0, 1, norms)
    half = len(rows) // 2
    cosines: NDArray[np.floating[Any]] = (unit[:half] * unit[half:]).sum(axis=1)
    return cosines


def _averaged(lect: Lect, vectors: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """The mean of the static vectors of each text's words (N,D)."""
    rows = np.zeros((len(texts), vectors.matrix.shape[1]), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        spans = segment.words(text, language=lect.info.language)
        places = [vectors.place(text[start:end].lower()) for start, end in spans]
        known = [place for place in places if place is not None]
        if known:
            row[:] = vectors.matrix[known].mean(axis=0)
    return rows


def _words(lect: Lect, path: Path, suite: Suite) -> Iterator[SuiteFigure]:
    del suite
    if (vectors := lect.words) is not None:
        yield from _probed("likeness of words", path, probes.similarity(vectors, probes.read_pairs(path)))


def _analogies(lect: Lect, path: Path, suite: Suite) -> Iterator[SuiteFigure]:
    del suite
    if (vectors := lect.words) is not None:
        yield from _probed("analogies", path, probes.analogies(vectors, probes.read_analogies(path)))


def _probed(what: str, path: Path, probe: probes.Probe) -> Iterator[SuiteFigure]:
    if probe.score is not None:
        yield SuiteFigure(
            what=what,
            file=path.name,
            value=probe.score,
            better="higher",
            count=probe.covered,
            beside={"covered": probe.covered / probe.total},
        )


_ASK: dict[str, Callable[[Lect, Path, Suite], Iterator[SuiteFigure]]] = {
    "text": _text,
    "pairs": _pairs,
    "similarity": _similarity,
    "words": _words,
    "analogies": _analogies,
}

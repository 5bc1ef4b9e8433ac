"""files -> corpus: documents read, cleaned, freed of repeats and split. And corpus -> tokens."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.core.recipe import CorpusConfig, Recipe
from autolect.jobs.stages import Run, section
from autolect.text import language, readers, split
from autolect.text.clean import Cleaner
from autolect.text.cutter import Cutter
from autolect.text.dedup import Deduplicator
from autolect.text.marks import token_marks
from autolect.text.shards import NO_STYLE, TokenWriter
from autolect.text.tokenizer import Tokenizer
from autolect.text.tokenizer import train as train_tokenizer

DOCUMENTS, SPLIT, FIGURES = "documents.parquet", "split.npy", "corpus.json"
TOKENS = "tokens.json"
BATCH = 1000
AT_ONCE = 1_000_000
"""Characters of documents that are cleaned and compared at once, but for the last one of them."""
MOST_STYLES = 1000
"""More different values than this are no kinds of text."""
ENDLESS = 20_000
"""Characters from which a document among too few to split is no document but a text without breaks."""
LOOKED_AT = 200
"""Documents that the guess of the language looks at."""


def prepare(run: Run) -> Path:
    """Make the corpus folder of a run."""
    config = run.recipe.corpus
    assert config is not None
    paths = readers.expand(config.files)
    run.progress.say(f"corpus: reading {len(paths)} file(s)")
    hashes = {str(path): files.sha256(path) for path in paths}
    needs = {**section(run.recipe, "corpus", "seed"), "files": list(hashes.values())}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        figures = _Corpus(config, paths, run).write(folder)
        figures["files"] = {Path(name).name: value for name, value in hashes.items()}
        files.save_json(folder / FIGURES, figures)
        facts["documents"] = figures["documents"]

    return run.stage("corpus", kind="corpus", needs=needs, make=make)


def tokenize(run: Run, corpus: Path) -> Path:
    """Make the tokens folder of a run: the tokenizer, and each split's token ids."""
    start = run.recipe.start
    needs: dict[str, Any] = {"corpus": bundle.digest(corpus)}
    needs |= {"start": bundle.digest(Path(start))} if start else section(run.recipe, "tokenizer")
    # An objective that does not say whether it asks for marks gets them.
    marked = needs["marked"] = bool(getattr(run.recipe.objective, "marked", True))

    def make(folder: Path, facts: dict[str, Any]) -> None:
        known = files.read_json(corpus / FIGURES)["language"]
        if start:
            tokenizer = Tokenizer.load(Path(start))
            styles = tuple(bundle.open_bundle(Path(start)).architecture.get("styles", ()))
        else:
            started = time.monotonic()
            tokenizer = _learned(run.recipe, corpus, language=known)
            facts["learning_seconds"] = round(time.monotonic() - started, 2)
            styles = tuple(sorted(set(documents(corpus, "train", column="style")) - {""}))
        tokenizer.save(folder)
        figures: dict[str, Any] = {
            "kind": tokenizer.kind,
            "vocab_size": len(tokenizer),
            "styles": list(styles),
        }
        cutter = Cutter(tokenizer)
        for name in split.NAMES:
            with TokenWriter(folder, name, marked=marked) as writer:
                figures[name] = _write_tokens(writer, name, corpus, cutter, styles, language=known)
        facts["vocab_size"] = len(tokenizer)
        wanted = run.recipe.tokenizer.vocab_size
        if not start and len(tokenizer) < wanted:
            run.progress.say(
                f"tokens: the text gives {len(tokenizer):,} tokens, not {wanted:,}: it has no more"
            )
        files.save_json(folder / TOKENS, figures)
        unknown = figures["train"]
        if start:
            run.progress.say(
                f"tokens: of the new tokens the bundle's tokenizer leaves {unknown['unknown_rate']:.2%}"
                f" unknown and spells {unknown['spelt_rate']:.2%} byte by byte"
            )

    return run.stage("tokens", kind="tokens", needs=needs, make=make)


def _learned(recipe: Recipe, corpus: Path, *, language: str) -> Tokenizer:
    """A tokenizer of the corpus's training documents; UserError where they are too few for any."""
    config = recipe.tokenizer
    return train_tokenizer(
        documents(corpus, "train"),
        kind=config.kind,
        vocab_size=config.vocab_size,
        lowercase=config.lowercase,
        language=language,
        seed=recipe.seed,
    )


def documents(
    corpus: Path, name: str, *, column: Literal["text", "where", "style"] = "text"
) -> Iterator[str]:
    """The texts of one split, or the places they come from, or their styles, in order, in bounded memory."""
    import pyarrow.parquet as parquet

    assigned = np.load(corpus / SPLIT, allow_pickle=False)
    wanted, place = split.NAMES.index(name), 0
    with parquet.ParquetFile(corpus / DOCUMENTS) as table:
        for batch in table.iter_batches(columns=[column], batch_size=BATCH):
            for text in batch.column(0).to_pylist():
                if assigned[place] == wanted:
                    yield text
                place += 1


class _Corpus:
    """Writes a corpus in one pass over the files."""

    def __init__(self, config: CorpusConfig, paths: list[Path], run: Run) -> None:
        self.config, self.paths, self.run = config, paths, run
        self.language = config.language
        if self.language == "auto":
            seen = [document.text for document in islice(self._read(), LOOKED_AT)]
            if not seen:
                raise UserError("there is no text in it", where=str(paths[0]), fix="name files with text")
            self.language = language.guess(seen)
        self.cleaner = Cleaner(config.clean, language=self.language)
        self.dedup = Deduplicator(config.dedup)
        # Plain numbers take less memory than Python's, and there may be many documents.
        self.lengths, self.sources = array("q"), array("i")
        self.counts: Counter[str] = Counter()
        self.names: dict[str, int] = {}
        self.styles: Counter[str] = Counter()

    def write(self, folder: Path) -> dict[str, Any]:
        """Documents, their split, and the figures."""
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        schema = arrow.schema([(name, arrow.string()) for name in ("text", "source", "where", "style")])
        with parquet.ParquetWriter(folder / DOCUMENTS, schema, compression="zstd") as writer:
            kept = self._kept()
            while rows := list(islice(kept, BATCH)):
                columns = {name: [row[name] for row in rows] for name in schema.names}
                writer.write_table(arrow.table(columns, schema=schema))
                self.run.progress.advance("corpus", len(self.lengths), None, "documents")
        if not self.lengths:
            raise UserError(
                "no text is left after reading and cleaning",
                where="corpus.files",
                fix="check the files, corpus.column and corpus.clean",
            )
        self._refuse_endless()
        assigned = split.assign(
            np.array(self.lengths),
            np.array(self.sources),
            valid=self.config.split.valid,
            test=self.config.split.test,
            seed=self.run.recipe.seed,
        )
        np.save(folder / SPLIT, assigned)
        return self._figures(assigned)

    def _read(self) -> Iterator[readers.Document]:
        for path in self.paths:
            yield from readers.read(
                path,
                column=self.config.column,
                encoding=self.config.encoding,
                document=self.config.document,
                style=self.config.style,
            )

    def _kept(self) -> Iterator[dict[str, str]]:
        for document, text, verdict in self._judged():
            self.counts["read"] += 1
            self.counts["characters_read"] += len(document.text)
            if verdict != "new":
                self.counts[verdict] += 1
                continue
            self.lengths.append(len(text))
            self.sources.append(self.names.setdefault(document.source, len(self.names)))
            if document.style:
                self.styles[document.style] += 1
            if len(self.styles) > MOST_STYLES:
                raise UserError(
                    f"has more than {MOST_STYLES} different values, first {next(iter(self.styles))!r}",
                    where="corpus.style",
                    fix="name a column with few, such as a genre or an author",
                )
            values = {"source": document.source, "where": document.where, "style": document.style}
            yield {"text": text, **values}

    def _judged(self) -> Iterator[tuple[readers.Document, str, str]]:
        """Each document, its clean text, and whether that is new."""
        read = self._read()
        while some := _some(read):
            texts = [self.cleaner.clean(document.text).text for document in some]
            verdicts = iter(self.dedup.check([text for text in texts if text]))
            for document, text in zip(some, texts, strict=True):
                yield document, text, next(verdicts) if text else "empty"

    def _refuse_endless(self) -> None:
        """A text without breaks is one document, of which nothing can be kept from training."""
        longest, share = max(self.lengths), self.config.split.valid + self.config.split.test
        if share and len(self.lengths) < len(split.NAMES) and longest >= ENDLESS:
            raise UserError(
                f"{len(self.lengths)} document(s) of up to {longest:,} characters: text without breaks",
                where="corpus.files",
                fix="put line breaks between its sentences or paragraphs: what stands between is a document",
            )

    def _figures(self, assigned: NDArray[np.int8]) -> dict[str, Any]:
        lengths = np.array(self.lengths)
        return {
            "language": self.language,
            "cleaning": list(self.cleaner.steps),
            "removed": dict(self.cleaner.removed),
            "read": self.counts["read"],
            "characters_read": self.counts["characters_read"],
            "documents": len(lengths),
            "characters": int(lengths.sum()),
            "empty": self.counts["empty"],
            "exact_duplicates": self.counts["exact"],
            "near_duplicates": self.counts["near"],
            "dedup": self.dedup.describe(),
            "splits": {
                name: {
                    "documents": int((assigned == place).sum()),
                    "characters": int(lengths[assigned == place].sum()),
                }
                for place, name in enumerate(split.NAMES)
            },
            "lengths": np.percentile(lengths, [0, 5, 25, 50, 75, 95, 100]).tolist(),
        }


def _some(documents: Iterator[readers.Document]) -> list[readers.Document]:
    """The next few documents: together not much longer than a long one."""
    some: list[readers.Document] = []
    size = 0
    while len(some) < BATCH and size < AT_ONCE and (one := next(documents, None)) is not None:
        some.append(one)
        size += len(one.text)
    return some


def _write_tokens(
    writer: TokenWriter,
    name: str,
    corpus: Path,
    cutter: Cutter,
    styles: tuple[str, ...],
    *,
    language: str,
) -> dict[str, Any]:
    tokenizer = cutter.tokenizer
    numbers = {style: number for number, style in enumerate(styles)}
    unknown = spelt = 0.0
    texts, kinds = documents(corpus, name), documents(corpus, name, column="style")
    while some := list(islice(texts, BATCH)):
        found = cutter.cut(some)
        offsets = [one.offsets for one in found]
        marks = token_marks(some, offsets, language=language) if writer.marked else [None] * len(found)
        for one, of_one, style in zip(found, marks, kinds, strict=False):
            writer.add(one.ids, of_one, style=numbers.get(style, NO_STYLE))
        ids = np.concatenate([one.ids for one in found])
        unknown += tokenizer.unknown_rate(ids) * len(ids)
        spelt += tokenizer.spelt_rate(ids) * len(ids)
    total = writer.num_tokens
    rates = {"unknown_rate": unknown / max(1, total), "spelt_rate": spelt / max(1, total)}
    return {"tokens": total, **rates}

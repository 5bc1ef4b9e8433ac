"""Text to token ids and back. One runtime for every kind: a ``tokenizers`` model in a tokenizer.json.

The special tokens have the same ids in every vocabulary, and no text can spell one: they are put in
by those who build batches, and ``[MASK]`` by ``encode(text, masks=True)`` alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tokenizers
from numpy.typing import NDArray
from pydantic import StrictBool, StrictStr, ValidationError

from autolect.core.config import Section
from autolect.core.errors import DamagedError, UserError
from autolect.text import segment, tokenizer_training
from autolect.text.tokenizer_parts import (
    BOS,
    BYTES,
    EOS,
    MASK,
    NUM_SPECIAL,
    PAD,
    SPACE,
    SPECIALS,
    UNK,
    Kind,
    Pieces,
    build,
    has_bytes,
    readable,
    rust_errors,
    skeleton,
)

__all__ = [
    "BOS",
    "EOS",
    "MASK",
    "NUM_SPECIAL",
    "PAD",
    "SPACE",
    "SPECIALS",
    "UNK",
    "Encoding",
    "Kind",
    "Tokenizer",
    "train",
]

FILE = "tokenizer.json"
SETTINGS = "tokenizer.settings.json"
SCHEMA_VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """The tokens of one text, without ``[BOS]`` and ``[EOS]``.

    ids: (n,) int32.  offsets: (n, 2) int32, start and end in code points of the text as it was given.
    A piece that begins with a space has it in its span; the bytes of one character share its span.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]


def train(
    texts: Iterable[str],
    *,
    kind: Kind,
    vocab_size: int,
    lowercase: bool = False,
    language: str = "en",
    seed: int = 0,
) -> Tokenizer:
    """Learn a vocabulary of at most ``vocab_size`` tokens; ``len()`` says how many the texts gave.

    unigram: SentencePiece's model (Kudo 2018), best where words have no blanks between them.
    bpe: merges of characters (Sennrich 2016); Chinese characters and kana stay single.
    wordpiece: as in BERT, blanks are lost, Chinese characters stay single.
    word: words of the language (rjieba for Chinese), blanks are lost.  char: one character a token.
    unigram, bpe and char give back every text exactly, as long as nothing is ``[UNK]`` and nothing
    holds U+2581, which they read as a space. Raises UserError when there is nothing to learn from.
    """
    pieces = tokenizer_training.learn(
        texts, kind=kind, vocab_size=vocab_size, lowercase=lowercase, language=language, seed=seed
    )
    return Tokenizer(pieces, kind=kind, language=language, lowercase=lowercase)


class Tokenizer:
    """A vocabulary and the rules that cut a text into it. Immutable; safe to share between threads."""

    def __init__(self, pieces: Pieces, *, kind: Kind, language: str, lowercase: bool) -> None:
        self.kind: Kind = kind
        self.language = language
        self.lowercase = lowercase
        self.tokens: list[str] = list(pieces.tokens)
        """The piece of every id; ``SPACE`` stands for a space in it."""
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self._words = {token: number for token, number in self._ids.items() if number >= NUM_SPECIAL}
        self._runtime = build(pieces, kind=kind, lowercase=lowercase)
        self._bytes = has_bytes(self.tokens)
        self._sizes = self._piece_sizes()

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str, *, masks: bool = False) -> Encoding:
        """Cut one text. With ``masks``, each literal ``[MASK]`` in it becomes the mask token."""
        if not masks:
            return self.encode_batch([text])[0]
        mask = SPECIALS[MASK]
        parts = text.split(mask)
        ids: list[NDArray[np.int32]] = []
        offsets: list[NDArray[np.int32]] = []
        start = 0
        for part, found in zip(parts, self.encode_batch(parts), strict=True):
            end = start + len(part)
            ids += [found.ids, np.array([MASK], np.int32)]
            offsets += [found.offsets + np.int32(start), np.array([[end, end + len(mask)]], np.int32)]
            start = end + len(mask)
        return Encoding(np.concatenate(ids[:-1]), np.concatenate(offsets[:-1]))

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Cut many texts at once, on all threads of the Rust side (one thread for kind "word")."""
        if self.kind == "word":
            return [self._encode_words(text) for text in texts]
        read = [readable(text) for text in texts]
        with rust_errors("text"):
            if self._sizes is None:
                found = self._runtime.encode_batch(read, add_special_tokens=False)
                return [self._encoding(one) for one in found]
            return self._sized(read, self._runtime.encode_batch_fast(read, add_special_tokens=False))

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text of the ids; special tokens, ``[UNK]`` included, leave nothing behind.

        Bytes that do not form a character become U+FFFD.
        """
        plain = [number for number in np.asarray(ids, np.int64).tolist() if not 0 <= number < NUM_SPECIAL]
        assert all(0 < number < len(self) for number in plain), "an id outside the vocabulary"
        if self.kind == "word":
            return segment.join([self.tokens[number] for number in plain])[0]
        if self.kind == "wordpiece":
            return self._join_pieces(plain)
        with rust_errors("ids"):
            return self._runtime.decode(plain, skip_special_tokens=False)

    def token(self, number: int) -> str:
        """The piece of one id."""
        return self.tokens[number]

    def id(self, token: str) -> int | None:
        """The id of one piece, or None."""
        return self._ids.get(token)

    def unknown_rate(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> float:
        """Share of ``[UNK]`` among the ids; 0 when there are none."""
        return float(np.mean(np.asarray(ids) == UNK)) if len(ids) else 0.0

    def spelt_rate(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> float:
        """Share of single bytes, which spell what the vocabulary lacks, among the ids."""
        if not self._bytes or not len(ids):
            return 0.0
        value = np.asarray(ids) - NUM_SPECIAL
        return float(np.mean((value >= 0) & (value < len(BYTES))))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and its settings into a folder that its owner makes durable."""
        settings = _Settings(kind=self.kind, language=self.language, lowercase=self.lowercase)
        text = settings.model_dump_json(indent=1)
        (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
        (folder / FILE).write_text(self._runtime.to_str() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read what `save` wrote. DamagedError names what is wrong; nothing of it is ever guessed."""
        settings = _settings(_read_json(folder / SETTINGS), where=str(folder / SETTINGS))
        raw = _read_json(folder / FILE)
        where = str(folder / FILE)
        pieces = _pieces(raw, kind=settings.kind, where=where)
        try:
            loaded = cls(pieces, kind=settings.kind, language=settings.language, lowercase=settings.lowercase)
        except UserError as error:
            raise DamagedError(error.what, where=where, fix=_FIX) from error
        if skeleton(raw) != skeleton(json.loads(loaded._runtime.to_str())):
            raise DamagedError(
                f"holds components that a {settings.kind} tokenizer does not have", where=where, fix=_FIX
            )
        return loaded

    def _encode_words(self, text: str) -> Encoding:
        text = readable(text)
        spans = segment.words(text, language=self.language)
        words = [text[start:end] for start, end in spans]
        known = self._words
        ids = [known.get(word.lower() if self.lowercase else word, UNK) for word in words]
        return Encoding(np.array(ids, np.int32), np.array(spans, np.int32).reshape(-1, 2))

    def _encoding(self, found: tokenizers.Encoding) -> Encoding:
        ids = np.array(found.ids, np.int32)
        offsets = np.array(found.offsets, np.int32).reshape(-1, 2)
        return Encoding(ids, _split_bytes(ids, offsets) if self._bytes else offsets)

    def _piece_sizes(self) -> NDArray[np.int32] | None:
        """(V,): the characters that each piece stands for, where pieces give back every text exactly."""
        if self.kind not in ("unigram", "bpe", "char") or self.lowercase:
            return None
        sizes = np.array([len(token) for token in self.tokens], np.int32)
        if self._bytes:
            sizes[NUM_SPECIAL : NUM_SPECIAL + len(BYTES)] = [value & 0xC0 != 0x80 for value in range(256)]
        return sizes

    def _sized(self, texts: Sequence[str], found: Sequence[tokenizers.Encoding]) -> list[Encoding]:
        """The offsets by the sizes of the pieces: the runtime's own take longer than the cutting."""
        assert self._sizes is not None
        parts = [np.array(one.ids, np.int32) for one in found]
        borders = np.cumsum([0, *map(len, parts)])
        ids = np.concatenate([*parts, np.zeros(0, np.int32)])
        sizes = self._sizes[ids]
        # Over all texts, one behind the other; where each begins is taken off again.
        ends = np.cumsum(sizes, dtype=np.int64)
        at = np.concatenate([np.zeros(1, np.int64), ends])[borders]
        ends -= np.repeat(at[:-1], np.diff(borders))
        # All bytes of one character have its span.
        offsets = np.stack([ends - np.maximum(sizes, 1), ends], axis=1).astype(np.int32)
        unknown = np.concatenate([np.zeros(1, np.int64), np.cumsum(ids == UNK)])[borders]
        plain = (np.diff(unknown) == 0) & (np.diff(at) == [len(text) for text in texts])
        return [
            Encoding(part, offsets[begin:end])
            if fits
            else self._encoding(self._runtime.encode(text, add_special_tokens=False))
            for part, begin, end, fits, text in zip(
                parts, borders[:-1], borders[1:], plain.tolist(), texts, strict=True
            )
        ]

    def _join_pieces(self, ids: Sequence[int]) -> str:
        words: list[str] = []
        for token in (self.tokens[number] for number in ids):
            if token.startswith("##") and len(token) > 2 and words:
                words[-1] += token[2:]
            else:
                words.append(token)
        return segment.join(words)[0]


def _split_bytes(ids: NDArray[np.int32], offsets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give the bytes of each character that character's span.

    The unigram model spells a run of unknown characters as one, so its bytes all carry the whole run:
    the n-th leading byte of a run belongs to its n-th character.
    """
    value = ids - NUM_SPECIAL
    spelt = (value >= 0) & (value < len(BYTES))
    if not spelt.any():
        return offsets
    places = np.flatnonzero(spelt)
    start, end = offsets[places, 0], offsets[places, 1]
    lead = (value[places] & 0xC0) != 0x80
    new_run = np.ones(len(places), bool)
    new_run[1:] = (np.diff(places) > 1) | (np.diff(start) != 0)
    seen = np.cumsum(lead)
    before = np.maximum.accumulate(np.where(new_run, seen - lead, 0))
    # Lowercasing can make two characters of one, whose bytes then share the last place.
    begin = np.minimum(start + seen - before - 1, end - 1)
    fixed = offsets.copy()
    fixed[places, 0], fixed[places, 1] = begin, begin + 1
    return fixed


_FIX = "restore the folder from a copy, or run the job that made it again"


class _Settings(Section):
    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Kind
    language: StrictStr
    lowercase: StrictBool


def _read_json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DamagedError("is missing", where=str(path), fix=_FIX) from None
    except OSError as error:
        raise DamagedError(f"cannot be read ({error.strerror})", where=str(path), fix=_FIX) from None
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"is not valid JSON ({error})", where=str(path), fix=_FIX) from None
    if not isinstance(raw, dict):
        raise DamagedError("is not a JSON object", where=str(path), fix=_FIX)
    return raw


def _settings(raw: dict[str, Any], *, where: str) -> _Settings:
    version = raw.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(
            f"schema version {version} is newer than {SCHEMA_VERSION}", where=where, fix="update autolect"
        )
    try:
        return _Settings.model_validate({"schema_version": None, **raw})
    except ValidationError:
        raise DamagedError("does not hold the settings of a tokenizer", where=where, fix=_FIX) from None


def _pieces(raw: dict[str, Any], *, kind: Kind, where: str) -> Pieces:
    """Take the vocabulary out of a tokenizer.json; DamagedError unless it is whole and in order."""
    try:
        model = raw["model"]
        if kind == "unigram":
            tokens = [token for token, _ in model["vocab"]]
            scores = [float(score) for _, score in model["vocab"]]
        else:
            ids = model["vocab"]
            tokens, scores = sorted(ids, key=ids.__getitem__), []
            if [ids[token] for token in tokens] != list(range(len(tokens))):
                raise DamagedError("its ids are not 0, 1, 2 ...", where=where, fix=_FIX)
        merges = [(left, right) for left, right in model.get("merges", ())]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DamagedError("its model cannot be read", where=where, fix=_FIX) from None
    strings = [*tokens, *(part for pair in merges for part in pair)]
    if not all(isinstance(token, str) and token for token in strings):
        raise DamagedError("a token is empty or not text", where=where, fix=_FIX)
    if tuple(tokens[:NUM_SPECIAL]) != SPECIALS:
        raise DamagedError("the special tokens are not at their ids", where=where, fix=_FIX)
    if len(set(tokens)) != len(tokens) or not all(map(math.isfinite, scores)):
        raise DamagedError("a token stands twice, or a score is not finite", where=where, fix=_FIX)
    return Pieces(tokens=tokens, scores=scores, merges=merges)

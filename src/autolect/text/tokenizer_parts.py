"""What each kind of tokenizer is made of: special tokens, splitting rules, model and decoder.

The patterns here are part of the file format of a bundle: change one, and old bundles are refused.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from autolect.core.errors import UserError

Kind = Literal["bpe", "wordpiece", "unigram", "word", "char"]

PAD, UNK, BOS, EOS, MASK = 0, 1, 2, 3, 4
SPECIALS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "[MASK]")
"""The special tokens; their ids are their places."""
NUM_SPECIAL = len(SPECIALS)

BYTES = tuple(f"<0x{value:02X}>" for value in range(256))
"""Pieces that spell a character outside the vocabulary in UTF-8; they follow the special tokens."""
SPACE = "▁"
"""U+2581 stands for a space inside a piece, as in SentencePiece."""

CONTROLS = "\n\r\t"
CJK = "\u2e80-\u2fdf\u3000-\u30ff\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
CJK += "\uff01-\uff9f\U00020000-\U0003ffff"
"""Chinese characters, kana and their punctuation, as the inside of a character class."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_PUNCTUATION = r" ?[\p{P}\p{S}]+"

ALONE = {
    # "[" and "<" stand alone so that no text can spell a special token or a byte piece.
    "unigram": rf"[{CONTROLS}\[<]",
    "bpe": rf"[{CONTROLS}{CJK}]",
    "wordpiece": f"[{CJK}]",
}
"""Kind -> characters that are never joined with a neighbour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """A learned vocabulary: what a tokenizer knows beside its kind."""

    tokens: Sequence[str]
    """The piece of every id, special tokens first."""
    scores: Sequence[float] = ()
    """Log-probability of every piece; unigram only."""
    merges: Sequence[tuple[str, str]] = ()
    """Pairs to join, in order; bpe only."""


def num_reserved(vocab_size: int, *, kind: Kind) -> int:
    """How many ids the special tokens and the byte pieces take.

    256 byte pieces would fill a small vocabulary, so below 1000 an unknown character is ``[UNK]``.
    """
    return NUM_SPECIAL + (len(BYTES) if vocab_size >= 1000 and kind not in ("wordpiece", "word") else 0)


def readable(text: str) -> str:
    """The text as every kind sees it; no offset moves.

    A lone surrogate, which UTF-8 cannot hold, is read as U+FFFD, and `SPACE` as a space.
    """
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text).replace(SPACE, " ")


def has_bytes(tokens: Sequence[str]) -> bool:
    """Whether the byte pieces stand where they belong."""
    return tuple(tokens[NUM_SPECIAL : NUM_SPECIAL + len(BYTES)]) == BYTES


def build(pieces: Pieces, *, kind: Kind, lowercase: bool) -> tokenizers.Tokenizer:
    """The runtime of a vocabulary; no foreign component is ever compiled."""
    with rust_errors("tokenizer"):
        built = tokenizers.Tokenizer(_model(pieces, kind))
        if lowercase:
            built.normalizer = normalizers.Lowercase()
        splitter = pre_tokenizer(kind)
        if splitter is not None:
            built.pre_tokenizer = splitter
        decoder = _decoder(kind)
        if decoder is not None:
            built.decoder = decoder
    return built


def pre_tokenizer(kind: Kind) -> pre_tokenizers.PreTokenizer | None:
    """How a text is cut before the model sees it; None for words, which `segment` cuts."""
    spaces = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="never", split=True)
    if kind == "word":
        return None
    if kind == "char":
        return spaces
    alone = pre_tokenizers.Split(Regex(ALONE[kind]), "isolated")
    if kind == "unigram":
        return pre_tokenizers.Sequence([alone, spaces])
    if kind == "bpe":
        marks = pre_tokenizers.Split(Regex(_PUNCTUATION), "isolated")
        return pre_tokenizers.Sequence([alone, marks, spaces])
    return pre_tokenizers.Sequence([alone, pre_tokenizers.BertPreTokenizer()])


def skeleton(raw: dict[str, Any]) -> list[str]:
    """Types and patterns of a tokenizer.json in order, vocabulary left out: two equal lists act alike."""
    parts = {k: v for k, v in raw.items() if k not in ("model", "version", "added_tokens")}
    model = raw.get("model")
    found = [f"model={model.get('type') if isinstance(model, dict) else None}"]
    found += [f"added={json.dumps(raw.get('added_tokens'))}"]
    found += _walk("", parts)
    return found


@contextlib.contextmanager
def rust_errors(where: str) -> Iterator[None]:
    """Turn whatever the Rust side throws, panics included, into a UserError."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # pyo3's PanicException is no Exception
        raise UserError(f"the tokenizer refuses this ({error})", where=where) from error


_KEPT = ("type", "Regex", "String", "content", "behavior", "invert", "prepend_scheme", "split")


def _walk(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for key in sorted(value) for found in _walk(key, value[key])]
    if isinstance(value, list):
        return [found for item in value for found in _walk(name, item)]
    return [f"{name}={value!r}"] if name in _KEPT else []


def _model(pieces: Pieces, kind: Kind) -> models.Model:
    tokens, unknown = pieces.tokens, SPECIALS[UNK]
    ids = {token: number for number, token in enumerate(tokens)}
    if kind == "unigram":
        scored = list(zip(tokens, pieces.scores, strict=True))
        return models.Unigram(scored, unk_id=UNK, byte_fallback=has_bytes(tokens))
    if kind == "wordpiece":
        return models.WordPiece(ids, unk_token=unknown, max_input_chars_per_word=100)
    if kind == "word":
        return models.WordLevel(ids, unk_token=unknown)
    merges = list(pieces.merges)
    return models.BPE(ids, merges, unk_token=unknown, byte_fallback=has_bytes(tokens), fuse_unk=False)


def _decoder(kind: Kind) -> decoders.Decoder | None:
    if kind == "word":
        return None
    if kind == "wordpiece":
        return decoders.WordPiece(prefix="##", cleanup=False)
    spaces = decoders.Replace(SPACE, " ")
    return decoders.Sequence([spaces, decoders.ByteFallback(), decoders.Fuse()])

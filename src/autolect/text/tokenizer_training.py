"""Learns the pieces of a tokenizer from text. The same texts and seed give the same pieces anywhere."""

from __future__ import annotations

import io
import itertools
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from autolect.core.errors import UserError
from autolect.text import segment
from autolect.text.tokenizer_parts import (
    ALONE,
    BYTES,
    CONTROLS,
    NUM_SPECIAL,
    SPACE,
    SPECIALS,
    Kind,
    Pieces,
    num_reserved,
    pre_tokenizer,
    readable,
)

SAMPLE = 4_000_000
"""Characters that are looked at; larger corpora are thinned, text by text. 9 million of Chinese took the
unigram model three minutes on one core."""
COVERAGE = 0.9995
"""Share of the characters that get a piece of their own where byte pieces can spell the others; the
value that SentencePiece advises for Chinese and Japanese."""
ALPHABET_SHARE = 0.75
"""Largest share of a vocabulary for single characters, so that some room is left for longer pieces."""

# The sums of the EM steps are added up thread by thread, so their number is part of the result.
_THREADS = 4
_LINE = 1000
_REFUSED = "\0▅"
"""SentencePiece marks with the second what it does not know, and skips lines that hold it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What every learner gets: the sampled texts and the room that is left."""

    texts: Sequence[str]
    characters: Counter[str]
    kind: Kind
    room: int
    coverage: float


def learn(
    texts: Iterable[str], *, kind: Kind, vocab_size: int, lowercase: bool, language: str, seed: int
) -> Pieces:
    """Learn at most ``vocab_size`` pieces; fewer when the texts do not hold more.

    Raises UserError when the texts hold nothing, or the vocabulary has no room for one piece.
    """
    reserved = num_reserved(vocab_size, kind=kind)
    if vocab_size <= NUM_SPECIAL:
        raise UserError(
            f"{vocab_size} leaves no room beside the {NUM_SPECIAL} special tokens",
            where="tokenizer.vocab_size",
            fix="try 1000 or more",
        )
    kept = _sample(texts, seed)
    kept = [text.lower() for text in kept] if lowercase else kept
    characters: Counter[str] = Counter()
    for text in kept:
        characters.update(text)
    if not any(not character.isspace() for character in characters):
        raise UserError(
            "there is no text to learn a vocabulary from", where="corpus", fix="look at corpus.files"
        )
    head = [*SPECIALS, *BYTES][:reserved]
    coverage = COVERAGE if reserved > NUM_SPECIAL else 1.0
    job = _Job(kept, characters, kind, vocab_size - reserved, coverage)
    if kind == "unigram":
        return _unigram(job, head)
    if kind == "bpe":
        return _bpe(job, head)
    if kind == "wordpiece":
        return Pieces(tokens=[*head, *_wordpiece(job)])
    if kind == "word":
        return Pieces(tokens=[*head, *_words(job, language)])
    return Pieces(tokens=[*head, *(_spaced(c) for c in _alphabet(job, room=job.room))])


def _sample(texts: Iterable[str], seed: int) -> list[str]:
    """Keep texts in one pass; whenever they grow too large, forget each second one and keep less."""
    chance, share, total = random.Random(seed), 1.0, 0
    kept: list[str] = []
    for text in texts:
        if share < 1 and chance.random() >= share:
            continue
        kept.append(readable(text))
        total += len(text)
        while total > SAMPLE and len(kept) > 1:
            share /= 2
            kept = [old for old in kept if chance.random() < 0.5] or kept[:1]
            total = sum(map(len, kept))
    return kept


def _alphabet(job: _Job, *, room: int, cost: Callable[[str], int] = lambda _: 1) -> list[str]:
    """The most frequent characters that fit and that the coverage asks for; ties by code point."""
    needed = job.coverage * job.characters.total()
    alphabet: list[str] = []
    seen = 0
    for character, count in sorted(job.characters.items(), key=lambda item: (-item[1], item[0])):
        room -= cost(character)
        if room < 0 or seen >= needed:
            break
        alphabet.append(character)
        seen += count
    return alphabet


def _lines(job: _Job, alphabet: Iterable[str], alone: Iterable[str]) -> Iterator[str]:
    """The texts, cut wherever no piece may cross and where a character is outside the alphabet."""
    left_out = set(job.characters).difference(alphabet).union(alone, CONTROLS)
    table = str.maketrans(dict.fromkeys(left_out, "\n"))
    for text in job.texts:
        for line in text.translate(table).split("\n"):
            for start in range(0, len(line), _LINE):
                yield line[start : start + _LINE]


def _alone(kind: Kind, alphabet: Sequence[str]) -> list[str]:
    pattern = re.compile(ALONE[kind])
    return [character for character in alphabet if pattern.match(character)]


def _unigram(job: _Job, head: list[str]) -> Pieces:
    alphabet = _alphabet(job, room=max(1, int(job.room * ALPHABET_SHARE)))
    alone = _alone("unigram", alphabet)
    room = job.room - len(alone)
    scored = _sentencepiece(_lines(job, alphabet, {*alone, *_REFUSED}), room=room)
    lowest = min((score for _, score in scored), default=0.0)
    known = {piece for piece, _ in scored}
    # A character between two cuts is always the same piece, so its score decides nothing.
    rest = [_spaced(character) for character in dict.fromkeys([*alone, *alphabet])]
    scored += [(piece, lowest) for piece in rest if piece not in known][: job.room - len(scored)]
    tokens = [*head, *(piece for piece, _ in scored)]
    return Pieces(tokens=tokens, scores=[0.0] * len(head) + [score for _, score in scored])


def _sentencepiece(lines: Iterator[str], *, room: int) -> list[tuple[str, float]]:
    """Pieces and their log-probabilities by the unigram model (Kudo 2018, arXiv:1804.10959)."""
    import sentencepiece

    first = next(lines, None)
    if first is None:
        return []
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=itertools.chain([first], lines),
        model_writer=written,
        model_type="unigram",
        vocab_size=max(room, 1) + 1,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        hard_vocab_limit=False,
        max_sentence_length=8 * _LINE,
        num_threads=_THREADS,
        minloglevel=3,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    return [(model.id_to_piece(i), model.get_score(i)) for i in range(1, model.get_piece_size())]


def _bpe(job: _Job, head: list[str]) -> Pieces:
    """Byte pair encoding (Sennrich 2016, arXiv:1508.07909) over characters, not bytes.

    Chinese characters and kana stay single: their runs have no blanks, and merging in whole lines
    would exhaust the memory. Where their words matter, take unigram.
    """
    alphabet = _alphabet(job, room=max(1, int(job.room * ALPHABET_SHARE)))
    alone = _alone("bpe", alphabet)
    splitter = pre_tokenizer("bpe")
    assert splitter is not None
    found, merges = _merge(_lines(job, alphabet, alone), splitter, room=job.room - len(alone))
    singles = [_spaced(character) for character in alphabet]
    tokens = [*head, *list(dict.fromkeys([*singles, *found]))[: job.room]]
    known = set(tokens)
    return Pieces(tokens=tokens, merges=[pair for pair in merges if "".join(pair) in known])


def _wordpiece(job: _Job) -> list[str]:
    """The pieces of BERT's tokenizer: ``##`` marks the inside of a word, CJK characters are words.

    Merges are learned with a mark before each word and then renamed: the trainer with ``##`` numbers
    its pieces in the order of a hash map, so that two runs differ.
    """
    alphabet = [c for c in _alphabet(job, room=job.room // 2 + 1, cost=_cost) if not c.isspace()]
    alone = [character for character in alphabet if _cost(character) == 1]
    inner = [character for character in alphabet if _cost(character) == 2]
    marks = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True)
    splitter = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), marks])
    found, _ = _merge(_lines(job, alphabet, alone), splitter, room=job.room)
    renamed = [piece[1:] if piece.startswith(SPACE) else f"##{piece}" for piece in found]
    pieces = [*alphabet, *(f"##{character}" for character in inner), *filter(None, renamed)]
    return list(dict.fromkeys(pieces))[: job.room]


def _cost(character: str) -> int:
    """Pieces that a character of a wordpiece vocabulary takes: inside of a word, or only by itself."""
    alone = re.match(ALONE["wordpiece"], character) or unicodedata.category(character)[0] in "PZ"
    return 1 if alone or character in "$+<=>^`|~" else 2


def _merge(
    lines: Iterator[str], splitter: pre_tokenizers.PreTokenizer, *, room: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces in the order in which they were found, and the merges that make them."""
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = splitter
    trainer = trainers.BpeTrainer(vocab_size=max(room, 0), min_frequency=2, show_progress=False)
    learner.train_from_iterator(lines, trainer)
    model = json.loads(learner.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [tuple(m) for m in model["merges"]]


def _words(job: _Job, language: str) -> list[str]:
    counts: Counter[str] = Counter()
    for text in job.texts:
        counts.update(text[start:end] for start, end in segment.words(text, language=language))
    for special in SPECIALS:
        del counts[special]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word for word, _ in ordered[: job.room]]


def _spaced(character: str) -> str:
    return SPACE if character == " " else character

"""Tag schemes of labelled tokens: which one a file follows, and the same tags in IOB2.

IOB1 (Ramshaw and Marcus 1995) opens an entity with B- only next to another of its type, IOB2 always.
BIOES, BMES and BILOU also mark its end and single tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from autolect.core.errors import UserError
from autolect.text.conll import Sentence

Scheme = Literal["IOB1", "IOB2", "BIOES", "BMES", "BILOU", "plain"]

_PREFIXED = re.compile(r"([BIOESMLU])-(.+)", re.DOTALL)
_ROLE = {"S": "S", "U": "S", "E": "E", "L": "E", "M": "I", "I": "I", "B": "B"}
"""Prefix of any scheme with ends -> its role: S single, E end, I inside, B begin."""
_ENDED: tuple[tuple[Scheme, frozenset[str]], ...] = (
    ("BIOES", frozenset("BIES")),
    ("BMES", frozenset("BMES")),
    ("BILOU", frozenset("BILU")),
)
_STRAY_SHARE = 0.01
"""Up to this share of the entity tags, a stray I- is a slip in an IOB2 file (Weibo NER has 0.3 %)."""
_FIX = "correct the tag, or name another column in task.tag_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """Tags in IOB2, or unchanged when they are plain, and the scheme that they were written in.

    stray: the place of each I- that continues no entity of its type. It is left as it is and, as
    `metrics.entities` reads it, starts nothing.
    """

    tags: tuple[tuple[str, ...], ...]
    scheme: Scheme
    stray: tuple[str, ...] = ()


def normalise(sentences: Sequence[Sentence]) -> Normalised:
    """Find the scheme of a whole file and turn its tags into IOB2.

    Tags without a prefix, such as parts of speech, are plain and stay. Raises UserError with file and
    line at the first tag that no scheme allows.
    """
    prefixes = _prefixes(sentences)
    if not prefixes:
        plain = any(tag != "O" for sentence in sentences for tag in sentence.tags)
        tags = tuple(sentence.tags for sentence in sentences)
        return Normalised(tags=tags, scheme="plain" if plain else "IOB2")
    if prefixes <= {"B", "I"}:
        return _without_ends(sentences)
    for scheme, allowed in _ENDED:
        if prefixes <= allowed:
            because = _first_ended(sentences, scheme)
            return Normalised(tags=tuple(_from_ended(s, because) for s in sentences), scheme=scheme)
    known = "IOB1, IOB2, BIOES, BMES, BILOU"
    raise UserError(
        f"the prefixes {', '.join(sorted(prefixes))} belong to no scheme (known: {known})",
        where=sentences[0].places[0],
        fix=_FIX,
    )


def kind_of(tag: str) -> str:
    """The entity type of a prefixed tag ("B-PER" -> "PER"); "" for O and for plain tags."""
    match = _PREFIXED.fullmatch(tag)
    return match[2] if match else ""


def _prefixes(sentences: Sequence[Sentence]) -> frozenset[str]:
    """The prefixes in use, none when the tags are plain; UserError when a file has both kinds."""
    prefixes: set[str] = set()
    first: dict[bool, tuple[str, str]] = {}
    num = {True: 0, False: 0}
    for sentence in sentences:
        for tag, place in zip(sentence.tags, sentence.places, strict=True):
            if tag == "O":
                continue
            match = _PREFIXED.fullmatch(tag)
            prefixes |= {match[1]} if match else set()
            num[match is not None] += 1
            first.setdefault(match is not None, (tag, place))
    if len(first) == 2:
        odd = num[True] < num[False]
        (tag, place), (other, elsewhere) = first[odd], first[not odd]
        described = "has a prefix" if odd else "has no prefix such as B-"
        raise UserError(
            f"the tag {tag!r} {described}, unlike {other!r} at {elsewhere}", where=place, fix=_FIX
        )
    return frozenset(prefixes)


def _without_ends(sentences: Sequence[Sentence]) -> Normalised:
    tags = tuple(sentence.tags for sentence in sentences)
    stray = list(_lonely(sentences, "I-"))
    if not stray:
        return Normalised(tags=tags, scheme="IOB2")
    opener = next(_lonely(sentences, "B-"), None)
    if opener is None:
        return Normalised(tags=tuple(_from_iob1(sentence) for sentence in tags), scheme="IOB1")
    if len(stray) <= _STRAY_SHARE * sum(tag != "O" for sentence in tags for tag in sentence):
        return Normalised(tags=tags, scheme="IOB2", stray=tuple(lonely.place for lonely in stray))
    raise UserError(
        f"the tag {stray[0].tag!r} continues no entity of its type, which IOB2 forbids ({len(stray)} times "
        f"in the file); and {opener.tag!r} at {opener.place} opens an entity that touches none of its "
        "type, which IOB1 forbids",
        where=stray[0].place,
        fix=_FIX,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lonely:
    tag: str
    place: str


def _lonely(sentences: Sequence[Sentence], prefix: str) -> Iterator[_Lonely]:
    """Each tag with the prefix that follows no tag of its own type."""
    for sentence in sentences:
        before = "O"
        for tag, place in zip(sentence.tags, sentence.places, strict=True):
            if tag.startswith(prefix) and kind_of(before) != tag[2:]:
                yield _Lonely(tag=tag, place=place)
            before = tag


def _from_iob1(tags: Sequence[str]) -> tuple[str, ...]:
    opened = []
    before = "O"
    for tag in tags:
        starts = tag.startswith("I-") and kind_of(before) != tag[2:]
        opened.append("B-" + tag[2:] if starts else tag)
        before = tag
    return tuple(opened)


def _first_ended(sentences: Sequence[Sentence], scheme: Scheme) -> str:
    """What makes a file one of a scheme with ends."""
    tag, place = next(
        (tag, place)
        for sentence in sentences
        for tag, place in zip(sentence.tags, sentence.places, strict=True)
        if kind_of(tag) and tag[0] not in "BI"
    )
    return f"{scheme}, which the file is by {tag!r} at {place}, forbids that"


def _from_ended(sentence: Sentence, because: str) -> tuple[str, ...]:
    """BIOES and its kin to IOB2; every entity must be opened and closed as the scheme says, because..."""
    tags: list[str] = []
    inside = ""
    for tag, place in zip(sentence.tags, sentence.places, strict=True):
        kind = kind_of(tag)
        role = _ROLE[tag[0]] if kind else "O"
        goes_on = role in ("I", "E")
        if goes_on and kind != inside:
            _refuse(tag, f"continues no {kind} entity; {because}", place)
        if not goes_on and inside:
            _refuse(tag, f"follows an unfinished {inside} entity; {because}", place)
        inside = kind if role in ("B", "I") else ""
        tags.append(tag if role == "O" else f"{'I' if goes_on else 'B'}-{kind}")
    if inside:
        what = f"is the last of its sentence and leaves its entity unfinished; {because}"
        _refuse(sentence.tags[-1], what, place)
    return tuple(tags)


def _refuse(tag: str, what: str, place: str) -> NoReturn:
    raise UserError(f"the tag {tag!r} {what}", where=place, fix=_FIX)

"""Where words begin and end, for any language, in code points of the text as it is.

Chinese words come from rjieba (jieba's dictionary and hidden Markov model); other scripts follow the
letters, marks and numbers of Unicode. Nothing here changes a character, so every span can be trusted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

import regex

Span = tuple[int, int]
"""Start and end in code points, end excluded."""

HAN = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
HAN += "\U00020000-\U0003ffff"
"""Chinese characters, as the inside of a character class."""
HIRAGANA = "\u3041-\u3096\u309b-\u309f\U0001b001-\U0001b11f\U0001b150-\U0001b152"
KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000\U0001aff0-\U0001afff"
_PUNCTUATION = "\u3001-\u3004\u3008-\u3020\u3030-\u3037\u303c-\u303f\u2ff0-\u2fff\ufe30-\ufe4f"
_PUNCTUATION += "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffe6"
_BOPOMOFO = "\u3105-\u312f\u31a0-\u31bf\u3190-\u319f\u31c0-\u31ef\u3200-\u33ff"

CJK = HAN + HIRAGANA + KATAKANA + _PUNCTUATION + _BOPOMOFO
"""Characters that are written without spaces, as the inside of a character class.

Hangul is not among them, because Korean has spaces; nor are the full-width letters and digits, nor
combining marks, which belong to the character before them.
"""

_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{CJK}]]"
_INNER = r"['’\-‐\u200c\u200d]"


def words(text: str, *, language: str) -> list[Span]:
    """Spans of the words and of every punctuation mark and symbol (one each); blanks belong to none.

    Runs of Chinese characters, with the ASCII letters and digits attached to them (T恤, AA制), are cut
    by rjieba whatever the language, except in Japanese, whose runs end where the script changes.
    """
    if text.isascii():
        return [match.span() for match in _ascii_words_pattern().finditer(text)]
    found: list[Span] = []
    for match in _words_pattern(language == "ja").finditer(text):
        if match.lastgroup is None:
            found.append(match.span())
        else:
            ends = accumulate(map(len, _cut_chinese(match[0])), initial=match.start())
            found.extend(pairwise(ends))
    return found


def sentences(text: str) -> list[int]:
    """Where sentences begin: after a full stop (in most scripts with a blank behind), and after a line."""
    return [0, *(match.end() for match in _ends_pattern().finditer(text))]


def units(text: str) -> list[Span]:
    """Spans of the smallest pieces that carry a tag, the same for every language.

    A run of letters and digits, with the apostrophes and hyphens inside it, is one piece; so is every
    CJK character and every other character that is not blank, each with its combining marks.
    """
    return [match.span() for match in _units_pattern().finditer(text)]


def join(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """One text of given tokens, and the span of each token in it.

    A space stands between two tokens unless both characters that touch are CJK.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    length, last = 0, ""
    for token in tokens:
        if last and token and not (is_cjk(last) and is_cjk(token[0])):
            pieces.append(" ")
            length += 1
        pieces.append(token)
        spans.append((length, length + len(token)))
        length += len(token)
        last = token[-1:] or last
    return "".join(pieces), spans


def is_cjk(char: str) -> bool:
    """Whether one character belongs to a script that is written without spaces (see `CJK`)."""
    return char > "\u2e7f" and _cjk_pattern().match(char) is not None


def _cut_chinese(run: str) -> list[str]:
    import rjieba

    cut: list[str] = rjieba.cut(run)
    return cut


@functools.cache
def _cjk_pattern() -> regex.Pattern[str]:
    return regex.compile(f"[{CJK}]")


@functools.cache
def _ends_pattern() -> regex.Pattern[str]:
    return regex.compile(r"[.!?…]+[\"'”’)\]]*+\s+|[。！？｡।؟۔]+[”’」』）]*+\s*|\s*\n\s*")


@functools.cache
def _units_pattern() -> regex.Pattern[str]:
    run = rf"{_LETTERS}++(?:{_INNER}{_LETTERS}++)*+"
    return regex.compile(rf"(?V1)[{CJK}]\p{{M}}*+|{run}|\S\p{{M}}*+")


@functools.cache
def _ascii_words_pattern() -> re.Pattern[str]:
    """What `_words_pattern` finds in ASCII, several times as fast."""
    number = r"(?<=[0-9])[.,](?=[0-9])"
    return re.compile(rf"[A-Za-z0-9]++(?:(?:['-]|{number})[A-Za-z0-9]++)*+|\S", re.ASCII)


@functools.cache
def _words_pattern(japanese: bool) -> regex.Pattern[str]:
    latin = rf"[A-Za-z0-9]++(?:\.[0-9]++)?+(?!{_LETTERS}|{_INNER}{_LETTERS})"
    number = r"(?<=\p{Nd})[.,](?=\p{Nd})"
    run = rf"{_LETTERS}++(?:(?:{_INNER}|{number}){_LETTERS}++)*+"
    chinese = rf"[{HAN}]++" if japanese else rf"(?P<han>[A-Za-z0-9]*+[{HAN}](?:[{HAN}]|{latin})*+)"
    kana = rf"[{HIRAGANA}]++|[{KATAKANA}]++"
    return regex.compile(rf"(?V1){chinese}|{kana}|{run}|\S\p{{M}}*+")

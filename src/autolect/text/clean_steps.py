"""The steps of cleaning: each looks at a text and says what it would change.

A step gives back edits (start, end, replacement) in order, or a text of the same length, or nothing.
`clean.Cleaner` applies them.
"""

from __future__ import annotations

import difflib
import functools
import html
import html.entities
import re
import unicodedata
from collections.abc import Callable, Mapping

import regex

from autolect.core.errors import UserError
from autolect.text.segment import CJK, HAN, is_cjk, words

Edit = tuple[int, int, str]
"""text[start:end] becomes the replacement; start < end."""
Change = list[Edit] | str
"""Edits in order that do not overlap, or the changed text where its length stayed; empty: no change."""
Step = Callable[[str, str], Change]
"""(text, language) -> what to change."""

_LONGEST_DIFF = 500


# mojibake

_AFTER = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_AFTER_CYRILLIC = "ЂЃѓЉЊЌЋЏђљњќћџЎўЈҐЇІіґёєјЅѕї\xa0¤¦§©«¬\xad®°±µ¶·№»‚„…†‡€‰‹‘’“”•–—™›"
_SUSPICIOUS = re.compile(
    f"[\x80-\x9f\xc2-\xf4РС‚√Γ](?:(?<=[\x80-\x9f])|(?<=[\xc2-\xdf])[{_AFTER}]|(?<=[\xe0-\xef])[{_AFTER}]{{2}}"
    f"|(?<=[\xf0-\xf4])[{_AFTER}]{{3}}|(?<=[РС])[{_AFTER_CYRILLIC}][РС][{_AFTER_CYRILLIC}]"
    f"|(?<=‚)Ä|(?<=√)[^\\s\\w]|(?<=Γ)Ç)"
)
"""UTF-8 read as Latin-1, Windows-1252, Windows-1251, Mac Roman or code page 437. ftfy decides; this only
spares it the clean text, which it would read at a few MB/s."""
_LINE = re.compile(r"[^\n]+")
_ASCII_RUN = re.compile("([\x00-\x7f]+)")


def _mojibake(text: str, _language: str) -> Change:
    if text.isascii() or not _SUSPICIOUS.search(text):
        return []
    import ftfy

    edits: list[Edit] = []
    for line in _LINE.finditer(text):
        if _SUSPICIOUS.search(line[0]) and (fixed := ftfy.fix_encoding(line[0])) != line[0]:
            edits += _aligned(line[0], fixed, stable=_ASCII_RUN, at=line.start())
    return edits


def _aligned(old: str, new: str, *, stable: re.Pattern[str], at: int) -> list[Edit]:
    """Edits that lead from old to new, kept small by the runs that both share (`stable` captures them)."""
    parts, others = stable.split(old), stable.split(new)
    if parts[1::2] == others[1::2]:
        pairs = list(zip(parts, others, strict=True))
    elif len(parts) + len(others) <= _LONGEST_DIFF:
        matcher = difflib.SequenceMatcher(None, parts, others, autojunk=False)
        codes = matcher.get_opcodes()
        pairs = [("".join(parts[a:b]), "".join(others[c:d])) for _, a, b, c, d in codes]
    else:
        pairs = [(old, new)]
    if any(was == "" != became for was, became in pairs):
        pairs = [(old, new)]
    edits: list[Edit] = []
    for was, became in pairs:
        if was != became:
            edits.append((at, at + len(was), became))
        at += len(was)
    return edits


# unicode

_BASE, _SIGN = r"\p{L}\p{M}", r"\p{So}\p{Sk}"
_TAGS = "\U000e0020-\U000e007f"
_HIDDEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0001"
)
_SUSPECT = re.compile(f"[{_HIDDEN}\u200c\u200d{_TAGS}]")
"""Whatever may be invisible: told much faster than what is."""
_INVISIBLE = regex.compile(
    rf"[{_HIDDEN}]"
    rf"|\u200c(?:(?<![{_BASE}]\u200c)|(?![{_BASE}]))"
    rf"|\u200d(?:(?<![\p{{M}}{_SIGN}]\u200d)|(?![\p{{L}}{_SIGN}]))"
    rf"|(?<!\U0001f3f4[{_TAGS}]{{0,8}})[{_TAGS}]"
)
"""Control and format characters without a meaning in plain text. Kept: the non-joiner between letters
(Persian), the joiner after a mark or sign (Indic conjuncts, emoji), the tags of a flag."""
_ATTACHED = r"\p{M}\u1161-\u1175\u11a8-\u11c2"
_NUM_CODES = 0x30000
_MOST_MARKS = 32


def _visible(text: str, _language: str) -> Change:
    if not _SUSPECT.search(text):
        return []
    return [(*match.span(), "") for match in _INVISIBLE.finditer(text)]


def _composed(text: str, _language: str) -> Change:
    """NFC, one base with its marks at a time: nothing composes across such a border (UAX 15)."""
    if unicodedata.is_normalized("NFC", text):
        return []
    edits: list[Edit] = []
    for match in _composable().finditer(text):
        start, end = match.span()
        # Python sorts the marks of one base in quadratic time; no word has more than a few.
        if end - start <= _MOST_MARKS and (new := unicodedata.normalize("NFC", match[0])) != match[0]:
            edits.append((start, end, new))
    return edits


@functools.cache
def _composable() -> regex.Pattern[str]:
    """A base with its marks, or a character that NFC never leaves as it is."""
    codes = (chr(code) for code in range(0xC0, _NUM_CODES) if not 0xD800 <= code < 0xE000)
    unstable = "".join(char for char in codes if unicodedata.normalize("NFC", char) != char)
    return regex.compile(f"[^{_ATTACHED}]?[{_ATTACHED}]+|[{unstable}][{_ATTACHED}]*")


# markup

_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark math nobr q rb rp "
    "rt ruby s samp small span strike strong sub sup time tt u var wbr ref nowiki"
)
_BLOCK_NAMES = (
    "address area article aside audio base blockquote body br button canvas caption center col colgroup "
    "dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 "
    "h4 h5 h6 head header hgroup hr html iframe img input legend li link main map menu meta meter nav "
    "noscript object ol optgroup option output p param picture pre progress script section select "
    "source style summary svg table tbody td template textarea tfoot th thead title tr track ul video"
)
_INLINE, _BLOCK = frozenset(_INLINE_NAMES.split()), frozenset(_BLOCK_NAMES.split())
_FLAGS = "async autoplay checked compact controls defer disabled hidden loop multiple muted nowrap open"
_FLAGS += " readonly required reversed selected"
_MARKUP = re.compile(
    r"(?P<comment><!--)|(?P<doctype><!doctype\b[^<>]*+>)"
    r"|</?(?P<name>[a-z][a-z0-9]*+)(?:\s++(?:[a-z_:@][\w:.-]*+\s*+=\s*+"
    r"""(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++)|(?:"""
    rf"{_FLAGS.replace(' ', '|')})\b))*+\s*+/?>"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});)",
    re.IGNORECASE | re.ASCII,
)
"""Only elements of HTML with well-formed attributes: "a < b and c > d" and "List<String>" are text."""


def _markup(text: str, _language: str) -> Change:
    if "<" not in text and "&" not in text:
        return []
    edits: list[Edit] = []
    at = 0
    # What is not closed once is not closed further on either; asking again would cost a quadratic time.
    unclosed: set[str] = set()
    while match := _MARKUP.search(text, at):
        start, at = match.span()
        name = (match["name"] or "").lower()
        if match["entity"]:
            new = _character(match[0])
        elif name and name not in _INLINE and name not in _BLOCK:
            continue
        else:
            new = "\n" if name in _BLOCK else ""
        closing = "-->" if match["comment"] else f"</{name}" if name in ("script", "style") else ""
        if closing and text[start + 1] != "/" and closing not in unclosed:
            end = re.compile(rf"{closing}[^<>]*+>" if name else closing, re.IGNORECASE).search(text, at)
            at = end.end() if end else at
            if not end:
                unclosed.add(closing)
        if closing not in unclosed or name:
            edits.append((start, at, new))
    return [edit for edit in edits if text[edit[0] : edit[1]] != edit[2]]


def _character(entity: str) -> str:
    """What an entity stands for; itself when it stands for nothing."""
    if entity[1] != "#" and entity[1:] not in html.entities.html5:
        return entity
    character = html.unescape(entity)
    return entity if character == "\ufffd" else character


# specials, punctuation, stopwords

_SPECIAL = regex.compile(
    r"(?V1)[[\p{S}\p{C}\ufe0e\ufe0f\u20e3]--[\s\u200c\u200d]][[\p{S}\p{C}\ufe0e\ufe0f\u20e3]--\s]*+"
)
"""All but letters, marks, numbers, punctuation and blanks; joiners go with the signs that they join."""
_IN_WORD = r"'’\-‐"
_MARK = regex.compile(
    rf"(?V1)(?:[\p{{P}}--[{_IN_WORD}]]|[{_IN_WORD}]"
    rf"(?:(?<![\p{{L}}\p{{M}}\p{{N}}][{_IN_WORD}])|(?![\p{{L}}\p{{N}}])))++"
)


def _specials(text: str, _language: str) -> Change:
    return [(*match.span(), " ") for match in _SPECIAL.finditer(text)]


def _punctuation(text: str, _language: str) -> Change:
    return [(*match.span(), " ") for match in _MARK.finditer(text)]


def _stopwords(text: str, language: str) -> Change:
    stop = stop_words(language)
    edits: list[Edit] = []
    for start, end in words(text, language=language):
        if text[start:end].casefold().replace("’", "'") in stop:
            apart = text[start - 1 : start].strip() and text[end : end + 1].strip()
            edits.append((start, end, " " if apart else ""))
    return edits


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """The stop words of a language (ISO 639-1), casefolded; UserError where there is no list."""
    import stopwordsiso

    if not stopwordsiso.has_lang(language):
        known = ", ".join(sorted(stopwordsiso.langs()))
        raise UserError(
            f"there are no stop words for language {language!r}",
            where="corpus.clean",
            fix=f"leave 'stopwords' out, or set corpus.language to one of {known}",
        )
    # Some lists hold punctuation too, which is another step's business.
    listed = stopwordsiso.stopwords(language)
    return frozenset(word.casefold() for word in listed if any(map(str.isalnum, word)))


# simplified, traditional, whitespace, lowercase

_OTHER_RUN = re.compile(f"([^{HAN}]+)")
_CHINESE = re.compile(f"[{HAN}]")
_BLANKS = re.compile(rf"\s(?:(?<! )\s*|\s+|(?<=[{CJK}] )(?=[{CJK}])|(?<=\A )|\Z)")


def _simplified(text: str, _language: str) -> Change:
    return _converted(text, "t2s")


def _traditional(text: str, _language: str) -> Change:
    return _converted(text, "s2t")


def _converted(text: str, how: str) -> Change:
    if text.isascii() or not _CHINESE.search(text):
        return []
    converted = _converter(how)(text)
    if converted == text:
        return []
    same_length = len(converted) == len(text)
    return converted if same_length else _aligned(text, converted, stable=_OTHER_RUN, at=0)


@functools.cache
def _converter(how: str) -> Callable[[str], str]:
    import opencc

    convert: Callable[[str], str] = opencc.OpenCC(how).convert
    return convert


def _whitespace(text: str, _language: str) -> Change:
    edits: list[Edit] = []
    for match in _BLANKS.finditer(text):
        start, end = match.span()
        needless = start == 0 or end == len(text) or (is_cjk(text[start - 1]) and is_cjk(text[end]))
        edits.append((start, end, "" if needless else " "))
    return edits


def _lowercase(text: str, _language: str) -> Change:
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered if lowered != text else []
    pairs = ((at, at + 1, char.lower()) for at, char in enumerate(text))
    return [edit for edit in pairs if edit[2] != text[edit[0]]]


STEPS: Mapping[str, tuple[Step, ...]] = {
    "mojibake": (_mojibake,),
    "unicode": (_visible, _composed),
    "markup": (_markup,),
    "specials": (_specials,),
    "punctuation": (_punctuation,),
    "stopwords": (_stopwords,),
    "simplified": (_simplified,),
    "traditional": (_traditional,),
    "whitespace": (_whitespace,),
    "lowercase": (_lowercase,),
}
"""Name of a step -> its parts, in order."""

SETTLING = frozenset({"mojibake", "unicode", "markup", "whitespace"})

"""Which language a text is in, when nobody said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from autolect.core.errors import UserError
from autolect.text.segment import HAN, HIRAGANA, KATAKANA

SAMPLE_CHARACTERS = 100_000
"""How much text is looked at, in equal parts from the beginning of every sample."""

_EASTERN_SHARE = 0.2
"""From this share of the letters on, Chinese, Japanese or Korean it is: a Chinese character carries as
much as several Latin letters, and names in Latin letters are common in Chinese text."""
_KANA_SHARE = 0.1
"""From this share of kana on, Chinese characters are Japanese: they make half of ordinary Japanese."""

_KANA = re.compile(f"[{HIRAGANA}{KATAKANA}]")
_CHINESE = re.compile(f"[{HAN}]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_LETTER = re.compile(r"[^\W\d_]")


def guess(samples: Sequence[str]) -> str:
    """The ISO 639-1 code of the language most of the text is in.

    Chinese, Japanese and Korean are told by their scripts, the others by py3langid (Lui & Baldwin 2012).
    Raises UserError when there is no letter to judge by.
    """
    share = max(SAMPLE_CHARACTERS // max(len(samples), 1), 100)
    text = "\n".join(sample[:share] for sample in samples)[:SAMPLE_CHARACTERS]
    num_letters = len(_LETTER.findall(text))
    if num_letters == 0:
        raise UserError(
            "the language cannot be told: there are no letters in the text",
            fix="set corpus.language, for example to 'en'",
        )
    kana, chinese, hangul = (len(script.findall(text)) for script in (_KANA, _CHINESE, _HANGUL))
    if kana + chinese + hangul >= _EASTERN_SHARE * num_letters:
        if hangul > kana + chinese:
            return "ko"
        return "ja" if kana >= _KANA_SHARE * (kana + chinese) else "zh"
    return _classify(text)


def _classify(text: str) -> str:
    import py3langid

    code, _score = py3langid.classify(text)
    return str(code)

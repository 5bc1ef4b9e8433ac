from __future__ import annotations

import pytest

from autolect.core.errors import UserError
from autolect.text.language import guess


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天的天气很好，我们一起去公园散步。", "zh"),
        ("我們在學習 machine learning，用 PyTorch 寫程式", "zh"),
        ("東京大学の研究によると、この問題は解決した", "ja"),
        ("오늘은 날씨가 매우 좋습니다. hello", "ko"),
        ("The quick brown fox jumps over the lazy dog and runs away.", "en"),
        ("Le chat est là et il dort sur le canapé depuis ce matin.", "fr"),
        ("Der Hund läuft durch den Wald und sucht seinen Herrn.", "de"),
        ("Сегодня очень хорошая погода, и мы идём гулять в парк.", "ru"),
    ],
)
def test_the_language_is_found(text: str, expected: str) -> None:
    assert guess([text]) == expected


def test_most_of_the_text_decides() -> None:
    english = "This is a sentence in English, as you can see for yourself."
    assert guess([english] * 9 + ["一句中文。"]) == "en"
    assert guess([english] + ["这是一句比较长的中文句子，谁都看得出来。"] * 9) == "zh"


@pytest.mark.parametrize("samples", [[], [""], ["123 …", "😀"]])
def test_without_letters_the_user_is_asked(samples: list[str]) -> None:
    with pytest.raises(UserError, match=r"set corpus\.language"):
        guess(samples)

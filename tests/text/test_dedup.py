from __future__ import annotations

import random

import pytest

from autolect.text import dedup
from autolect.text.dedup import Deduplicator


def words(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("abcdefghij", k=rng.randint(2, 8))) for _ in range(count)]


def chinese(rng: random.Random, count: int) -> str:
    return "".join(chr(rng.randint(0x4E00, 0x9000)) for _ in range(count))


def near() -> Deduplicator:
    return Deduplicator("near")


def test_case_and_blanks_make_no_difference() -> None:
    seen = Deduplicator("exact")
    assert seen.check(["One  two\n", " one TWO", "one two three"]) == ["new", "exact", "new"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_many_texts_are_known_again_whatever_the_size_of_a_batch(size: int) -> None:
    draw = random.Random(0)
    texts = [str(draw.randrange(3000)) for _ in range(5000)]
    seen, known = Deduplicator("exact"), set()
    for first in range(0, len(texts), size):
        some = texts[first : first + size]
        for text, verdict in zip(some, seen.check(some), strict=True):
            assert verdict == ("exact" if text in known else "new")
            known.add(text)


def test_none_finds_nothing() -> None:
    seen = Deduplicator("none")
    assert seen.check(["same"] * 3) == ["new"] * 3


def test_exact_does_not_look_for_near_ones() -> None:
    text = " ".join(words(random.Random(0), 200))
    seen = Deduplicator("exact")
    assert seen.check([text, text + " more"]) == ["new", "new"]


def test_a_changed_word_is_near_and_an_exact_copy_is_exact() -> None:
    base = words(random.Random(0), 200)
    seen = near()
    changed = [*base[:100], "changed", *base[101:]]
    assert seen.check([" ".join(base)]) == ["new"]
    assert seen.check([" ".join(changed)] * 2) == ["near", "exact"]


def test_chinese_is_compared_by_characters() -> None:
    text = chinese(random.Random(0), 400)
    seen = near()
    assert seen.check([text, text[:200] + "改" + text[201:]]) == ["new", "near"]
    assert seen.check([chinese(random.Random(1), 400)]) == ["new"]


def test_short_texts_are_only_compared_exactly() -> None:
    seen = near()
    assert seen.check(["a" * 48, "a" * 49, "a" * 48]) == ["new", "new", "exact"]


def shared(rng: random.Random, share: float) -> tuple[str, str]:
    """Two texts of random characters whose shingle sets overlap by about the share given."""
    size = 1000
    common = round(size * 2 * share / (1 + share))
    start = chinese(rng, common)
    return start + chinese(rng, size - common), start + chinese(rng, size - common)


@pytest.mark.parametrize(
    ("share", "low", "high"), [(0.95, 0.97, 1), (0.9, 0.85, 1), (0.75, 0, 0.1), (0.5, 0, 0)]
)
def test_pairs_are_near_from_the_threshold_on(share: float, low: float, high: float) -> None:
    rng = random.Random(7)
    seen = near()
    pairs = [shared(rng, share) for _ in range(150)]
    assert set(seen.check([one for one, _ in pairs])) == {"new"}
    found = seen.check([other for _, other in pairs]).count("near") / len(pairs)
    assert low <= found <= high


def test_nothing_is_forgotten_when_the_table_grows() -> None:
    rng = random.Random(3)
    texts = [chinese(rng, 120) for _ in range(1500)]
    seen = near()
    assert set(seen.check(texts)) == {"new"}
    changed = [text[:-1] + "改" for text in texts]
    assert seen.check(changed).count("near") > 0.97 * len(texts)


def test_long_texts_are_compared_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "_BLOCK", 512)
    rng = random.Random(5)
    text = chinese(rng, 5000)
    seen = near()
    assert seen.check([text, text + chinese(rng, 50), text[:2000]]) == ["new", "near", "new"]


def test_verdicts_do_not_depend_on_what_is_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "_BLOCK", 2048)
    rng = random.Random(2)
    texts = [part for _ in range(60) for part in shared(rng, 0.85)]
    texts += [" ".join(words(rng, 40)) for _ in range(60)]
    texts += [text[:-3] for text in texts[100:140]]
    runs = []
    for size in (1, 7, len(texts)):
        seen = near()
        runs.append([one for at in range(0, len(texts), size) for one in seen.check(texts[at : at + size])])
    assert runs[0] == runs[1] == runs[2]
    assert {"new", "near"} == set(runs[0])


@pytest.mark.parametrize(("in_words", "sizes"), [(True, [5, 2]), (False, [9, 3])])
def test_equal_pieces_hash_alike_wherever_they_stand(in_words: bool, sizes: list[int]) -> None:
    piece = "one two six" if in_words else "abcde"
    texts = [f"{piece} x {piece}", f"y {piece}"]
    hashes, offsets = dedup._Shingles()._hashes(" ".join(texts), [len(text) for text in texts], in_words)
    first, second = hashes[: offsets[1]], hashes[offsets[1] :]
    assert first[0] == first[-1] == second[-1]
    assert [len(first), len(second)] == sizes, "no piece goes from one text into the next"


def test_the_description_names_what_verdicts_depend_on() -> None:
    told = near().describe()
    assert told["mode"] == "near"
    assert told["threshold"] == 0.85
    assert isinstance(told["rensa"], str)
    assert Deduplicator("none").describe() == {"mode": "none"}

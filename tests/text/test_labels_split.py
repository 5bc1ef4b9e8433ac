from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text import near, segment
from autolect.text.labels import split as splitting
from autolect.text.labels.labelled import TextExample, TokenExample
from autolect.text.labels.pairs import PairExample
from autolect.text.labels.split import Parts


def example(text: str, label: str = "a", where: str = "f:1") -> TextExample:
    return TextExample(text=text, labels=(label,), where=where)


def pair(first: str, second: str, label: str = "a") -> PairExample:
    return PairExample(first=first, second=second, where="f:1", labels=(label,))


def many(**counts: int) -> list[TextExample]:
    return [
        example(f"{label} number {at}", label, f"f:{label}{at}")
        for label, count in counts.items()
        for at in range(count)
    ]


def tagged(words: str, tags: str) -> TokenExample:
    text, spans = segment.join(words.split())
    return TokenExample(text=text, tokens=tuple(spans), tags=tuple(tags.split()), where="f:1")


# Splitting.


def test_parts_have_their_shares_and_the_mix_of_labels() -> None:
    parts = splitting.split(many(a=100, b=50, c=10), valid=0.1, test=0.2, seed=0)
    assert Counter(e.label for e in parts.train) == {"a": 70, "b": 35, "c": 7}
    assert Counter(e.label for e in parts.valid) == {"a": 10, "b": 5, "c": 1}
    assert Counter(e.label for e in parts.test) == {"a": 20, "b": 10, "c": 2}


sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(3, 30), min_size=1)


@given(sizes, st.floats(0, 0.3), st.floats(0, 0.3), st.integers(0, 3))
def test_nothing_is_lost_and_every_label_stays_in_train(
    counts: dict[str, int], valid: float, test: float, seed: int
) -> None:
    examples = many(**counts)
    parts = splitting.split(examples, valid=valid, test=test, seed=seed)
    assert Counter((*parts.train, *parts.valid, *parts.test)) == Counter(examples)
    assert {e.label for e in parts.train} == set(counts)
    for part, share in ((parts.valid, valid), (parts.test, test)):
        assert len(part) == (max(1, round(share * len(examples))) if share else 0)


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    examples = many(a=50, b=50)
    first = splitting.split(examples, valid=0.1, test=0.1, seed=0)
    assert splitting.split(examples, valid=0.1, test=0.1, seed=0) == first
    assert splitting.split(examples, valid=0.1, test=0.1, seed=1) != first


def test_a_share_keeps_the_mix_and_one_example_of_each_label_at_least() -> None:
    given = tuple(many(a=100, b=50, c=10))
    tenth = splitting.some(given, 0.1, seed=0)
    assert Counter(e.label for e in tenth) == {"a": 10, "b": 5, "c": 1}
    assert Counter(e.label for e in splitting.some(given, 0.001, seed=0)) == {"a": 1, "b": 1, "c": 1}
    assert splitting.some(given, 1.0, seed=0) == given
    each = tuple(many(a=1, b=1))
    assert splitting.some(each, 0.5, seed=0) == each


def test_a_label_with_one_example_is_trained_on() -> None:
    for seed in range(10):
        parts = splitting.split(many(a=20, rare=1), valid=0.2, test=0.2, seed=seed)
        assert "rare" in {e.label for e in parts.train}


def test_texts_that_are_equal_when_normalised_are_never_parted() -> None:
    examples = [
        example(f"{shout}{at}{mark}") for at in range(40) for shout in "hH" for mark in ("", "!", " ")
    ]
    parts = splitting.split(examples, valid=0.25, test=0.25, seed=0)
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [120, 60, 60]
    assert all(found.num_shared == 0 for found in splitting.overlap(parts))


def test_pairs_that_share_a_text_are_never_parted() -> None:
    chains = [pair(f"{at} a", f"{at} b") for at in range(60)] + [
        pair(f"{at} B!", f"{at} c") for at in range(60)
    ]
    parts = splitting.split(chains, valid=0.2, test=0.2, seed=0)
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [72, 24, 24]
    places = [{one.first.split()[0] for one in part} for part in (parts.train, parts.valid, parts.test)]
    assert not places[0] & places[1]
    assert not places[0] & places[2]
    assert not places[1] & places[2]


def test_a_text_of_many_pairs_binds_them_not() -> None:
    often = [pair("calm", f"text {at}") for at in range(60)]
    assert len(splitting.groups(often)) == 60
    one_chain = [pair(f"text {at}", f"text {at + 1}") for at in range(60)]
    assert len(splitting.groups(one_chain)) == 60, "one part would get all of them"
    assert splitting.groups([]) == []


def test_pairs_that_share_a_text_stay_together_in_small_files_and_beside_a_chain() -> None:
    few = [pair(f"question {n // 2}", f"answer {n}") for n in range(30)]
    assert sorted(map(len, splitting.groups(few))) == [2] * 15
    chain = [pair(f"link {n}", f"link {n + 1}") for n in range(30)]
    found = splitting.groups([*chain, *few])
    assert sorted(map(len, found)) == [1] * 30 + [2] * 15, "what is too much for a part is parted, no more"
    assert sorted(at for group in found for at in group) == list(range(60))


def test_the_rarest_label_of_pairs_that_stay_together_is_kept_in_train() -> None:
    pairs = [pair(f"{at} a", f"{at} b", "common") for at in range(40)] + [pair("3 a", "3 c", "rare")]
    for seed in range(10):
        assert "rare" in {
            one.labels[0] for one in splitting.split(pairs, valid=0.2, test=0.2, seed=seed).train
        }


def test_tagged_sentences_are_kept_in_proportion_by_their_rarest_type() -> None:
    common = [tagged(f"common {at}", "B-PER O") for at in range(40)]
    rare = [tagged(f"rare {at}", "B-LOC B-PER") for at in range(10)]
    none = [tagged(f"none {at}", "O O") for at in range(20)]
    parts = splitting.split([*common, *rare, *none], valid=0.1, test=0.2, seed=0)
    assert Counter(e.text.split()[0] for e in parts.valid) == {"common": 4, "rare": 1, "none": 2}
    assert Counter(e.text.split()[0] for e in parts.test) == {"common": 8, "rare": 2, "none": 4}


def test_the_key_may_be_given() -> None:
    examples = many(a=40)
    parts = splitting.split(examples, valid=0.5, test=0, seed=0, key=lambda e: e.text[-1])
    assert set(Counter(e.text[-1] for e in parts.valid).values()) == {2}


@pytest.mark.parametrize("counts", [{"a": 1}, {"a": 1, "b": 1, "c": 1}, {"a": 2}])
def test_too_few_examples_are_refused_with_their_counts(counts: dict[str, int]) -> None:
    with pytest.raises(UserError) as caught:
        splitting.split(many(**counts), valid=0.2, test=0.2, seed=0)
    assert f"{sum(counts.values())} different texts" in caught.value.what
    assert f"'a' {counts['a']}" in caught.value.what


def test_no_examples_are_refused() -> None:
    with pytest.raises(UserError):
        splitting.split(many(), valid=0.1, test=0, seed=0)


# Overlap.

LONG = "the quick brown fox jumps over the lazy dog while the cat watches from the warm window"


def test_each_shared_text_is_counted_once_by_its_best_match() -> None:
    train = (example(LONG, where="train:1"), example("Good, film", where="train:2"))
    test = (
        example(LONG, where="test:1"),
        example("ｇｏｏｄ film!", where="test:2"),
        example(LONG.replace("dog", "hog") + " .", where="test:3"),
        example("nothing alike", where="test:4"),
    )
    parts = Parts(train=train, valid=test[:1], test=test)
    in_valid, in_test, later = splitting.overlap(parts)
    assert (in_test.num_exact, in_test.num_normalised, in_test.num_near) == (1, 1, 1)
    assert [(pair.kind, pair.one, pair.other) for pair in in_test.pairs] == [
        ("exact", "train:1", "test:1"),
        ("normalised", "train:2", "test:2"),
        ("near", "train:1", "test:3"),
    ]
    assert in_test.num_shared == 3
    assert (in_valid.earlier, in_valid.later, in_valid.num_exact) == ("train", "valid", 1)
    assert (later.earlier, later.later, later.num_exact, later.num_near) == ("valid", "test", 1, 1)


def test_texts_of_marks_only_are_not_all_the_same() -> None:
    assert splitting.normalise("!!!") != splitting.normalise("???")
    assert splitting.normalise("C++") != splitting.normalise("C")
    assert splitting.normalise("👍") != splitting.normalise("👎")


def jaccard(one: str, other: str) -> float:
    a, b = (({t[i : i + 5] for i in range(len(t) - 4)}) for t in (one, other))
    return len(a & b) / len(a | b) if a | b else 0.0


letters = st.text("ab中", max_size=24)


@given(st.lists(letters, max_size=6), st.lists(letters, max_size=6), st.sampled_from([0.3, 0.5, 0.85, 1.0]))
def test_near_texts_are_those_that_comparing_all_pairs_finds(
    earlier: list[str], later: list[str], threshold: float
) -> None:
    found = near.nearest(earlier, later, threshold=threshold)
    for text, match in zip(later, found, strict=True):
        similar = [jaccard(text, other) for other in earlier]
        best = max(similar, default=0.0)
        assert match == (similar.index(best) if best >= threshold else None)


def test_small_steps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    earlier = ["".join(chance.choices("abc ", k=30)) for _ in range(60)]
    later = [text[:-1] + "x" for text in earlier[::2]] + ["".join(chance.choices("abc ", k=30))]
    whole = near.nearest(earlier, later, threshold=0.8)
    assert sum(match is not None for match in whole) == 30
    monkeypatch.setattr(near, "_BLOCK", 50)
    monkeypatch.setattr(near, "_PAIRS", 3)
    assert near.nearest(earlier, later, threshold=0.8) == whole


# Conflicts.


def test_one_text_with_two_labels_is_a_conflict() -> None:
    examples = [
        example("Fine film", "good", "f:1"),
        example("dull", "bad", "f:2"),
        example("fine, film", "bad", "f:3"),
        example("dull", "bad", "f:4"),
    ]
    (conflict,) = splitting.conflicts(examples)
    assert conflict == splitting.Conflict(text="Fine film", labels=("good", "bad"), where=("f:1", "f:3"))


def test_one_sentence_with_two_taggings_is_a_conflict() -> None:
    examples = [tagged("in Rome", "O B-LOC"), tagged("in Rome", "O B-ORG"), tagged("in Oslo", "O B-LOC")]
    assert [conflict.labels for conflict in splitting.conflicts(examples)] == [("O B-LOC", "O B-ORG")]


def test_nearly_equal_texts_of_drawn_parts_go_to_train_unless_they_are_many() -> None:
    different = [" ".join(random.Random(at).choices("abcdefghijklmnopqrstuvwxyz", k=40)) for at in range(90)]
    twins = [f"{text} x" for text in different[:6]]
    examples = tuple(example(text, "a", f"f:{at}") for at, text in enumerate([*different, *twins]))
    for seed in range(5):
        parts = splitting.drawn({"train": examples}, valid=0.2, test=0.2, share=1.0, seed=seed)
        assert not any(one.num_shared for one in splitting.overlap(parts))
        assert sum(map(len, (parts.train, parts.valid, parts.test))) == len(examples)
        assert len(parts.valid) > 12
    many = tuple(example(f"{different[0]} {different[1]} {at}", "a", f"f:{at}") for at in range(40))
    parts = splitting.drawn({"train": many}, valid=0.2, test=0.2, share=1.0, seed=0)
    assert (len(parts.valid), len(parts.test)) == (8, 8)

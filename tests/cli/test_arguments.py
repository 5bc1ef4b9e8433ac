"""What is done to the command line before Typer sees it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autolect.cli.arguments import EVERYWHERE, arrange

FLAGS = ["--set", "--out", "--json", "--quiet", "--", "-o"]
WORDS = st.sampled_from([*FLAGS, "run", "a.toml", "x.y=1", "z=a b", "f"])


def test_one_set_takes_several_values() -> None:
    words = ["run", "a.toml", "--set", "encoder.kind=gru", "decoder.kind=lstm", "seed=1", "--out", "x"]
    assert arrange(words) == [
        *("run", "a.toml", "--set", "encoder.kind=gru", "--set", "decoder.kind=lstm", "--set", "seed=1"),
        *("--out", "x"),
    ]


def test_a_recipe_after_set_stays_an_argument() -> None:
    assert arrange(["run", "--set", "seed=1", "a.toml", "x=1"]) == ["run", "--set", "seed=1", "a.toml", "x=1"]
    assert arrange(["run", "--set=seed=1", "x=1"]) == ["run", "--set=seed=1", "--set", "x=1"]


def test_flags_that_hold_everywhere_move_to_the_front_but_text_stays_text() -> None:
    words = ["fill", "b", "--json", "--", "--json", "--set", "a=1", "b=2"]
    assert arrange(words) == ["--json", "fill", "b", "--", "--json", "--set", "a=1", "b=2"]


@given(st.lists(WORDS))
def test_arranging_loses_nothing_and_arranging_twice_changes_nothing(words: list[str]) -> None:
    once = arrange(words)
    assert arrange(once) == once
    without_flags = [word for word in once if word not in (*EVERYWHERE, "--set")]
    assert without_flags == [word for word in words if word not in (*EVERYWHERE, "--set")]

"""Layers of settings, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.core.config import INHERITED, Table, from_environment, merge, parse_assignment, read_toml
from autolect.core.errors import UserError

KEYS = st.sampled_from(["a", "b", "c"])
TABLES = st.recursive(
    st.dictionaries(KEYS, st.integers()),
    lambda inner: st.dictionaries(KEYS, st.integers() | inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("seed=1", {"seed": 1}),
        ("a.b.c=[1, 2]", {"a": {"b": {"c": [1, 2]}}}),
        ("a.b=gru", {"a": {"b": "gru"}}),
        ("a.b=x=y", {"a": {"b": "x=y"}}),
        ('a="1"', {"a": "1"}),
        ("a=", {"a": ""}),
    ],
)
def test_an_assignment_is_toml_or_else_a_string(text: str, table: dict[str, object]) -> None:
    assert parse_assignment(text) == table


@pytest.mark.parametrize("text", ["seed", "=1", "a..b=1", ".=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="KEY=VALUE"):
        parse_assignment(text)


def test_environment_names_become_keys_and_others_are_left_alone() -> None:
    found = from_environment({"AUTOLECT__TRAIN__STEPS": "5", "AUTOLECT_API_KEYS": "x", "PATH": "y"})
    assert found == [{"train": {"steps": 5}}]


@given(TABLES, TABLES)
def test_the_later_layer_wins_and_inputs_stay_as_they_were(below: Table, above: Table) -> None:
    before = repr(below), repr(above)
    merged = merge([below, above])
    assert (repr(below), repr(above)) == before
    for key, value in above.items():
        if not isinstance(value, dict):
            assert merged[key] == value
    assert set(merged) == set(below) | set(above)
    assert merge([merged, above]) == merged


def test_a_change_of_kind_sets_the_other_kinds_keys_aside() -> None:
    merged = merge(
        [{"encoder": {"kind": "transformer", "heads": 8, "width": 64}}, {"encoder": {"kind": "gru"}}]
    )
    assert merged == {"encoder": {"kind": "gru", INHERITED: {"heads": 8, "width": 64}}}


def test_malformed_toml_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("seed = 1\nseed = \n")
    with pytest.raises(UserError, match=r"a\.toml: is not valid TOML \(.*line 2"):
        read_toml(tmp_path / "a.toml")
    with pytest.raises(UserError, match="no such recipe"):
        read_toml(tmp_path / "b.toml")
    with pytest.raises(UserError, match="is a folder"):
        read_toml(tmp_path)

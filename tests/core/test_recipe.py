"""Recipes: defaults < file < environment < overrides, and every wrong key named."""

from __future__ import annotations

from pathlib import Path

import pytest

from autolect.core import recipe
from autolect.core.errors import UserError
from autolect.core.recipe import Recipe

FOUR_LINES = '[corpus]\nfiles = ["texts/*.txt"]\n[task]\nkind = "classify"\ntrain = "films.tsv"\n'


def read(folder: Path, text: str, *overrides: str, **environment: str) -> Recipe:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return recipe.read(folder / "mine.toml", overrides=overrides, environment=environment)


def test_few_lines_are_a_whole_recipe(tmp_path: Path) -> None:
    found = read(tmp_path, FOUR_LINES)
    assert found.name == "mine"
    assert found.encoder.model_dump()["kind"] == "transformer"
    assert found.corpus is not None
    assert found.corpus.files == (str(tmp_path / "texts/*.txt"),)
    assert found.task is not None
    assert found.task.model_dump()["train"] == str(tmp_path / "films.tsv")


def test_environment_beats_the_file_and_set_beats_both(tmp_path: Path) -> None:
    text = "seed = 1\n" + FOUR_LINES
    assert read(tmp_path, text).seed == 1
    assert read(tmp_path, text, AUTOLECT__SEED="2").seed == 2
    assert read(tmp_path, text, "seed=3", AUTOLECT__SEED="2").seed == 3


def test_paths_in_overrides_are_seen_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read(tmp_path, FOUR_LINES, "corpus.files=['a.txt']")
    assert found.corpus is not None
    assert found.corpus.files == (str(tmp_path / "elsewhere" / "a.txt"),)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("corpus.langage=zh", r"corpus\.langage: unknown key; did you mean 'language'"),
        ("encoder.widht=8", r"encoder\.widht: unknown key; did you mean 'width'"),
        ("encoder.kind=gur", "there is no 'gur' among the encoders; did you mean 'gru'"),
        ("seed=-1", "seed: "),
        ("corpus.split.valid=0.99", "leave nothing to train on"),
        ("start=x", "no such folder"),
        ("encoder=5", "encoder: is 5, not a table"),
    ],
)
def test_a_wrong_key_is_named_and_mended(tmp_path: Path, override: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path, FOUR_LINES + "[train]\nminutes = 1\n", override)


def test_two_budgets_in_one_file_are_refused_but_a_later_layer_replaces_the_earlier(tmp_path: Path) -> None:
    text = FOUR_LINES + "[train]\nminutes = 1\n"
    found = read(tmp_path, text, "train.steps=5").train
    assert (found.minutes, found.steps) == (None, 5)
    with pytest.raises(UserError, match="minutes and steps are given"):
        read(tmp_path, text + "steps = 5\n")


def test_another_kind_keeps_what_it_knows_and_drops_what_it_does_not(tmp_path: Path) -> None:
    text = FOUR_LINES + '[encoder]\nkind = "transformer"\nheads = 8\nwidth = 64\n'
    found = read(tmp_path, text, "encoder.kind=gru").encoder.model_dump()
    assert found["kind"] == "gru"
    assert found["width"] == 64
    assert "heads" not in found


def test_a_key_written_for_the_new_kind_is_still_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.heads: unknown key"):
        read(tmp_path, FOUR_LINES, "encoder.kind=gru", "encoder.heads=8")


def test_a_resolved_recipe_reads_back_as_itself(tmp_path: Path) -> None:
    found = read(tmp_path, FOUR_LINES, "encoder.kind=lstm", "train.steps=3", "vectors.kind=none")
    assert recipe.from_table(recipe.to_table(found)) == found


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "recipes").glob("*.toml")), ids=lambda path: path.stem
)
def test_every_recipe_that_is_shipped_can_be_read_and_its_files_are_there(path: Path) -> None:
    found = recipe.read(path, environment={})
    assert found.name == path.stem
    assert found.corpus is not None
    assert all(Path(name).exists() for name in found.corpus.files)


@pytest.mark.parametrize("column", ["[]", "['a', 'a']", "['']"])
def test_columns_are_named_and_differ(column: str) -> None:
    with pytest.raises(UserError, match="several different ones"):
        recipe.read(None, overrides=["corpus.files=['x']", f"corpus.column={column}"], environment={})

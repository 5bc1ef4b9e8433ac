"""Many texts: found, recommended, grouped."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from autolect.cli.main import main
from autolect.core import files
from autolect.core.errors import DamagedError, UserError
from autolect.core.progress import Silent
from autolect.jobs import cluster, finding
from autolect.jobs.run import Summary

THEMES = {
    "sea": ("ship", "harbour", "sail", "wave", "captain"),
    "farm": ("cow", "barn", "plough", "field", "harvest"),
    "court": ("judge", "verdict", "lawyer", "witness", "trial"),
}


def themed(count: int, *, seed: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    found = []
    for number in range(count):
        theme = draw.choice(list(THEMES))
        found.append((theme, f"{' '.join(draw.choices(THEMES[theme], k=6))} {number}"))
    return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, classified: Summary) -> tuple[Path, Path, list[str]]:
    """A bundle, a file of texts, and their themes."""
    folder = tmp_path_factory.mktemp("library")
    rows = themed(90, seed=0)
    path = folder / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for _, text in rows), encoding="utf-8")
    return classified.folder / "pretrained", path, [theme for theme, _ in rows]


def test_texts_are_found_by_their_words_and_are_enough_alone(
    tmp_path: Path, library: tuple[Path, Path, list[str]]
) -> None:
    bundle, path, themes = library
    place = tmp_path / "index"
    assert finding.index(place, bundle, [str(path)], column="text", progress=Silent()) == 90
    moved = place.rename(tmp_path / "moved")
    index = finding.Index(moved)
    (found,) = index.search(["the captain of the ship"], count=5)
    assert [themes[one.number] for one in found] == ["sea"] * 5
    assert found[0].score >= found[-1].score
    assert index.shared(["zzqq xyxy", "the captain", "zzqq"]) == [False, True, False]
    assert found[0].where.endswith(f"texts.jsonl:{found[0].number + 1}")
    like = index.like(3, count=5)
    assert 3 not in [one.number for one in like]
    assert sum(themes[one.number] == themes[3] for one in like) >= 4
    with pytest.raises(UserError, match="no text 90"):
        index.like(90)


def test_texts_of_files_of_one_name_have_addresses_of_their_own(
    tmp_path: Path, library: tuple[Path, Path, list[str]]
) -> None:
    bundle, _, _ = library
    for name, word in (("north", "harbour"), ("south", "verdict")):
        (tmp_path / "notes" / name).mkdir(parents=True)
        (tmp_path / "notes" / name / "a.txt").write_text(f"the {word} of the {name}\n")
    finding.index(tmp_path / "index", bundle, [str(tmp_path / "notes")], column="text", progress=Silent())
    found = finding.Index(tmp_path / "index").search(["harbour", "verdict"], count=1)
    assert [one.where for (one,) in found] == ["north/a.txt:1", "south/a.txt:1"]


def test_what_is_no_index_is_said_with_what_makes_one(tmp_path: Path, classified: Summary) -> None:
    with pytest.raises(UserError, match="autolect index"):
        finding.Index(classified.folder)


def test_texts_without_groups_are_told(
    tmp_path: Path,
    library: tuple[Path, Path, list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle, path, _ = library
    monkeypatch.setattr(cluster, "grouped", lambda vectors, **_: np.full(len(vectors), cluster.NONE))
    with pytest.raises(SystemExit) as caught:
        main(["cluster", str(bundle), str(path), "-o", str(tmp_path / "groups")])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert "--count" in told
    assert "words that tell it apart" not in told
    assert "No groups" in (tmp_path / "groups" / cluster.PAGE).read_text(encoding="utf-8")


def test_an_altered_index_is_refused(tmp_path: Path, library: tuple[Path, Path, list[str]]) -> None:
    bundle, path, _ = library
    finding.index(tmp_path / "index", bundle, [str(path)], column="text", progress=Silent())
    texts = tmp_path / "index" / finding.TEXTS
    texts.write_text(texts.read_text().replace("ship", "shop", 1))
    with pytest.raises(DamagedError):
        finding.Index(tmp_path / "index")


def test_an_index_of_an_earlier_version_is_to_be_made_again(
    tmp_path: Path, library: tuple[Path, Path, list[str]]
) -> None:
    with files.saving(tmp_path / "index", kind=finding.KIND) as beside:
        (beside / finding.TEXTS).write_text("{}\n")
    with pytest.raises(UserError, match="earlier version"):
        finding.Index(tmp_path / "index")


def test_groups_are_those_that_the_words_make(tmp_path: Path, library: tuple[Path, Path, list[str]]) -> None:
    bundle, path, themes = library
    found = cluster.cluster(
        tmp_path / "groups", bundle, [str(path)], column="text", count=3, seed=0, progress=Silent()
    )
    groups = found.groups
    assert sum(group.size for group in groups) == found.texts == 90
    assert found.outside == 0
    assert [group.size for group in groups] == sorted((group.size for group in groups), reverse=True)
    lines = (tmp_path / "groups" / cluster.GROUPS).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == [
        json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert "Map of the texts" in (tmp_path / "groups" / cluster.PAGE).read_text(encoding="utf-8")
    assert len(themes) == 90


def test_words_that_all_groups_have_tell_none_apart() -> None:
    texts = ["the ship sails", "the ship waves", "the judge speaks", "the judge listens"]
    found = cluster.keywords(texts, np.array([0, 0, 1, 1]), language="en")
    assert found[0][0] == "ship"
    assert found[1][0] == "judge"
    assert "the" not in {word for words in found for word in words}
    assert cluster.keywords(["kutya ugat"], np.array([0]), language="xx") == [("kutya", "ugat")]


def test_dense_groups_are_found_and_strays_are_in_none() -> None:
    draw = np.random.default_rng(0)
    middles = np.eye(3, 8) * 5
    points = np.concatenate([middles[at] + draw.normal(size=(40, 8)) * 0.1 for at in (0, 1, 2)])
    places = cluster.grouped(points.astype(np.float32), count=None, seed=0)
    assert set(places.tolist()) <= {-1, 0, 1, 2}
    assert len(set(places[:40].tolist()) - {-1}) == 1


def test_the_verbs_answer_in_json(
    tmp_path: Path, library: tuple[Path, Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, path, _ = library
    place = str(tmp_path / "index")
    for words, key in (
        (["index", str(bundle), str(path), "-o", place], "texts"),
        (["search", place, "a verdict of the judge", "--count", "2"], "found"),
        (["recommend", place, "0", "--count", "2"], "found"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["--json", "--quiet", *words])
        assert caught.value.code == 0
        assert key in json.loads(capsys.readouterr().out)


def test_words_that_no_text_has_put_none_before_another() -> None:
    words, vectors = np.zeros((1, 50), np.float32), np.linspace(-1, 0.9, 50, dtype=np.float32)[None]
    assert finding.joined(words, vectors)[0].argmax() == 49


def test_nothing_else_is_written_over(tmp_path: Path, library: tuple[Path, Path, list[str]]) -> None:
    bundle, path, _ = library
    (tmp_path / "notes").mkdir()
    with pytest.raises(UserError, match="is no index"):
        finding.index(tmp_path / "notes", bundle, [str(path)], column="text", progress=Silent())
    with pytest.raises(UserError, match="is no clusters"):
        cluster.cluster(bundle, bundle, [str(path)], column="text", count=3, seed=0, progress=Silent())

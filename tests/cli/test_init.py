"""A look at files becomes a recipe that autolect reads."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pyarrow as arrow
import pytest
from pyarrow import parquet

from autolect.core import recipe as recipes
from autolect.core.errors import UserError
from autolect.jobs.init import init
from autolect.text.labels.labelled import read_texts

CHINESE = "我们今天去北京看朋友，天气很好，大家都很高兴。\n"
ENGLISH = "The harbour was quiet that morning, and nobody spoke of the storm.\n"


def made(folder: Path, *patterns: str) -> recipes.Recipe:
    init([str(folder / pattern) for pattern in patterns], recipe=folder / "recipe.toml")
    return recipes.read(folder / "recipe.toml", environment={})


def test_plain_text_becomes_a_corpus_in_its_language(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CHINESE * 50, encoding="utf-8")
    (tmp_path / "b.txt").write_text(CHINESE * 50, encoding="utf-8")
    found = made(tmp_path, "*.txt")
    assert found.corpus is not None
    assert found.corpus.language == "zh"
    assert found.corpus.files == (str(tmp_path / "*.txt"),)
    assert found.task is None
    assert found.train.minutes is not None


def test_labelled_tables_become_the_task_and_text_stays_text(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    for part, number in (("train", 40), ("test", 12)):
        rows = "".join(f"{ENGLISH.strip()} {n}\t{'good' if n % 2 else 'bad'}\n" for n in range(number))
        (tmp_path / f"films.{part}.tsv").write_text(rows)
    table = made(tmp_path, "books.txt", "films.*.tsv").model_dump()
    assert table["corpus"]["language"] == "en"
    assert table["corpus"]["files"] == (str(tmp_path / "books.txt"),)
    assert table["task"]["kind"] == "classify"
    assert table["task"]["train"] == str(tmp_path / "films.train.tsv")
    assert table["task"]["test"] == str(tmp_path / "films.test.tsv")


def test_tagged_sentences_alone_serve_as_text_too(tmp_path: Path) -> None:
    (tmp_path / "trips.conll").write_text("fly O\nto O\nNew B-city\nYork I-city\ntomorrow O\n\n" * 20)
    table = made(tmp_path, "trips.conll").model_dump()
    assert table["task"]["kind"] == "tag"
    assert table["corpus"]["files"] == (str(tmp_path / "trips.conll"),)


def test_what_stands_beside_the_words_is_not_counted_as_text(tmp_path: Path) -> None:
    word = "1\tharbour\tharbour\tNOUN\t_\tGender=Fem|Number=Sing\t0\troot\t_\tGloss=port\n"
    (tmp_path / "trees.conllu").write_text((word * 20 + "\n") * 1000)
    proposal = init([str(tmp_path / "trees.conllu")], recipe=tmp_path / "recipe.toml")
    characters = len(" ".join(["harbour"] * 20)) * 1000
    assert dict(proposal.rows)["text"] == f"1 file, about {characters / 1e3:.1f} thousand characters"


def test_a_table_without_labels_is_text_in_its_longest_column(tmp_path: Path) -> None:
    rows = "".join(f'{n},"{ENGLISH.strip()} {n}"\n' for n in range(30))
    (tmp_path / "notes.csv").write_text("id,note\n" + rows)
    found = made(tmp_path, "notes.csv")
    assert found.corpus is not None
    assert found.corpus.column == "note"
    assert found.task is None


def test_folders_of_a_tool_and_tables_of_translations_are_tasks(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    (tmp_path / "brat").mkdir()
    (tmp_path / "brat" / "one.txt").write_text("Ann met Bob")
    (tmp_path / "brat" / "one.ann").write_text("T1\tPER 0 3\tAnn\n")
    found = made(tmp_path, "books.txt", "brat")
    task = found.model_dump()["task"]
    assert (task["kind"], task["train"]) == ("tag", str(tmp_path / "brat"))
    (tmp_path / "recipe.toml").unlink()
    found = made(tmp_path, "brat")
    assert found.corpus is not None
    assert found.corpus.files == (str(tmp_path / "brat"),)
    (tmp_path / "recipe.toml").unlink()
    (tmp_path / "both.tsv").write_text("en\tde\nthe cat\tdie Katze\n" + "a dog\tein Hund\n" * 9)
    assert made(tmp_path, "books.txt", "both.tsv").model_dump()["task"]["kind"] == "translate"
    (tmp_path / "recipe.toml").unlink()
    found = made(tmp_path, "both.tsv")
    assert found.corpus is not None
    assert found.corpus.column == ("en", "de")


def test_spans_that_cut_words_are_mended(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    line = '{"text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 10, "PER"]]}\n'
    (tmp_path / "t.jsonl").write_text(line * 20)
    assert made(tmp_path, "books.txt", "t.jsonl").model_dump()["task"]["mend"]


def test_texts_with_several_labels_are_a_task(tmp_path: Path) -> None:
    rows = [
        {"text": f"{ENGLISH.strip()} {n}", "labels": [["a"], ["b"], ["a", "b"], []][n % 4]} for n in range(30)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = made(tmp_path, "t.jsonl").model_dump()["task"]
    assert (task["kind"], task["several"]) == ("classify", True)


def test_a_table_that_is_taken_for_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    (tmp_path / "faq.tsv").write_text("title\tdescription\n" + "".join(f"{n}\t{ENGLISH}" for n in range(9)))
    files = [str(tmp_path / name) for name in ("books.txt", "faq.tsv")]
    rows = dict(init(files, recipe=tmp_path / "r.toml").rows)
    assert "(title, description)" in rows["faq.tsv"]
    assert f"`autolect labels check {tmp_path / 'faq.tsv'}` says why" in rows["faq.tsv"]


def test_files_that_need_one_key_for_two_names_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"{ENGLISH.strip()} {n}\t{('gut', 'schlecht')[n % 2]}\n" for n in range(30))
    (tmp_path / "a.train.tsv").write_text(f"{ENGLISH.strip()}\tneutral\n{rows}")
    (tmp_path / "a.test.tsv").write_text(f"satz\tart\n{rows}")
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    with pytest.raises(UserError, match=r"its texts in column 'satz', and .* its texts in column '1'"):
        made(tmp_path, "books.txt", "a.train.tsv", "a.test.tsv")


def test_the_column_of_a_parquet_file_is_found(tmp_path: Path) -> None:
    table = arrow.table({"id": list(range(9)), "remark": [f"{ENGLISH.strip()} {n}" for n in range(9)]})
    parquet.write_table(table, tmp_path / "t.parquet")
    found = made(tmp_path, "t.parquet")
    assert found.corpus is not None
    assert found.corpus.column == "remark"


def test_tables_that_share_no_column_are_refused(tmp_path: Path) -> None:
    for name in ("body", "story"):
        (tmp_path / f"{name}.csv").write_text(f"{name}\n" + ENGLISH.replace(",", "") * 9)
    with pytest.raises(UserError, match=r"has no column 'body', in which .*body\.csv has"):
        made(tmp_path, "body.csv", "story.csv")


def test_names_in_quotes_are_read_as_the_run_reads_them(tmp_path: Path) -> None:
    rows = "".join(f'"{ENGLISH.strip()} {number}"\t"one"\n' for number in range(20))
    (tmp_path / "notes.tsv").write_text('"note"\t"source"\n' + rows)
    found = made(tmp_path, "notes.tsv")
    assert found.task is None
    assert found.corpus is not None
    assert found.corpus.column == "note"


def test_files_of_another_encoding_are_read_and_the_recipe_says_so(tmp_path: Path) -> None:
    rows = "".join(f"{CHINESE.strip()}{n}\t{'好坏'[n % 2]}\n" for n in range(20))
    path = tmp_path / "t.tsv"
    path.write_text("text\tlabel\n" + rows, encoding="gb18030")
    with pytest.raises(UserError, match="--encoding"):
        made(tmp_path, "t.tsv")
    init([str(path)], recipe=tmp_path / "recipe.toml", encoding="gb18030")
    found = recipes.read(tmp_path / "recipe.toml", environment={}).model_dump()
    assert (found["corpus"]["encoding"], found["task"]["encoding"]) == ("gb18030", "gb18030")
    assert found["corpus"]["language"] == "zh"


def test_one_of_two_kinds_of_files_may_be_in_another_encoding(tmp_path: Path) -> None:
    rows = "".join(f"{CHINESE.strip()}{n}\t{'好坏'[n % 2]}\n" for n in range(20))
    (tmp_path / "t.tsv").write_text("text\tlabel\n" + rows, encoding="gb18030")
    (tmp_path / "books.txt").write_text(CHINESE * 50, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("t.tsv", "books.txt")]
    init(files, recipe=tmp_path / "recipe.toml", encoding="gb18030")
    found = recipes.read(tmp_path / "recipe.toml", environment={}).model_dump()
    assert (found["corpus"]["encoding"], found["task"]["encoding"]) == ("utf-8", "gb18030")


def test_a_file_without_anything_is_told(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    (tmp_path / "labels.tsv").write_text("")
    files = [str(tmp_path / name) for name in ("books.txt", "labels.tsv")]
    assert dict(init(files, recipe=tmp_path / "r.toml").rows)["labels.tsv"] == "nothing stands in it"


def test_a_folder_stays_a_folder_beside_labelled_files(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    for number in range(5):
        (tmp_path / "books" / f"{number}.txt").write_text(ENGLISH * 20)
    rows = "".join(f"{ENGLISH.strip()} {n}\t{'good' if n % 2 else 'bad'}\n" for n in range(40))
    (tmp_path / "films.tsv").write_text(rows)
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "films.test.tsv").write_text(rows)
    (tmp_path / "mixed" / "a.txt").write_text(ENGLISH * 20)
    found = made(tmp_path, "books", "films.tsv", "mixed")
    assert found.corpus is not None
    assert found.corpus.files == (str(tmp_path / "books"), str(tmp_path / "mixed" / "a.txt"))


@pytest.mark.parametrize(
    ("header", "column", "examples"),
    [("remark\tmark\n", "remark", 30), (f"{ENGLISH.strip()}\tmark\n", "1", 31)],
)
def test_a_first_row_that_may_be_a_header_is_settled_in_the_recipe(
    tmp_path: Path, header: str, column: str, examples: int
) -> None:
    rows = "".join(f"{ENGLISH.strip()} {n}\t{('good', 'bad', 'so-so')[n % 3]}\n" for n in range(30))
    (tmp_path / "t.tsv").write_text(header + rows)
    (tmp_path / "books.txt").write_text(ENGLISH * 100)
    task = made(tmp_path, "t.tsv", "books.txt").model_dump()["task"]
    assert task["text_column"] == column
    assert len(read_texts(tmp_path / "t.tsv", text_column=column).examples) == examples


def test_folders_that_may_be_labels_are_text_and_told(tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        (tmp_path / "reviews" / name).mkdir(parents=True)
        (tmp_path / "reviews" / name / "1.txt").write_text(ENGLISH * 50)
    found = init([str(tmp_path / "reviews")], recipe=tmp_path / "r.toml")
    assert dict(found.rows)["task"] == "none"
    assert "(neg, pos) are labels: in the recipe a [task]" in dict(found.rows)["reviews"]
    assert 'train = "reviews"' in dict(found.rows)["reviews"]


def test_a_table_without_a_header_is_asked_about(tmp_path: Path) -> None:
    rows = "".join(f"{number} {ENGLISH.strip()}\t{ENGLISH.strip()} {number}\n" for number in range(9))
    (tmp_path / "pairs.tsv").write_text(rows)
    with pytest.raises(UserError, match="has no header, as it seems"):
        init([str(tmp_path / "pairs.tsv")], recipe=tmp_path / "r.toml")


def test_a_labelled_json_array_serves_as_text_too(tmp_path: Path) -> None:
    rows = [{"text": f"{ENGLISH.strip()} {number}", "label": "ab"[number % 2]} for number in range(30)]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    found = made(tmp_path, "t.json").model_dump()
    assert (found["task"]["kind"], found["corpus"]["files"]) == ("classify", (str(tmp_path / "t.json"),))


def test_paths_with_quotes_survive(tmp_path: Path) -> None:
    folder = tmp_path / 'my "notes" \\ 笔记'
    folder.mkdir()
    (folder / "a.txt").write_text(ENGLISH * 50)
    init([str(folder / "a.txt")], recipe=tmp_path / "recipe.toml")
    table = tomllib.loads((tmp_path / "recipe.toml").read_text(encoding="utf-8"))
    assert table["corpus"]["files"] == ['my "notes" \\ 笔记/a.txt']


def test_a_recipe_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH)
    (tmp_path / "recipe.toml").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        init([str(tmp_path / "a.txt")], recipe=tmp_path / "recipe.toml")
    assert (tmp_path / "recipe.toml").read_text() == "mine"


def test_data_for_two_tasks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("fly O\nto O\nYork B-city\n\n" * 20)
    (tmp_path / "b.tsv").write_text("".join(f"some text {n}\t{'x' if n % 2 else 'y'}\n" for n in range(30)))
    with pytest.raises(UserError, match="one task"):
        made(tmp_path, "a.conll", "b.tsv")


def test_more_minutes_and_more_text_serve_a_larger_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autolect.jobs.init.power", lambda: 1.0)
    (tmp_path / "large.txt").write_text(ENGLISH * 100_000)
    (tmp_path / "small.txt").write_text(ENGLISH * 100)

    def width(text: str, minutes: float) -> int:
        written = tmp_path / f"{text}-{minutes}.toml"
        init([str(tmp_path / f"{text}.txt")], recipe=written, minutes=minutes)
        table = recipes.read(written, environment={}).model_dump()
        assert table["train"]["minutes"] == minutes
        found: int = table["encoder"]["width"]
        return found

    assert width("large", 1) < width("large", 10) < width("large", 600)
    assert width("small", 1) == width("small", 60)


def test_a_gpu_is_given_larger_steps_and_heads_stay_as_wide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autolect.jobs.init.power", lambda: 1000.0)
    (tmp_path / "large.txt").write_text(ENGLISH * 1_000_000)
    table = made(tmp_path, "large.txt").model_dump()
    assert table["train"]["batch_tokens"] > recipes.TrainConfig(steps=1).batch_tokens
    assert table["encoder"]["width"] == 64 * table["encoder"]["heads"]

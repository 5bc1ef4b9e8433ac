"""`autolect labels`: what stands in labelled files, and the same in another format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autolect.cli.main import main
from autolect.jobs.labels.look import look

TRAIN = "text\tlabel\n" + "".join(
    f"{('good', 'bad')[n % 2]} film number {n}\t{('yes', 'no')[n % 2]}\n" for n in range(40)
)
CONLL = "Ann\tB-PER\nmet\tO\nBob\tB-PER\n\nNew\tB-LOC\nYork\tI-LOC\n"


def called(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def answer(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, object]:
    assert called("--json", *words) == status
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def file(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def test_check_tells_counts_repeats_contradictions_and_overlap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = file(tmp_path, "train.tsv", TRAIN + "Good film number 0!\tno\nodd one\tperhaps\n")
    test = file(tmp_path, "test.tsv", "text\tlabel\ngood film number 2\tyes\nanother\tnever\n")
    found = answer(capsys, "labels", "check", train, "--test", test, status=2)
    assert found["kind"] == "classify"
    parts = found["parts"]
    assert isinstance(parts, dict)
    assert parts["train"]["labels"] == {"no": 21, "yes": 20, "perhaps": 1}
    assert parts["train"]["repeated"] == 1
    told = " | ".join(str(one) for one in found["troubles"])  # type: ignore[attr-defined]
    assert "carry different labels" in told
    assert "1 text(s) of test stand in train" in str(found["refusals"])
    assert "labels that train lacks" in told.replace("label(s)", "labels")
    assert "perhaps 1" in told
    assert called("labels", "check", train, "--test", test) == 2
    assert "█" in capsys.readouterr().out


def test_check_tells_pairs_whose_length_gives_their_label_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {}
    for name, more in (("even", ""), ("leaky", " and some more words")):
        rows = [f"text {at}{more * (at % 2)}\tother {at}\t{['no', 'yes'][at % 2]}" for at in range(200)]
        source = file(tmp_path, f"{name}.tsv", "\n".join(["one\tother\tlabel", *rows, ""]))
        found = answer(capsys, "labels", "check", source, "--set", "task.kind=pair", status=0)
        told[name] = "task.even_lengths" in str(found["troubles"])
    assert told == {"even": False, "leaky": True}


def test_check_reads_pairs_that_have_no_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"text number {at}\tother number {at}\n" for at in range(60))
    source = file(tmp_path, "a.tsv", f"source\ttarget\n{rows}")
    for kind in ("translate", "embed"):
        assert (
            answer(capsys, "labels", "check", source, "--set", f"task.kind={kind}", status=0)["kind"] == kind
        )


def test_check_reads_spans_that_a_run_would_refuse_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['{"text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 10, "PER"]]}\n'] * 20
    source = file(tmp_path, "a.jsonl", "".join(lines))
    found = answer(capsys, "labels", "check", source, status=2)
    assert found["kind"] == "tag"
    assert "task.mend" in str(found["refusals"])
    mended = answer(capsys, "labels", "check", source, "--set", "task.mend=true", status=2)
    assert "task.mend" not in str(mended["refusals"])


@pytest.mark.parametrize("form", ["doccano", "label-studio"])
def test_tagged_words_go_to_a_tool_and_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    source = file(tmp_path, "a.conll", CONLL)
    there = str(tmp_path / ("a.json" if form == "label-studio" else "a.jsonl"))
    assert answer(capsys, "labels", "convert", source, there, "--to", form)["examples"] == 2
    answer(capsys, "labels", "convert", there, str(tmp_path / "b.conll"))
    assert (tmp_path / "b.conll").read_text() == CONLL


def test_brat_is_a_folder_and_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.conll", CONLL)
    answer(capsys, "labels", "convert", source, str(tmp_path / "brat"), "--to", "brat")
    answer(capsys, "labels", "convert", str(tmp_path / "brat"), str(tmp_path / "b.conll"))
    assert (tmp_path / "b.conll").read_text() == CONLL


@pytest.mark.parametrize("name", ["b.csv", "b.jsonl"])
def test_labelled_texts_change_their_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source = file(tmp_path, "a.tsv", TRAIN)
    answer(capsys, "labels", "convert", source, str(tmp_path / name))
    answer(capsys, "labels", "convert", str(tmp_path / name), str(tmp_path / "again.tsv"))
    assert (tmp_path / "again.tsv").read_text() == TRAIN


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(
        tmp_path, "a.jsonl", '{"text": "Ann met Bob", "label": [[0, 3, "PER"]], "relations": [1]}\n'
    )
    for target, words, told in (
        ("b.conll", (), "relations of 1 text(s) would be lost"),
        ("b.tsv", ("--lossy",), "spans, which a table cannot hold"),
        ("b.xyz", ("--lossy",), "does not say the format"),
        ("a.jsonl", (), "is there already"),
    ):
        assert called("labels", "convert", source, str(tmp_path / target), *words) == 2
        assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert called("labels", "convert", source, str(tmp_path / "b.conll"), "--lossy") == 0


def test_words_that_a_format_would_cut_otherwise_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "a.conll", "don't\tO\ngo-there\tB-LOC\n\nU.S.\tB-LOC\n")
    assert called("labels", "convert", source, str(tmp_path / "brat"), "--to", "brat") == 2
    assert "would not be read back" in capsys.readouterr().err
    assert not (tmp_path / "brat").exists()


def test_several_labels_survive_whatever_the_first_text_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        '{"text": "a", "label": ["x"]}',
        '{"text": "b", "label": ["x", "y"]}',
        '{"text": "c", "label": []}',
    ]
    source = file(tmp_path, "a.jsonl", "\n".join(lines) + "\n")
    there = str(tmp_path / "b.json")
    answer(capsys, "labels", "convert", source, there, "--to", "label-studio")
    answer(capsys, "labels", "convert", there, str(tmp_path / "c.jsonl"))
    assert (tmp_path / "c.jsonl").read_text() == "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("target", "words"),
    [("b.jsonl.gz", ()), ("b.json", ("--to", "doccano")), ("b.jsonl", ("--to", "label-studio"))],
)
def test_a_name_that_says_another_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, words: tuple[str, ...]
) -> None:
    source = file(tmp_path, "a.conll", CONLL)
    assert called("labels", "convert", source, str(tmp_path / target), *words) == 2
    assert "name does not" in capsys.readouterr().err


def test_labels_alone_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("labels") == 0
    assert "convert" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["b.conll", "b.jsonl"])
def test_a_text_without_spans_is_an_example_like_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    lines = '{"text": "Ann met Bob", "label": [[0, 3, "PER"]]}\n{"text": "Nothing here.", "label": []}\n'
    source = file(tmp_path, "a.jsonl", lines)
    assert answer(capsys, "labels", "convert", source, str(tmp_path / target))["examples"] == 2


def test_labels_of_whole_texts_are_not_for_brat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        called("labels", "convert", file(tmp_path, "a.tsv", TRAIN), str(tmp_path / "b"), "--to", "brat") == 2
    )
    assert "which brat cannot hold" in capsys.readouterr().err


def test_a_column_is_named_by_its_number_without_quotes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(
        f"{n}\tfilm number {n} is {('good', 'bad')[n % 2]}\t{('yes', 'no')[n % 2]}\n" for n in range(40)
    )
    source = file(tmp_path, "a.tsv", rows)
    words = ("--set", "task.text_column=2", "task.label_column=3")
    found = answer(capsys, "labels", "check", source, *words)
    assert found["parts"]["train"]["labels"] == {"yes": 20, "no": 20}  # type: ignore[index]


def test_too_few_examples_are_refused_as_a_run_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "a.tsv", "text\tlabel\none film\tyes\nanother\tno\n")
    assert "too few" in str(answer(capsys, "labels", "check", source, status=2)["refusals"])


def test_pairs_are_known_by_the_names_of_their_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"first {n} text\tsecond {n * 7}\t{('no', 'yes')[n % 2]}\n" for n in range(40))
    source = file(tmp_path, "a.tsv", f"text_a\ttext_b\tlabel\n{rows}")
    assert answer(capsys, "labels", "check", source)["kind"] == "pair"


@pytest.mark.parametrize("name", ["b.csv", "b.jsonl"])
@pytest.mark.parametrize(
    ("head", "ends"),
    [
        ("text_a\ttext_b\tlabel", ("\tyes", "\tno")),
        ("sentence1\tsentence2\tscore", ("\t4.5", "\t0")),
        ("en\tzh", ("", "")),
    ],
)
def test_pairs_go_from_table_to_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, head: str, ends: tuple[str, str]
) -> None:
    content = f"{head}\n" + "".join(f'a "first", {n}\t第二 {n * 7}{ends[n % 2]}\n' for n in range(40))
    source = file(tmp_path, "a.tsv", content)
    assert answer(capsys, "labels", "convert", source, str(tmp_path / name))["examples"] == 40
    answer(capsys, "labels", "convert", str(tmp_path / name), str(tmp_path / "again.tsv"))
    assert (tmp_path / "again.tsv").read_text(encoding="utf-8") == content
    assert called("labels", "convert", source, str(tmp_path / "b.conll")) == 2
    assert "no format that holds pairs of texts" in capsys.readouterr().err


def test_convert_reads_as_the_settings_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{n}\tthe cat number {n}\tdie Katze {n}" for n in range(9)]
    source = file(tmp_path, "a.tsv", "\n".join(rows) + "\n")
    columns = ("task.source_column=2", "task.target_column=3")
    target = str(tmp_path / "b.csv")
    answer(capsys, "labels", "convert", source, target, "--set", "task.kind=translate", *columns)
    assert (tmp_path / "b.csv").read_text().startswith("source,target\nthe cat number 0,die Katze 0\n")
    content = '{"text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 10, "PER"]]}\n'
    source = file(tmp_path, "a.jsonl", content)
    assert called("labels", "convert", source, str(tmp_path / "b.conll")) == 2
    assert "cuts a word" in capsys.readouterr().err
    words = ("--set", "task.kind=tag", "task.mend=true")
    assert called("labels", "convert", source, str(tmp_path / "b.conll"), *words) == 0
    assert (tmp_path / "b.conll").read_text() == "Ann\tB-PER\nmet\tO\nBob\tB-PER\n"
    assert "1 span(s) widened" in capsys.readouterr().out


def test_folders_are_written_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.tsv", "text\tlabel\nfine film\tpos\ndull film\tneg\nnice\tpos\n")
    folders, again = str(tmp_path / "films"), str(tmp_path / "b.tsv")
    answer(capsys, "labels", "convert", source, folders, "--to", "folders")
    assert (tmp_path / "films" / "pos" / "000003.txt").read_text() == "nice"
    assert called("labels", "convert", folders, again) == 0
    assert (tmp_path / "b.tsv").read_text() == Path(source).read_text()


def test_a_table_of_two_texts_may_be_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.tsv", "".join(f"the cat {n}\tdie Katze {n}\n" for n in range(20)))
    assert called("labels", "convert", source, str(tmp_path / "b.jsonl")) == 2
    assert 'task.kind = "pair" or "translate"' in capsys.readouterr().err
    assert called("labels", "check", source) == 2
    assert 'task.kind = "pair" or "translate"' in capsys.readouterr().err


def test_a_file_of_another_encoding_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.tsv"
    rows = "".join(f"{chr(0x4E00 + n) * 9}\t{'好坏'[n % 2]}\n" for n in range(20))
    path.write_text("text\tlabel\n" + rows, encoding="gb18030")
    assert called("labels", "check", str(path)) == 2
    assert "by task.encoding in a recipe, else by --encoding" in capsys.readouterr().err
    found = answer(capsys, "labels", "check", str(path), "--encoding", "gb18030")
    assert found["parts"]["train"]["labels"] == {"好": 10, "坏": 10}  # type: ignore[index]


def test_settings_do_not_hide_what_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = '{"text": "Ann met Bob", "label": [[0, 3, "PER"], [0, 7, "ACT"]], "relations": [1]}\n'
    source = file(tmp_path, "a.jsonl", content)
    words = ("--set", "task.kind=tag", "task.mend=true")
    assert called("labels", "convert", source, str(tmp_path / "b.conll"), *words) == 2
    told = capsys.readouterr().err
    assert "relations of 1 text(s)" in told
    assert "a span of 1 text(s) would be lost" in told
    assert called("labels", "convert", source, str(tmp_path / "b.conll"), *words, "--lossy") == 0
    assert called("labels", "convert", source, str(tmp_path / "c.conll"), "--set", "seed=3") == 2
    assert "does not say how a file is read" in capsys.readouterr().err


def test_twins_and_what_is_set_aside_are_known_among_other_usual_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"film {n}\tbook {n}\t{n % 2}\tweb\n" for n in range(9))
    source = file(tmp_path, "a.tsv", f"s1\ts2\tlabel\tsource\n{rows}")
    found = answer(capsys, "labels", "convert", source, str(tmp_path / "b.csv"))
    assert (tmp_path / "b.csv").read_text().startswith("s1,s2,label\nfilm 0,book 0,0\n")
    assert found["beside"] == ["source"]
    words = ("--set", "task.kind=pair", "task.slice_column=source")
    assert answer(capsys, "labels", "convert", source, str(tmp_path / "c.csv"), *words)["beside"] == [
        "source"
    ]
    assert (tmp_path / "c.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_odd_names_and_numbers_of_pairs_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.jsonl", '{"1": "hello", "2": "bonjour"}\n{"1": "a day", "2": "un jour"}\n')
    words = ("--set", "task.kind=translate", "task.source_column=1", "task.target_column=2")
    answer(capsys, "labels", "convert", source, str(tmp_path / "b.csv"), *words)
    assert (tmp_path / "b.csv").read_text() == "source,target\nhello,bonjour\na day,un jour\n"
    many = "9" * 400
    source = file(tmp_path, "c.tsv", f"s1\ts2\tscore\na\tb\t{many}\nc\td\t1\n")
    answer(capsys, "labels", "convert", source, str(tmp_path / "c.jsonl"))
    assert json.loads((tmp_path / "c.jsonl").read_text().splitlines()[0])["score"] == many


def test_texts_without_any_label_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = '{"text": "a day", "label": []}\n{"text": "b", "label": []}\n'
    source = file(tmp_path, "a.jsonl", content)
    answer(capsys, "labels", "convert", source, str(tmp_path / "b.jsonl"), "--set", "task.several=true")
    assert (tmp_path / "b.jsonl").read_text() == content


@pytest.mark.parametrize("name", ["b.tsv", "b.csv"])
def test_a_table_holds_several_labels_as_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lines = ['{"text": "a", "label": ["x"]}', '{"text": "b", "label": ["x", "y, z"]}']
    lines += ['{"text": "c", "label": []}']
    source = file(tmp_path, "a.jsonl", "\n".join(lines) + "\n")
    answer(capsys, "labels", "convert", source, str(tmp_path / name))
    answer(capsys, "labels", "convert", str(tmp_path / name), str(tmp_path / "c.jsonl"))
    assert (tmp_path / "c.jsonl").read_text() == "\n".join(lines) + "\n"


def test_what_is_wrong_with_tagged_records_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a"], "tags": []}\n')
    for words in (("check", source), ("convert", source, str(tmp_path / "b.conll"))):
        assert called("labels", *words) == 2
        told = capsys.readouterr().err
        assert "not filled lists of one length" in told
        assert "a.jsonl:2" in told


def test_a_recipe_without_text_has_labels_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file(tmp_path, "a.tsv", TRAIN)
    recipe = file(
        tmp_path, "r.toml", 'name = "r"\n[task]\nkind = "classify"\ntrain = "a.tsv"\nallow_overlap = true\n'
    )
    assert answer(capsys, "labels", "check", recipe)["kind"] == "classify"


def test_labels_that_look_alike_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.tsv", TRAIN + "a new film\tYes\n")
    found = answer(capsys, "labels", "check", source, status=2)
    assert "labels that look alike: 'Yes', 'yes'" in str(found["troubles"])


def test_spans_within_spans_go_from_tool_to_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = '{"text": "New York Times", "label": [[0, 8, "LOC"], [0, 14, "ORG"]]}\n'
    source = file(tmp_path, "a.jsonl", content)
    there = str(tmp_path / "b.json")
    answer(capsys, "labels", "convert", source, there, "--to", "label-studio")
    answer(capsys, "labels", "convert", there, str(tmp_path / "c.jsonl"), "--to", "doccano")
    assert json.loads((tmp_path / "c.jsonl").read_text()) == json.loads(content)
    assert called("labels", "convert", source, str(tmp_path / "d.conll")) == 2
    assert "write doccano, label-studio or brat" in capsys.readouterr().err


def test_what_is_not_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file(tmp_path, "a.csv", "id,text,label\n1,a film,yes\n2,a book,no\n")
    assert answer(capsys, "labels", "convert", source, str(tmp_path / "b.tsv"))["beside"] == ["id"]


def test_a_label_that_a_format_cannot_hold_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "a.jsonl", '{"text": "a film", "label": "very\\tgood"}\n')
    assert called("labels", "convert", source, str(tmp_path / "b.tsv"), "--lossy") == 2
    told = capsys.readouterr().err
    assert "a tab or a line break" in told
    assert "a.jsonl:1" in told


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jsonl", '{"content": "some words", "tokens": 3}\n' * 5, None),
        ("a.csv", "test_id,question1,question2\n1,one,two\n2,three,four\n", None),
        (
            "a.tsv",
            "neu\tso so\n" + "".join(f"{('good', 'bad')[n % 2]}\tfilm {n}\n" for n in range(20)),
            "classify",
        ),
        ("a.tsv", "sentence1\tsentence2\tscore\none\ttwo\t1.5\n", "pair"),
    ],
)
def test_what_a_file_is_for_is_told_by_what_it_holds(
    tmp_path: Path, name: str, content: str, kind: str | None
) -> None:
    seen = look(Path(file(tmp_path, name, content)))
    assert (seen.kind if seen else None) == kind


def test_a_record_without_its_label_is_no_text_without_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"text {n}", "label": None if n == 7 else "ab"[n % 2]} for n in range(30)]
    source = file(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    target = tmp_path / "b.tsv"
    assert called("labels", "convert", source, str(target)) == 2
    assert "the place of 1 text(s) would be lost" in capsys.readouterr().err
    assert called("labels", "convert", source, str(target), "--lossy") == 0
    lines = target.read_text().splitlines()
    assert len(lines) == 30
    assert not any("[" in line for line in lines)


def test_texts_that_are_taken_for_labels_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"the cat {n}\tdie lange Katze {n} {'x' * 60}\n" for n in range(40))
    source = file(tmp_path, "mt.tsv", "text\ttarget\n" + rows)
    found = answer(capsys, "labels", "check", source, status=2)
    (told,) = [one for one in found["troubles"] if "task.kind" in one]  # type: ignore[attr-defined]
    assert '"translate" or "pair"' in told
    (rare,) = [one for one in found["troubles"] if "fewer than" in one]  # type: ignore[attr-defined]
    assert "and 20 more" in rare
    assert "x" * 60 not in rare


def test_what_a_format_makes_of_plain_tags_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file(tmp_path, "a.conll", "dogs NOUN\nbark VERB\n\n" * 3)
    assert called("labels", "convert", source, str(tmp_path / "a.jsonl"), "--to", "doccano") == 2
    assert "choose .conll or .jsonl" in capsys.readouterr().err

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from autolect.core.errors import UserError
from autolect.text import conll, readers, streams
from autolect.text.readers import common_folder, expand, gather, guess_document, read

Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, data: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return put


def texts(path: Path, **options: Any) -> list[str]:
    return [document.text for document in read(path, **options)]


def error(path: Path, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        list(read(path, **options))
    assert str(path) in caught.value.where
    return caught.value


# expand


def test_expand_takes_files_folders_and_patterns_sorted_and_once(write: Write, tmp_path: Path) -> None:
    files = [write(name, "x") for name in ("a.txt", "b/c.jsonl", "b/d/e.md.gz")]
    write("b/picture.png", "x")
    write("b/.hidden/f.txt", "x")
    assert expand([str(tmp_path / "**" / "*.txt"), str(tmp_path)]) == files


def test_gathered_documents_have_an_address_each(write: Write, tmp_path: Path) -> None:
    write("a/x.tsv", "note\none\n")
    write("b/x.tsv", "note\ntwo\n")
    found = gather([str(tmp_path / "*" / "x.tsv")], column="note")
    assert [(one.text, one.where) for one in found] == [("one", "a/x.tsv:2"), ("two", "b/x.tsv:2")]
    with pytest.raises(UserError, match="no text"):
        gather([str(write("empty.txt", " \n"))])


def test_expand_opens_the_folders_that_a_pattern_finds_when_it_finds_no_file(
    write: Write, tmp_path: Path
) -> None:
    files = [write("set-a/x.txt", "x"), write("set-b/y.txt", "x")]
    assert expand([str(tmp_path / "set-*")]) == files
    top = write("set-c.txt", "x")
    assert expand([str(tmp_path / "set-*")]) == [top]


def test_expand_takes_a_name_with_brackets_literally(write: Write) -> None:
    path = write("notes [1].txt", "x")
    assert expand([str(path)]) == [path]


@pytest.mark.parametrize("pattern", ["none.txt", "**/*.txt", "."])
def test_expand_refuses_what_matches_nothing(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no file matches") as caught:
        expand([pattern])
    assert caught.value.where == pattern


def test_sources_are_relative_to_the_common_folder(write: Write) -> None:
    paths = [write("a/x.txt", "one"), write("b/x.txt", "two")]
    root = common_folder(paths)
    found = [document for path in paths for document in read(path, root=root)]
    assert [(d.source, d.where) for d in found] == [("a/x.txt", "a/x.txt:1"), ("b/x.txt", "b/x.txt:1")]


# plain text


def test_blocks_join_their_lines_with_a_space_but_not_between_chinese(write: Write) -> None:
    path = write("a.txt", "one\n two\n\n\n我们\n在这里\n")
    found = list(read(path, document="block"))
    assert [(d.text, d.where) for d in found] == [("one two", "a.txt:1"), ("我们在这里", "a.txt:5")]


def test_a_file_can_be_one_document(write: Write) -> None:
    assert texts(write("a.md", "one\n\ntwo\n"), document="file") == ["one\n\ntwo"]


def test_a_file_that_is_too_long_for_one_document_is_parted(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LINE_CHARACTERS", 10)
    lines = [f"line {n}" for n in range(5)]
    found = texts(write("a.txt", "\n".join(lines)), document="file")
    assert "\n".join(found).split("\n") == lines
    assert len(found) > 1


@pytest.mark.parametrize("data", ["", "\n\n", " \t\r\n　"])
def test_what_is_blank_yields_nothing(write: Write, data: str) -> None:
    assert texts(write("a.txt", data)) == []


def wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def prose(seed: int, num_words: int) -> str:
    rng = random.Random(seed)
    return " ".join("x" * rng.randint(1, 9) for _ in range(num_words))


def test_wrapped_paragraphs_are_blocks() -> None:
    text = "\n\n".join(wrapped(prose(n, 60), 72) for n in range(8))
    assert guess_document(text) == "block"
    assert guess_document(text.replace("\n", "\r\n")) == "block"
    chinese = "\n\n".join(
        "\n".join(["天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"] * 3 + ["云腾"]) for _ in range(4)
    )
    assert guess_document(chinese) == "block"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n".join(prose(n, 20) for n in range(30)),
        "\n\n".join(prose(n, 60) for n in range(8)),
        "\n\n".join("\n".join(prose(10 * n + k, 2 + 9 * k) for k in range(4)) for n in range(8)),
        "\n\n".join(["a rose is red\na sky is blue\na verse is short\nand so are you"] * 5),
    ],
    ids=["empty", "lines", "long paragraphs", "lists", "verse"],
)
def test_unwrapped_text_is_lines(text: str) -> None:
    assert guess_document(text) == "line"


def test_auto_reads_wrapped_text_by_blocks_without_losing_the_sample(write: Write) -> None:
    paragraphs = [prose(n, 60) for n in range(400)]
    path = write("a.txt", "\n\n".join(wrapped(paragraph, 72) for paragraph in paragraphs))
    assert path.stat().st_size > readers.SAMPLE_CHARACTERS
    assert texts(path) == paragraphs


# jsonl


def test_jsonl_gives_the_column_with_its_line(write: Write) -> None:
    path = write("a.jsonl", '{"body": "one\\n中", "n": 1}\n\n{"body": "  "}\n{"body": "\\ud83d\\ude00"}')
    found = list(read(path, column="body"))
    assert [(d.text, d.where) for d in found] == [("one\n中", "a.jsonl:1"), ("😀", "a.jsonl:4")]


@pytest.mark.parametrize(
    "record",
    [
        '{"text": "a"',
        '{"text": NaN}',
        '["text"]',
        '{"body": "a", "id": 1}',
        '{"text": 5}',
        "[" * 100_000,
        '{"text": "a\\ud800"}',
        '{"text": ' + "1" * 5000 + "}",
    ],
    ids=["cut", "nan", "list", "no column", "no string", "deep", "surrogate", "long number"],
)
def test_a_bad_json_line_is_named(write: Write, record: str) -> None:
    path = write("a.jsonl", '{"text": "fine"}\n' + record + "\n")
    assert error(path).where == f"{path}:2"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"one": "a", "other": "b"}\n{"one": "c", "other": ""}\n'),
        ("a.tsv", "other\tone\nb\ta\n\tc\n"),
        ("a.json", '[{"one": "a", "other": "b"}, {"one": "c", "other": ""}]'),
    ],
)
def test_of_several_columns_each_cell_is_a_document(write: Write, name: str, content: str) -> None:
    found = list(read(write(name, content), column=("one", "other")))
    assert [one.text for one in found] == ["a", "b", "c"]
    assert found[0].where == found[1].where


@pytest.mark.parametrize("second", ["5", '{"text": 5}', '{"body": "b"}', '{"text": "\\ud800"}'])
def test_a_bad_record_of_an_array_is_named(write: Write, second: str) -> None:
    caught = error(write("a.json", f'[{{"text": "a"}}, {second}]'))
    assert caught.where.endswith(("a.json", "a.json[2]", "a.json:2"))


def test_an_array_is_read_where_it_is_named_and_not_among_the_files_of_a_folder(write: Write) -> None:
    path = write("a.json", '[{"text": "a"}]')
    note = write("b.txt", "b")
    assert expand([str(path.parent)]) == [note]
    assert expand([str(path)]) == [path]


def test_a_missing_json_column_tells_which_there_are(write: Write) -> None:
    caught = error(write("a.ndjson", '{"body": "a", "id": 1}'))
    assert caught.fix == "set corpus.column to one of: 'body', 'id'"


def test_a_record_that_is_too_long_is_refused_not_cut(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_CHARACTERS", 20)
    path = write("a.jsonl", '{"text": "a"}\n{"text": "' + "b" * 30 + '"}')
    assert error(path).where == f"{path}:2"


# parquet


def save(path: Path, **columns: Iterable[Any]) -> Path:
    parquet.write_table(arrow.table({name: list(values) for name, values in columns.items()}), path)
    return path


def test_parquet_is_read_by_batches_with_record_numbers(tmp_path: Path) -> None:
    values = [None if n == 3 else f"text {n}" for n in range(1, 601)]
    found = list(read(save(tmp_path / "a.parquet", id=range(600), text=values)))
    assert [d.text for d in found] == [value for value in values if value]
    assert [found[2].where, found[-1].where] == ["a.parquet:4", "a.parquet:600"]


def test_parquet_of_several_columns_gives_each_cell(tmp_path: Path) -> None:
    path = save(tmp_path / "a.parquet", one=["a", "c"], other=["b", ""], kind=["k", "k"])
    found = list(read(path, column=["one", "other"], style="kind"))
    assert [(one.text, one.style, one.where) for one in found] == [
        ("a", "k", "a.parquet:1"),
        ("b", "k", "a.parquet:1"),
        ("c", "k", "a.parquet:2"),
    ]


def test_parquet_without_a_text_column_tells_which_there_are(tmp_path: Path) -> None:
    path = save(tmp_path / "a.parquet", body=["a"], n=[1])
    assert error(path).fix == "set corpus.column to one of: 'body', 'n'"
    assert "holds int64" in error(path, column="n").what


@pytest.mark.parametrize("keep", [0, 3, -20])
def test_damaged_parquet_is_refused(tmp_path: Path, keep: int) -> None:
    path = save(tmp_path / "a.parquet", text=["a" * 100])
    path.write_bytes(path.read_bytes()[:keep])
    assert "cannot be read as Parquet" in error(path).what


# conll


def test_conll_words_become_sentences(write: Write) -> None:
    data = "-DOCSTART- O\n\n# id 7 x\nHello B\n, O\nworld O\n\n我 O\n们 O\n\n\n# O\nhash O\n"
    found = list(read(write("a.conll", data)))
    assert [(d.text, d.where) for d in found] == [
        ("Hello , world", "a.conll:3"),
        ("我们", "a.conll:8"),
        ("# hash", "a.conll:12"),
    ]


def test_numbered_words_are_read_from_the_second_column(write: Write) -> None:
    head = "# newdoc id = a-1\n# text = on 3 May\n"
    data = head + "1\ton\tO\t-\t-\n2\t3\tO\t-\t-\n3\tMay\tO\t-\t-\n\n1\tyes\tO\t-\t-\n"
    assert texts(write("a.iob2", data)) == ["on 3 May", "yes"]


def test_a_hash_is_a_comment_only_where_it_cannot_be_a_word(write: Write) -> None:
    assert texts(write("a.conll", "#\tO\nnow\tO\n\n# id x\nthen\tO\n")) == ["# now", "then"]
    assert texts(write("b.conll", "# id 5 domain=en\nthe _ _ O\n# _ _ O\nkey _ _ O\n")) == ["the # key"]


def test_conllu_counts_multi_word_tokens_once_and_skips_comments_and_empty_nodes(write: Write) -> None:
    rows = [("1-2", "du"), ("1", "de"), ("2", "le"), ("2.1", "nichts"), ("3", "pain")]
    data = "# text = du pain\n" + "".join(f"{n}\t{form}\t_\t_\n" for n, form in rows)
    assert texts(write("a.conllu", data)) == ["du pain"]


def test_an_ideographic_space_is_a_word_not_the_end_of_a_sentence(write: Write) -> None:
    assert texts(write("a.conll", "我\n\u3000\n们\n\n好\n")) == ["我 \u3000 们", "好"]


def test_a_sentence_without_end_is_refused_where_it_begins(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conll, "LINE_CHARACTERS", 20)
    path = write("a.conll", "short O\n\n" + "word O\n" * 10)
    assert error(path).where == f"{path}:3"


def test_a_conllu_line_that_is_no_word_is_named(write: Write) -> None:
    path = write("a.conllu", "1\tone\t_\nnonsense\n")
    assert error(path).where == f"{path}:2"


# the rest


@pytest.mark.parametrize("name", ["a.docx", "a", "a.gz", "a.parquet.gz", "a.txt.bz2"])
def test_an_unknown_kind_tells_the_known_ones(write: Write, name: str) -> None:
    assert ".jsonl" in error(write(name, "x")).fix


def test_the_encoding_is_checked_at_once_and_its_key_is_named(write: Write) -> None:
    with pytest.raises(UserError, match="is not an encoding") as caught:
        read(write("a.txt", "x"), encoding="utf-9")
    assert caught.value.where == "corpus.encoding"
    assert "corpus.encoding" in error(write("b.txt", b"\xff")).fix


@pytest.mark.parametrize("name", ["a.jsonl.gz", "A.JSONL.GZ"])
def test_a_packed_file_is_read_as_what_it_holds(write: Write, name: str) -> None:
    path = write(name, gzip.compress(b'{"text": "one"}'))
    assert expand([str(path.parent)]) == [path]
    assert texts(path) == ["one"]


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    assert "cannot be read" in error(tmp_path / "none.txt").what


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(sorted(readers._FORMATS)),
    data=st.binary(max_size=200),
)
def test_any_bytes_give_documents_or_a_user_error(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    try:
        found = texts(path)
    except UserError:
        return
    json.dumps(found).encode()
    assert all(text.strip() for text in found)

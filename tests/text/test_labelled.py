from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.core.metrics import entities
from autolect.text import conll, streams
from autolect.text.labels import labelled, tags

TEXTS = "positive\ta fine film\nnegative\ta dull film\npositive\tso good\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(folder: Path, name: str, content: str | bytes, **columns: str) -> labelled.LabelledTexts:
    path = write(folder, name, content)
    return labelled.read_texts(path, text_column=columns.get("text"), label_column=columns.get("label"))


def tokens(folder: Path, content: str | bytes, name: str = "a.conll") -> labelled.LabelledTokens:
    return labelled.read_tokens(write(folder, name, content))


def refused(folder: Path, name: str, content: str | bytes, **columns: str) -> UserError:
    with pytest.raises(UserError) as caught:
        texts(folder, name, content, **columns)
    return caught.value


def refused_tokens(folder: Path, content: str | bytes, name: str = "a.conll") -> UserError:
    with pytest.raises(UserError) as caught:
        tokens(folder, content, name)
    return caught.value


# Texts.


def test_label_and_text_are_told_apart_in_either_order(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.tsv", TEXTS)
    turned = "".join("\t".join(reversed(line.split("\t"))) + "\n" for line in TEXTS.splitlines())
    other = texts(tmp_path, "b.tsv", turned)
    assert (read.text_column, read.label_column) == ("2", "1")
    assert (other.text_column, other.label_column) == ("1", "2")
    assert [(e.text, e.label) for e in read.examples] == [(e.text, e.label) for e in other.examples]
    assert read.examples[1] == labelled.TextExample(
        text="a dull film", labels=("negative",), where=f"{tmp_path}/a.tsv:2"
    )


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.tsv", "label\ttext_a\n1\tone\n0\ttwo\n", ("text_a", "label")),
        ("a.tsv", "Sentence\tother\tIntent\none\tx\t1\ntwo\ty\t0\n", ("Sentence", "Intent")),
        ("a.csv", 'id,review,class\n1,"one",1\n2,two,0\n', ("review", "class")),
        ("a.csv", "comment,label\none,1\ntwo,0\n", ("comment", "label")),
        ("a.jsonl", '{"text": "one", "label": 1}\n\n{"label": 0, "text": "two"}\n', ("text", "label")),
        (
            "a.jsonl",
            '{"text": "one", "labels": ["1"]}\n{"text": "two", "labels": ["0"]}\n',
            ("text", "labels"),
        ),
    ],
)
def test_usual_names_are_found(tmp_path: Path, name: str, content: str, columns: tuple[str, str]) -> None:
    read = texts(tmp_path, name, content)
    assert (read.text_column, read.label_column) == columns
    assert [(e.text, e.label) for e in read.examples] == [("one", "1"), ("two", "0")]


def test_columns_asked_for_are_taken_by_name_or_number(tmp_path: Path) -> None:
    table = "text\tbody\tlabel\ttopic\na\tone\tb\t1\n"
    read = texts(tmp_path, "a.tsv", table, text="body", label="topic")
    assert [(e.text, e.label) for e in read.examples] == [("one", "1")]
    read = texts(tmp_path, "a.tsv", table, text="2", label="4")
    assert [(e.text, e.label) for e in read.examples] == [("one", "1")]
    read = texts(tmp_path, "b.csv", '"3","title","one"\n"4","title","two"\n', text="3", label="1")
    assert [(e.text, e.label) for e in read.examples] == [("one", "3"), ("two", "4")]


def test_one_column_asked_for_leaves_the_other(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.tsv", "x\ty\ny\tx\n", label="1")
    assert [(e.text, e.label) for e in read.examples] == [("y", "x"), ("x", "y")]


def test_an_example_that_says_label_is_no_header(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.tsv", "label\tput it on\nlabel\ttake it off\nother\twait\n")
    assert len(read.examples) == 3


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("one\ttwo\nthree\tfour\n", {}),
        ("one\ttwo\tthree\n", {}),
        ("text\tcontent\tlabel\nx\ty\tz\n", {}),
        ("id\ttext\tother\n1\tx\ty\n", {}),
        ("".join(f"sentence {n}\tSatz Nummer {n}\n" for n in range(20)), {}),
        ("".join(f"s{max(n, 2)}\ta longer text {n}\n" for n in range(20)), {}),
        ("x\ty\tz\n", {"label": "1"}),
        ("x\ty\nx\tz\n", {"label": "1", "text": "1"}),
        ("x\ty\nx\tz\n", {"label": "3"}),
        ("a text alone\nanother one\n", {}),
    ],
)
def test_what_can_be_read_two_ways_shows_the_first_row_and_the_keys(
    tmp_path: Path, content: str, columns: dict[str, str]
) -> None:
    error = refused(tmp_path, "a.tsv", content, **columns)
    assert content.split("\n")[0].split("\t")[0] in str(error)
    assert "task.label_column" in error.fix or "task.text_column" in error.fix


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, "a.tsv", "text\tlabel\na\tb\n", text="body")
    assert "'body' is missing" in error.what
    assert "'text', 'label'" in error.fix


def test_an_open_quote_in_tsv_swallows_no_rows(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.tsv", 'a\t"so he said\nb\tand left"\na\t"""\n')
    assert [e.text for e in read.examples] == ['"so he said', 'and left"', '"""']


def test_an_open_quote_in_csv_is_refused_where_it_opens(tmp_path: Path) -> None:
    error = refused(tmp_path, "a.csv", 'text,label\n"two\nlines",a\n"open,b\nc,d\n')
    assert error.where == f"{tmp_path}/a.csv:4"


def test_csv_places_are_those_where_rows_begin(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.csv", 'text,label\n"two\nlines",a\n\nb,c\n')
    assert [(e.text, e.where) for e in read.examples] == [
        ("two\nlines", f"{tmp_path}/a.csv:2"),
        ("b", f"{tmp_path}/a.csv:5"),
    ]


def test_a_long_text_in_csv_is_read_whole(tmp_path: Path) -> None:
    long = "x" * (csv.field_size_limit() + 1)
    read = texts(tmp_path, "a.csv", f"text,label\n{long},a\n")
    assert [e.text for e in read.examples] == [long]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.tsv", "text\tlabel\na\tb\nc\n", 3),
        ("a.tsv", "text\tlabel\na\tb\nc\td\te\n", 3),
        ("a.tsv", "text\tlabel\n \tb\n", 2),
        ("a.tsv", "text\tlabel\na\t\n", 2),
        ("a.csv", "text,label\na,b,c\n", 2),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a"}\n', 2),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", "label": 0.5}\n', 2),
        ("a.jsonl", '{"text": "a", "label": "b"}\nnothing\n', 2),
        ("a.jsonl", '{"text": "a", "label": "b"}\n[1]\n', 2),
        ("a.jsonl", '{"text": "a", "label": "b", "text": "c"}\n', 1),
        ("a.jsonl", '{"text": "\\ud83d", "label": "b"}\n', 1),
        ("a.jsonl", "[" * 100_000 + "\n", 1),
    ],
)
def test_malformed_rows_are_refused_with_their_line(
    tmp_path: Path, name: str, content: str, line: int
) -> None:
    assert refused(tmp_path, name, content).where == f"{tmp_path}/{name}:{line}"


@pytest.mark.parametrize("content", ["", "\n\n", "text\tlabel\n"])
def test_a_file_without_examples_is_refused(tmp_path: Path, content: str) -> None:
    assert "rows" in refused(tmp_path, "a.tsv", content).what


def test_odd_line_breaks_stay_inside_of_texts(tmp_path: Path) -> None:
    read = texts(tmp_path, "a.tsv", "a\tone\u2028two\x0bthree\r\nb\tfour\x85\ra\tfive\n")
    assert [e.text for e in read.examples] == ["one\u2028two\x0bthree", "four\x85", "five"]


def test_packed_and_differently_encoded_files_read_alike(tmp_path: Path) -> None:
    plain = [(e.text, e.label) for e in texts(tmp_path, "a.tsv", TEXTS).examples]
    frames = zstandard.compress(TEXTS[:20].encode()) + zstandard.compress(TEXTS[20:].encode())
    for name, content in (
        ("a.tsv.gz", gzip.compress(TEXTS.encode())),
        ("a.tsv.zst", frames),
        ("b.tsv", b"\xef\xbb\xbf" + TEXTS.encode()),
        ("c.tsv", TEXTS.encode("utf-16")),
        ("d.tsv", TEXTS.encode("utf-32")),
    ):
        assert [(e.text, e.label) for e in texts(tmp_path, name, content).examples] == plain


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.tsv.gz", gzip.compress(TEXTS.encode())[:-9], "cut short"),
        ("a.tsv.gz", b"no gzip", "damaged"),
        ("a.tsv.zst", zstandard.compress(TEXTS.encode())[:-4], "cut short"),
        ("a.tsv.zst", b"no zstd", "damaged"),
        ("a.tsv", b"a\tb\nc\t\xff\n", "not utf-8 at byte 6"),
        ("a.tsv", b"a\tb\nc\t\0\n", "NUL at byte 6"),
    ],
    # Named, since a gzip header holds the time, and the workers of a run must agree on the tests' names.
    ids=["gzip cut short", "no gzip", "zstd cut short", "no zstd", "no utf-8", "NUL"],
)
def test_bytes_that_cannot_be_read_are_refused(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    assert what in refused(tmp_path, name, content).what


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_packed_bomb_is_refused(tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 1 << 20)
    raw = b"a" * (1 << 22)
    packed = gzip.compress(raw) if packing == ".gz" else zstandard.compress(raw)
    assert "more than" in refused(tmp_path, f"a.tsv{packing}", packed).what


def test_a_missing_file_and_an_unknown_encoding_are_the_users(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        labelled.read_texts(tmp_path / "none.tsv")
    with pytest.raises(UserError, match="not an encoding"):
        labelled.read_texts(write(tmp_path, "a.tsv", TEXTS), encoding="utf-9")


cells = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_whatever_is_written_as_csv_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    rows = [(f"{text}.", f"{label.strip()}.") for text, label in rows]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("text", "label"), *rows])
    read = texts(tmp_path_factory.mktemp("csv"), "a.csv", stream.getvalue())
    assert [(e.text, e.label) for e in read.examples] == rows


# Tokens.


def test_comments_are_skipped_and_hashes_are_tokens(tmp_path: Path) -> None:
    read = tokens(
        tmp_path,
        "# intent = Play\ta song\n#\tO\nAnna\tB-PER\n#\tO\n\n# id = 2\tb\n#hash\tO\nsings\tO\n\n# end\n",
    )
    assert [e.words() for e in read.examples] == [["#", "Anna", "#"], ["#hash", "sings"]]
    assert read.examples[0].where == f"{tmp_path}/a.conll:2"
    assert (read.scheme, read.written) == ("entities", "IOB2")


def test_comments_are_skipped_where_blanks_part_columns(tmp_path: Path) -> None:
    read = tokens(
        tmp_path, "# sentence one is here\n-DOCSTART- -X- O\n\nEU NNP B-ORG\n# SYM O\n\n# two\n# SYM O\n"
    )
    assert [e.words() for e in read.examples] == [["EU", "#"], ["#"]]


def test_tokens_are_where_their_spans_say(tmp_path: Path) -> None:
    read = tokens(tmp_path, "我\tO\n爱\tO\nNew\tB-LOC\nYork\tI-LOC\n。\tO\n")
    (example,) = read.examples
    assert example.text == "我爱 New York 。"
    assert example.words() == ["我", "爱", "New", "York", "。"]


def test_the_first_of_several_columns_may_count_the_words(tmp_path: Path) -> None:
    read = tokens(tmp_path, "1 to _ O\n2 Rome _ B-city\n\n1 now _ O\n")
    assert [[one.text[start:end] for start, end in one.tokens] for one in read.examples] == [
        ["to", "Rome"],
        ["now"],
    ]
    assert read.examples[0].tags == ("O", "B-city")
    titled = tokens(tmp_path, "-DOCSTART- -X- O\n\n1\tTitle\tO\n\n1\tAnn\tB-PER\n2\tmet\tO\n")
    assert [one.text for one in titled.examples] == ["Title", "Ann met"]
    plain = tokens(tmp_path, "1 CD O\n2 CD O\n\nAnn NNP B-PER\n")
    assert [one.text for one in plain.examples] == ["1 2", "Ann"]


@pytest.mark.parametrize("mark", ["\t", " "])
def test_a_corpus_finds_the_same_words_as_a_task(tmp_path: Path, mark: str) -> None:
    lines = [
        "-DOCSTART- -X- O",
        "",
        "1 Title _ O",
        "",
        "1-2 cannot _ O",
        "1 can _ O",
        "2 not _ O",
        "3 go _ B-X",
        "",
    ]
    path = tmp_path / "a.conll"
    path.write_text("\n".join(line.replace(" ", mark) for line in lines), encoding="utf-8")
    task = [[one.text[a:b] for a, b in one.tokens] for one in labelled.read_tokens(path).examples]
    found = conll.read_words(streams.numbered_lines(path, encoding="utf-8"), path=path, layout="conll")
    corpus = [list(one.words) for one in found if one.words]
    assert task == [["Title"], ["can", "not", "go"]]
    assert corpus == [["Title"], ["cannot", "go"]]


def test_conllu_and_universal_ner_columns_are_known(tmp_path: Path) -> None:
    blank = "\t_" * 8
    conllu = f"# text = don't go\n1-2\tdon't{blank}\n1\tdo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n"
    conllu += f"2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n2.1\tx{blank}\n"
    conllu += "3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n"
    read = tokens(tmp_path, conllu)
    assert read.examples[0].words() == ["do", "n't", "go"]
    assert read.examples[0].tags == ("AUX", "PART", "VERB")
    assert (read.scheme, read.written) == ("plain", "plain")
    read = tokens(tmp_path, "# text = Al\n1\tAl\tB-PER\t-\t-\n2\tsat\tO\t-\t-\n")
    assert (read.examples[0].words(), read.examples[0].tags) == (["Al", "sat"], ("B-PER", "O"))


def test_the_tag_column_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.conll", "EU NNP B-NP B-ORG\n")
    assert labelled.read_tokens(path).examples[0].tags == ("B-ORG",)
    assert labelled.read_tokens(path, column=2).examples[0].tags == ("NNP",)
    for column in (1, 5):
        with pytest.raises(UserError, match="no tag in column"):
            labelled.read_tokens(path, column=column)


def test_counted_characters_lose_their_digit_only_when_all_have_one(tmp_path: Path) -> None:
    counted = tokens(tmp_path, "科0\tB-ORG\n技1\tI-ORG\n，0\tO\n10\tO\n")
    assert counted.examples[0].words() == ["科", "技", "，", "1"]
    mixed = tokens(tmp_path, "科0\tB-ORG\n技\tI-ORG\n")
    assert mixed.examples[0].words() == ["科0", "技"]
    english = tokens(tmp_path, "A4\tO\nB12\tO\n")
    assert english.examples[0].words() == ["A4", "B12"]


def test_json_lines_hold_tokens_and_tags(tmp_path: Path) -> None:
    record = {"tokens": ["Al", "sat"], "ner_tags": ["B-PER", "O"]}
    read = tokens(tmp_path, json.dumps(record) + "\n", "a.jsonl")
    assert (read.examples[0].words(), read.examples[0].tags) == (["Al", "sat"], ("B-PER", "O"))


@pytest.mark.parametrize(
    "record",
    [
        {"tokens": ["a"], "ner_tags": [3]},
        {"tokens": ["a", "b"], "tags": ["O"]},
        {"tokens": [], "tags": []},
        {"tokens": ["a"]},
        {"tokens": ["a"], "tags": ["O"], "ner_tags": ["O"]},
        {"tokens": [" "], "tags": ["O"]},
        {"tokens": "a", "tags": "O"},
    ],
)
def test_malformed_token_records_are_refused_with_their_line(
    tmp_path: Path, record: dict[str, object]
) -> None:
    content = '{"tokens": ["a"], "tags": ["O"]}\n' + json.dumps(record) + "\n"
    assert refused_tokens(tmp_path, content, "a.jsonl").where == f"{tmp_path}/a.jsonl:2"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a\tO\nb\n", 2),
        ("a\tO\nb\tx\tO\n", 2),
        ("alone\n", 1),
        ("a\tO\n \tO\n", 2),
        ("a\tO\nb\t\n", 2),
        ("1\ta\tO\t-\t-\nx\tb\tO\t-\t-\n", 2),
        ("a\tO\nb\tB-PER\nc\tNN\nd\tI-PER\n", 3),
        ("a\tNN\nb\tB-PER\nc\tVB\n", 2),
        ("a\tB-PER\nb\tI-LOC\n\nc\tO\nd\tB-LOC\n", 2),
        ("a\tB-PER\nb\tE-LOC\n", 2),
        ("a\tB-PER\nb\tO\nc\tS-PER\n", 2),
        ("a\tS-PER\nb\tB-PER\n\nc\tO\n", 2),
        ("a\tO\nb\tU-PER\nc\tM-PER\n", 1),
    ],
)
def test_malformed_sentences_are_refused_with_their_line(tmp_path: Path, content: str, line: int) -> None:
    assert refused_tokens(tmp_path, content).where == f"{tmp_path}/a.conll:{line}"


def test_a_file_without_sentences_is_refused(tmp_path: Path) -> None:
    assert "no sentences" in refused_tokens(tmp_path, "# nothing\n\n").what


# Schemes.


def sentence(written: str) -> conll.Sentence:
    found = tuple(written.split())
    places = tuple(f"f:{number}" for number in range(1, len(found) + 1))
    return conll.Sentence(words=found, tags=found, places=places)


@pytest.mark.parametrize(
    ("written", "scheme", "expected"),
    [
        ("B-A I-A O B-B B-B", "IOB2", "B-A I-A O B-B B-B"),
        ("I-A I-A B-A O I-B I-A", "IOB1", "B-A I-A B-A O B-B B-A"),
        ("B-A I-A E-A O S-B B-A E-A", "BIOES", "B-A I-A I-A O B-B B-A I-A"),
        ("B-A M-A E-A O S-B B-A E-A", "BMES", "B-A I-A I-A O B-B B-A I-A"),
        ("B-A I-A L-A O U-B B-A L-A", "BILOU", "B-A I-A I-A O B-B B-A I-A"),
        ("NOUN VERB O", "plain", "NOUN VERB O"),
        ("B M E S", "plain", "B M E S"),
        ("O O", "IOB2", "O O"),
        ("B-a-b I-a-b", "IOB2", "B-a-b I-a-b"),
    ],
)
def test_every_scheme_becomes_iob2(written: str, scheme: tags.Scheme, expected: str) -> None:
    normal = tags.normalise([sentence(written)])
    assert normal.scheme == scheme
    assert normal.tags == (tuple(expected.split()),)


def test_the_scheme_is_that_of_the_whole_file() -> None:
    normal = tags.normalise([sentence("I-A B-A"), sentence("O I-A I-B")])
    assert normal.tags == (("B-A", "B-A"), ("O", "B-A", "B-B"))


def test_a_rare_stray_tag_is_kept_and_told() -> None:
    normal = tags.normalise([sentence("O B-A I-A " * 60), sentence("B-A O I-A O")])
    assert normal.tags[1] == ("B-A", "O", "I-A", "O")
    assert normal.stray == ("f:3",)


pieces_of_text = st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("AB"))


@given(st.lists(pieces_of_text, min_size=1, max_size=6), st.sampled_from(["BIOES", "BMES", "BILOU", "IOB1"]))
def test_no_entity_is_lost_or_moved_by_any_scheme(
    pieces: list[tuple[int, int, str]], scheme: tags.Scheme
) -> None:
    iob2: list[str] = []
    written: list[str] = []
    inside, last, single = tuple({"BMES": "MES", "BILOU": "ILU"}.get(scheme, "IES"))
    for gap, length, kind in pieces:
        before = written[-1][2:] if written and not gap else ""
        iob2 += ["O"] * gap + [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
        inner = [f"{inside}-{kind}"] * (length - 2)
        ended = [f"{single}-{kind}"] if length == 1 else [f"B-{kind}", *inner, f"{last}-{kind}"]
        iob1 = [f"{'B' if before == kind else 'I'}-{kind}"] + [f"I-{kind}"] * (length - 1)
        written += ["O"] * gap + (iob1 if scheme == "IOB1" else ended)
    normal = tags.normalise([sentence(" ".join(written))])
    assert entities(normal.tags[0]) == entities(iob2)


@pytest.mark.parametrize(
    ("name", "content", "separator"),
    [
        ("a.tsv", "label\ttext\tfrom\nx\tone\tmail\ny\ttwo\t\n", None),
        (
            "a.jsonl",
            '{"text": "one", "label": "x", "from": "mail"}\n{"text": "two", "label": "y", "from": ""}\n',
            None,
        ),
        (
            "b.jsonl",
            '{"text": "one", "label": ["x"], "from": "mail"}\n{"text": "two", "label": [], "from": null}\n',
            ",",
        ),
    ],
)
def test_a_column_says_of_what_kind_a_text_is(
    tmp_path: Path, name: str, content: str, separator: str | None
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    columns = {"text_column": "text", "label_column": "label", "slice_column": "from"}
    read = labelled.read_texts(tmp_path / name, separator=separator, **columns)
    assert [one.slice for one in read.examples] == ["mail", ""]
    with pytest.raises(UserError, match="genre"):
        labelled.read_texts(tmp_path / name, separator=separator, **{**columns, "slice_column": "genre"})


def test_what_a_labelling_tool_wrote_has_no_columns_to_tell_kinds_by(tmp_path: Path) -> None:
    def task(text: str, label: str) -> dict[str, object]:
        chosen = {"type": "choices", "from_name": "c", "to_name": "t", "value": {"choices": [label]}}
        return {"data": {"text": text}, "annotations": [{"result": [chosen]}]}

    path = tmp_path / "a.json"
    path.write_text(json.dumps([task("one", "x"), task("two", "y")]), "utf-8")
    assert len(labelled.read_texts(path).examples) == 2
    with pytest.raises(UserError, match=r"without task\.slice_column"):
        labelled.read_texts(path, slice_column="from")


# Headers, quotes and lists.


def test_usual_names_are_found_in_chinese_and_of_the_second_kind(tmp_path: Path) -> None:
    rows = "".join(f"这家店{n}很好,{('正', '负')[n % 2]}\n" for n in range(10))
    read = texts(tmp_path, "a.csv", f"内容,标签\n{rows}")
    assert (read.text_column, read.label_column, len(read.examples)) == ("内容", "标签", 10)
    read = texts(tmp_path, "b.csv", "title,text,topic\na,one,1\nb,two,0\n")
    assert (read.text_column, read.label_column) == ("text", "topic")
    assert "not read: title" in read.notes


def test_a_first_row_that_may_be_a_header_is_asked_about(tmp_path: Path) -> None:
    content = "v1\tv2\n" + "".join(f"{('ham', 'spam')[n % 2]}\ta longer text {n}\n" for n in range(10))
    error = refused(tmp_path, "a.tsv", content)
    assert "may be a header" in error.what
    assert "task.text_column = '2' if it is none; if it is one, set task.text_column = 'v2'" in error.fix
    error = refused(tmp_path, "b.tsv", content.replace("v2", "2021"))
    assert "if it is one, call its columns otherwise" in error.fix
    assert len(texts(tmp_path, "a.tsv", content, text="v2").examples) == 10
    assert len(texts(tmp_path, "a.tsv", content, text="2").examples) == 11


def test_quotes_of_a_program_are_taken_off_where_all_are_its(tmp_path: Path) -> None:
    written = 'label\ttext\na\t"he said ""hi"""\nb\tplain\n'
    read = texts(tmp_path, "a.tsv", written)
    assert [one.text for one in read.examples] == ['he said "hi"', "plain"]
    assert "the quotes of 1 cell(s) were taken off" in read.notes
    typed = written + 'a\tone " alone\n'
    assert texts(tmp_path, "a.tsv", typed).examples[0].text == '"he said ""hi"""'


@pytest.mark.parametrize(
    "content", ["text;label\none, two;a\nthree;b\n", "sep=|\ntext|label\none, two|a\nthree|b\n"]
)
def test_other_separators_of_csv_are_known(tmp_path: Path, content: str) -> None:
    read = texts(tmp_path, "a.csv", content)
    assert [(one.text, one.label) for one in read.examples] == [("one, two", "a"), ("three", "b")]
    assert read.examples[1].where.endswith(f"a.csv:{content.count(chr(10))}")


def test_lists_in_cells_are_labels(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\none,"[\'x\', \'y\']"\ntwo,"[""z""]"\nthree,[w\n')
    read = labelled.read_texts(path, separator=",")
    assert [one.labels for one in read.examples] == [("x", "y"), ("z",), ("[w",)]
    assert "is a list of labels" in refused(tmp_path, "b.csv", "text,label\none,\"['x', 'y']\"\n").what
    assert texts(tmp_path, "c.csv", "text,label\none,['x']\n").examples[0].label == "x"
    face = '"[""\\ud83d\\ude00""]"'
    assert texts(tmp_path, "e.csv", f"text,label\none,{face}\n").examples[0].label == "😀"
    assert "no name of a label" in refused(tmp_path, "f.csv", "text,label\none,['']\n").what
    spans = '"[{""start"": 0, ""labels"": [""PER""]}]"'
    assert "objects in JSON" in refused(tmp_path, "d.csv", f"text,label\none,{spans}\n").what


def test_what_may_part_labels_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\none,a|b\ntwo,a|c\n")
    assert "task.separator = '|'" in labelled.read_texts(path, separator=",").notes[-1]
    assert len(labelled.read_texts(path, separator="|").notes) == 1


def test_the_line_of_wrong_bytes_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, "a.tsv", b"text\tlabel\na\tb\nc\xff\td\n")
    assert error.where.endswith("a.tsv:3")
    assert "task.encoding" in error.fix


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        labelled.read_texts(tmp_path)


def test_a_comment_of_as_many_words_as_a_token_has_columns_is_none(tmp_path: Path) -> None:
    read = tokens(tmp_path, "# O\ndogs NN\n\n# one\nGerman JJ\n\n# NN\nmany JJ\n\n#tag VB\nso RB\n")
    assert [one.words() for one in read.examples] == [
        ["#", "dogs"],
        ["German"],
        ["#", "many"],
        ["#tag", "so"],
    ]
    assert tokens(tmp_path, "#tag B-X\nso O\n").examples[0].words() == ["#tag", "so"]


def test_a_column_of_kinds_is_no_label(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,verdict,topic\na film,good,arts\na game,bad,sport\n")
    read = labelled.read_texts(path, slice_column="topic")
    assert [(one.label, one.slice) for one in read.examples] == [("good", "arts"), ("bad", "sport")]


def test_values_within_objects_are_no_columns(tmp_path: Path) -> None:
    line = '{"text": "a film", "label": "good", "meta": {"category": "arts"}}\n'
    assert texts(tmp_path, "a.jsonl", line).examples[0].label == "good"


def test_quotes_are_text_in_records_and_taken_off_where_every_cell_has_them(tmp_path: Path) -> None:
    line = json.dumps({"text": '"""x"""', "label": "a"}) + "\n"
    assert texts(tmp_path, "a.jsonl", line).examples[0].text == '"""x"""'
    read = texts(tmp_path, "a.tsv", '"text"\t"label"\n"one"\t"a"\n"two"\t"b"\n')
    assert [(one.text, one.label) for one in read.examples] == [("one", "a"), ("two", "b")]
    read = texts(tmp_path, "a.tsv", '"text"\t"label"\n"one"\t1\n"two"\t0\n')
    assert [(one.text, one.label) for one in read.examples] == [("one", "1"), ("two", "0")]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.conllu", "1 Dogs dog NOUN _ _ 2 nsubj _ _\n", "has no tabs"),
        ("a.conll", "#begin document (x); part 000\nx 0 0 In IN (TOP* - -\n", "CoNLL-2012"),
        ("a.conll", "a B-X\nb I-X\nc O\n\nd B-X\ne E-X\n", "BIOES, which the file is by 'E-X' at"),
    ],
)
def test_files_that_would_be_read_wrongly_say_why(tmp_path: Path, name: str, content: str, what: str) -> None:
    assert what in refused_tokens(tmp_path, content, name).what


def test_labels_in_one_string_are_parted_whatever_holds_them(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": ["a", "a,b", ""][n % 3]} for n in range(6)]
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.tsv"
    lines.write_text("\n".join(map(json.dumps, rows)))
    table.write_text("text\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in rows))
    found = [
        [one.labels for one in labelled.read_texts(path, separator=",").examples] for path in (lines, table)
    ]
    assert found[0] == found[1] == [("a",), ("a", "b"), ()] * 2
    whole = labelled.read_texts(lines, separator=";")
    assert whole.examples[1].labels == ("a,b",)
    assert any("task.separator = ','" in note for note in whole.notes)
    listed = [{"text": "one", "labels": ["a,b", "c"]}, {"text": "two", "labels": []}]
    lines.write_text("\n".join(map(json.dumps, listed)))
    assert labelled.read_texts(lines, separator=",").examples[0].labels == ("a,b", "c"), (
        "a list says what is one label"
    )

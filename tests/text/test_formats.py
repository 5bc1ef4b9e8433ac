"""Files of labelling tools: read, refused with their place, and written so that they are read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text.labels import formats
from autolect.text.labels.annotation import Annotation, Mark, marks_of, tagged
from autolect.text.labels.formats import label_studio
from autolect.text.labels.labelled import read_texts, read_tokens

DOCCANO = '{"id": 1, "text": "Ann met Bob", "label": [[0, 3, "PER"], [8, 11, "PER"]]}\n'
RELATED = (
    '{"text": "Ann met Bob", "entities": [{"id": 0, "start_offset": 0, "end_offset": 3, "label": "PER"}],'
    ' "relations": [{"id": 1}], "Comments": []}\n'
)
STUDIO = [
    {
        "id": 7,
        "data": {"text": "😀 Ann met Bob"},
        "annotations": [
            {
                "result": [
                    {
                        "type": "labels",
                        # A browser counts the face as two.
                        "value": {"start": 3, "end": 6, "text": "Ann", "labels": ["PER"]},
                    }
                ]
            }
        ],
    },
    {"id": 8, "data": {"text": "nobody"}, "annotations": [{"was_cancelled": True, "result": []}]},
]


def file(folder: Path, name: str, content: str | list[Any]) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def brat(folder: Path, text: str, marks: str) -> Path:
    place = folder / "brat"
    place.mkdir()
    (place / "a.txt").write_bytes(text.encode())
    (place / "a.ann").write_text(marks, encoding="utf-8")
    return place


def saved(folder: Path, rows: list[dict[str, Any]], features: dict[str, Any]) -> Path:
    place = folder / "saved"
    place.mkdir()
    table = arrow.Table.from_pylist(rows)
    with (
        arrow.OSFile(str(place / "data-00000-of-00001.arrow"), "wb") as sink,
        arrow.ipc.new_stream(sink, table.schema) as stream,
    ):
        stream.write_table(table)
    (place / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    )
    (place / "dataset_info.json").write_text(json.dumps({"features": features}))
    return place


def words(example: Any) -> list[tuple[str, str]]:
    return [(word, tag) for word, tag in zip(example.words(), example.tags, strict=True) if tag != "O"]


@pytest.mark.parametrize("content", [DOCCANO, RELATED])
def test_doccano_spans_become_tags_of_words(tmp_path: Path, content: str) -> None:
    read = read_tokens(file(tmp_path, "a.jsonl", content))
    assert words(read.examples[0])[0] == ("Ann", "B-PER")
    assert read.examples[0].where == f"{tmp_path}/a.jsonl:1"


def test_what_nobody_reads_is_told() -> None:
    assert formats.known().keys() == {"doccano", "label-studio", "brat", "folders"}


def test_relations_are_told_to_be_left_aside(tmp_path: Path) -> None:
    assert "relations of 1 text(s)" in read_tokens(file(tmp_path, "a.jsonl", RELATED)).notes[0]


def test_label_studio_counts_as_a_browser_does_and_skips_what_nobody_answered(tmp_path: Path) -> None:
    read = read_tokens(file(tmp_path, "a.json", STUDIO))
    assert [words(one) for one in read.examples] == [[("Ann", "B-PER")]]


def test_label_studio_choices_are_labels(tmp_path: Path) -> None:
    result = [{"type": "choices", "value": {"choices": ["good"]}}]
    tasks = [{"data": {"review": "a fine film"}, "annotations": [{"result": result}]}]
    read = read_texts(file(tmp_path, "a.json", tasks))
    assert [(one.text, one.labels) for one in read.examples] == [("a fine film", ("good",))]


def test_texts_of_brat_without_spans_are_counted(tmp_path: Path) -> None:
    place = brat(tmp_path, "Ann met Bob", "T1\tPER 0 3\tAnn\n")
    (place / "later.txt").write_text("not labelled yet")
    assert "1 text(s) without .ann beside them are passed over" in read_tokens(place).notes


def reviews(folder: Path, files: dict[str, str]) -> Path:
    place = folder / "reviews"
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return place


def test_a_folder_for_each_label_holds_its_texts(tmp_path: Path) -> None:
    files = {"pos/2.txt": "很好\n真的", "neg/1.txt": "bad", "pos/.x.txt": "no", "pos/note.md": "no"}
    read = read_texts(reviews(tmp_path, files))
    assert [(one.text, one.label) for one in read.examples] == [("bad", "neg"), ("很好\n真的", "pos")]
    assert read.examples[0].where.endswith("neg/1.txt")
    assert read.notes == ("1 file(s) in the folders that are no .txt are passed over",)


@pytest.mark.parametrize(
    "files",
    [
        {"pos/1.txt": "a"},
        {"pos/1.txt": "a", "neg/1.txt": "b", "other.txt": "c"},
        {"pos/1.txt": "a", "neg/deep/1.txt": "b"},
        {"pos/1.txt": "a", "neg/1.txt": "b", "neg/1.ann": ""},
    ],
    ids=["one label", "texts of no label", "folders in folders", "brat's"],
)
def test_other_folders_are_no_labels(tmp_path: Path, files: dict[str, str]) -> None:
    found = formats.find(reviews(tmp_path, files), encoding="utf-8")
    assert found is None or found.NAME != "folders"


def test_an_empty_text_in_a_folder_is_named(tmp_path: Path) -> None:
    place = reviews(tmp_path, {"pos/1.txt": "a", "neg/1.txt": " \n"})
    with pytest.raises(UserError, match="has an empty text") as told:
        read_texts(place)
    assert told.value.where == str(place / "neg" / "1.txt")


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (Annotation(text="a", where="w", labels=("x/y",)), "can name no folder"),
        (Annotation(text="a", where="w", labels=(".x",)), "can name no folder"),
        (Annotation(text="a", where="w", labels=("x", "y")), "has 2 labels"),
        (Annotation(text="a", where="w", labels=("x",), marks=(Mark(0, 1, "x"),)), "has spans"),
    ],
)
def test_what_folders_cannot_hold_is_refused(one: Annotation, what: str) -> None:
    with pytest.raises(UserError, match=what):
        formats.known()["folders"].dump([one])


def test_brat_counts_line_breaks_and_leaves_relations_aside(tmp_path: Path) -> None:
    marks = "T1\tPER 9 12\tBob\nR1\tknows Arg1:T1 Arg2:T1\n#1\tAnnotatorNotes T1\tsure\n"
    read = read_tokens(brat(tmp_path, "Ann met\r\nBob", marks))
    assert words(read.examples[0]) == [("Bob", "B-PER")]
    assert read.notes == ("relations of 1 text(s) are left aside",)


def test_a_saved_dataset_gives_names_for_numbers(tmp_path: Path) -> None:
    names = {"_type": "ClassLabel", "names": ["bad", "good"]}
    rows = [{"text": "a fine film", "label": 1}, {"text": "a dull film", "label": 0}]
    read = read_texts(saved(tmp_path, rows, {"text": {"_type": "Value"}, "label": names}))
    assert [one.label for one in read.examples] == ["good", "bad"]


@pytest.mark.parametrize("kind", ["List", "Sequence"])
def test_a_saved_dataset_of_tags_is_read(tmp_path: Path, kind: str) -> None:
    tags = {"_type": kind, "feature": {"_type": "ClassLabel", "names": ["O", "B-PER"]}}
    place = saved(tmp_path, [{"tokens": ["Ann", "met"], "ner_tags": [1, 0]}], {"ner_tags": tags})
    assert read_tokens(place).examples[0].tags == ("B-PER", "O")


def test_several_labels_are_refused_unless_they_are_allowed(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"text": "x", "label": ["a", "b"]}\n{"text": "y", "label": []}\n')
    with pytest.raises(UserError, match="has 2 labels") as caught:
        read_texts(path)
    assert caught.value.where.endswith("a.jsonl:1")
    assert [one.labels for one in read_texts(path, separator=",").examples] == [("a", "b"), ()]


def test_labels_of_a_cell_are_parted(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", 'text,label\none,"a, b"\ntwo,\n')
    assert [one.labels for one in read_texts(path, separator=",").examples] == [("a", "b"), ()]


@pytest.mark.parametrize(
    ("name", "content", "what", "where"),
    [
        ("a.jsonl", '{"text": "Ann", "label": [[0, 9, "PER"]]}\n', "not in its text", ":1"),
        ("a.jsonl", '{"text": "Ann", "label": [[2, 2, "PER"]]}\n', "not in its text", ":1"),
        ("a.jsonl", '{"text": "Ann", "label": [[0, "x"]]}\n', "is no label", ":1"),
        ("a.jsonl", '{"text": "Ann  x", "label": [[3, 5, "PER"]]}\n', "marks only blanks", ":1"),
        ("a.jsonl", DOCCANO + '{"txt": "Ann"}\n', "has no 'text'", ":2"),
        ("a.jsonl", DOCCANO + '{"text": "Anna", "label": [[0, 3, "PER"]]}\n', "cuts a word: 'Anna'", ":2"),
        (
            "a.jsonl",
            '{"text": "New York Times", "label": [[0, 8, "LOC"], [0, 14, "ORG"]]}\n',
            "overlaps a longer span",
            ":1",
        ),
        ("a.json", "{}", "not an array", "a.json"),
        ("a.json", '[{"data": {"text": "x"}}]', "no 'annotations'", "a.json[1]"),
        ("a.json", '[{"data": {"image": 3}, "annotations": [{"result": []}]}]', "no text", "a.json[1]"),
        (
            "a.json",
            json.dumps(STUDIO).replace('"text": "Ann"', '"text": "Eve"'),
            "'Eve' in the answer",
            "a.json[1]",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str, what: str, where: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_tokens(file(tmp_path, name, content))
    assert what in caught.value.what
    assert caught.value.where.endswith(where)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("marks", "what"),
    [
        ("T1\tPER 0 3\tBob\n", "is 'Ann' in the text, and 'Bob' here"),
        ("T1\tPER 0 1;2 3\tA n\n", "has a gap"),
        ("T1 PER 0 3 Ann\n", "is no span of brat"),
        ("hello\n", "is no line of brat"),
    ],
)
def test_a_wrong_line_of_brat_is_refused(tmp_path: Path, marks: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read_tokens(brat(tmp_path, "Ann met Bob", marks))
    assert what in caught.value.what
    assert caught.value.where.endswith("a.ann:1")


def test_marks_without_their_text_are_refused(tmp_path: Path) -> None:
    place = brat(tmp_path, "Ann", "")
    (place / "a.txt").unlink()
    with pytest.raises(UserError, match="no text beside it"):
        read_tokens(place)


def test_a_folder_of_several_datasets_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(UserError) as caught:
        read_texts(tmp_path)
    assert f"{tmp_path}/train" in caught.value.fix


def test_a_damaged_dataset_is_refused_with_its_file(tmp_path: Path) -> None:
    place = saved(tmp_path, [{"text": "x", "label": "a"}], {})
    path = place / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError) as caught:
        read_texts(place)
    assert caught.value.where == str(path)


def test_mended_spans_grow_and_the_longest_stays_and_each_is_counted() -> None:
    text = "New Yorkers read the New York Times"
    marks = (Mark(0, 8, "LOC"), Mark(21, 29, "LOC"), Mark(21, 35, "ORG"))
    found = tagged(Annotation(text=text, where="x:1", marks=marks), mend=True)
    assert marks_of(found.tags, found.tokens) == (Mark(0, 11, "LOC"), Mark(21, 35, "ORG"))
    assert [one.what for one in found.mended] == ["widened", "left out"]


def test_plain_tags_mark_each_word() -> None:
    assert marks_of(("NOUN", "O", "VERB"), ((0, 1), (2, 3), (4, 5))) == (
        Mark(0, 1, "NOUN"),
        Mark(4, 5, "VERB"),
    )


TEXT = st.lists(
    st.sampled_from(["Ann", "北京", "😀", "e\u0301", "met", "9", "\n", "x\ty"]), min_size=1, max_size=8
)


@given(pieces=TEXT, data=st.data(), name=st.sampled_from(["doccano", "label-studio", "brat"]))
def test_what_a_tool_writes_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], data: st.DataObject, name: str
) -> None:
    text = " ".join(pieces)
    places, at = [], 0
    for piece in pieces:
        places.append((at, at + len(piece)))
        at += len(piece) + 1
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True))
    marks = tuple(Mark(start, end, "PER") for start, end in chosen if text[start:end].strip())
    one = Annotation(text=text, where="", marks=marks)
    if not text.strip():
        return
    form = formats.known()[name]
    folder = tmp_path_factory.mktemp("written")
    files = form.dump([one])
    for file_name, content in files.items():
        path = folder / (file_name or {"doccano": "a.jsonl", "label-studio": "a.json"}[name])
        path.write_text(content, encoding="utf-8", newline="")
    place = folder if name == "brat" else next(folder.iterdir())
    (again,) = form.read(place, encoding="utf-8")
    assert (again.text, set(again.marks)) == (one.text, set(one.marks))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"data": {"text": "Ann", "tokens": ["Ann"]}, "annotations": [{"result": []}]}]'),
        ("a.jsonl", '{"text": "Ann met", "label": [[0, 3, "PER"]], "tokens": [["Ann", "NNP"]]}'),
    ],
)
def test_what_other_tools_call_tokens_is_left_aside(tmp_path: Path, name: str, content: str) -> None:
    assert read_tokens(file(tmp_path, name, content)).examples[0].words()[0] == "Ann"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('[{"data": {"text": "Ann"}, "annotations": [{"result": ["x"]}]}]', "a result that is no object"),
        (
            '[{"data": {"text": "A"}, "annotations": []}, {"data": "Bob", "annotations": []}]',
            "no text in 'data'",
        ),
        ('[{"data": {"text": "Ann"}, "annotations": []}]', "nobody has labelled its"),
    ],
)
def test_odd_tasks_are_refused(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read_tokens(file(tmp_path, "a.json", content))
    assert what in caught.value.what


def test_words_outside_of_their_text_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"text": "Ann", "label": [[0, 3, "PER"]], "tokens": [[0, 99]]}')
    with pytest.raises(UserError, match="the word 0 to 99 is not in its text"):
        read_tokens(path)


def test_texts_that_nobody_has_labelled_are_left_out_and_counted(tmp_path: Path) -> None:
    result = [{"type": "choices", "value": {"choices": ["good"]}}]
    tasks = [
        {"data": {"text": "a"}, "annotations": [{"result": result}]},
        {"data": {"text": "b"}, "annotations": []},
    ]
    read = read_texts(file(tmp_path, "a.json", tasks))
    assert [one.text for one in read.examples] == ["a"]
    assert read.notes == ("1 text(s) that nobody has labelled are left out",)


def test_other_encodings_are_read_where_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "北京很大", "label": [[0, 2, "LOC"]]}\n'.encode("gb18030"))
    assert words(read_tokens(path, encoding="gb18030").examples[0]) == [("北", "B-LOC"), ("京", "I-LOC")]
    place = brat(tmp_path, "Ann", "T1\tPER 0 3\tAnn\n")
    with pytest.raises(UserError, match="is not an encoding"):
        read_tokens(place, encoding="nope")


def test_lists_of_labels_in_columns_of_other_names_are_read(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"review": "x y", "tags": ["a", 3]}\n{"review": "z", "tags": null}\n')
    read = read_texts(path, text_column="review", label_column="tags", separator=",")
    assert [one.labels for one in read.examples] == [("a", "3"), ()]
    with pytest.raises(UserError, match="no list of labels"):
        read_texts(path, text_column="review", label_column="none", separator=",")


def choice(label: str, **data: str) -> dict[str, Any]:
    """A task of Label Studio whose answer is a choice."""
    result = [{"type": "choices", "value": {"choices": [label]}}]
    return {"data": data, "annotations": [{"result": result}]}


def test_what_nobody_has_answered_is_a_prediction_of_label_studio(tmp_path: Path) -> None:
    guess = Annotation(text="Ann met Bob", where="", marks=(Mark(0, 3, "PER"),), answered=False)
    written = label_studio.dump([guess])[""]
    [task] = json.loads(written)
    assert task["annotations"] == []
    assert task["predictions"][0]["result"][0]["value"]["labels"] == ["PER"]
    [read] = label_studio.read(file(tmp_path, "a.json", written), encoding="utf-8")
    assert not read.answered


def test_label_studio_s_text_is_no_address_and_what_stands_beside_it_is_told(tmp_path: Path) -> None:
    read = read_texts(file(tmp_path, "a.json", [choice("good", url="https://a.b/c", opinion="a fine film")]))
    assert [one.text for one in read.examples] == ["a fine film"]
    assert "not read: url" in read.notes


def test_of_several_texts_the_one_with_a_usual_name_or_with_the_spans_is_taken(tmp_path: Path) -> None:
    for name, others in (
        ("body", {"doc_id": "d-17"}),
        ("text", {"content": "x"}),
        ("review", {"who": "Eve"}),
    ):
        data = {**others, name: "a fine film"}
        read = read_texts(file(tmp_path, "a.json", [choice("good", **data)]))
        assert [one.text for one in read.examples] == ["a fine film"]
    read = read_texts(file(tmp_path, "a.json", [choice("good", text="https://a.b/c", user="Eve")]))
    assert [one.text for one in read.examples] == ["https://a.b/c"]
    span = {"type": "labels", "value": {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]}}
    tasks = [{"data": {"one": "Eve left", "two": "Ann came"}, "annotations": [{"result": [span]}]}]
    assert words(read_tokens(file(tmp_path, "b.json", tasks)).examples[0]) == [("Ann", "B-PER")]
    with pytest.raises(UserError, match="several texts in 'data' \\(one, two\\)"):
        read_texts(file(tmp_path, "c.json", [choice("good", one="a film", two="a book")]))
    with pytest.raises(UserError, match="no text in 'data'"):
        read_texts(file(tmp_path, "d.json", [choice("good", image="https://a.b/c.png")]))


def test_answers_that_are_no_labels_are_named(tmp_path: Path) -> None:
    rated = [{"type": "rating", "value": {"rating": 3}}]
    tasks = [{"data": {"text": "a film"}, "annotations": [{"result": rated}]}]
    with pytest.raises(UserError, match="no label that is read here, but rating"):
        read_texts(file(tmp_path, "a.json", tasks), separator=",")
    with pytest.raises(UserError, match="choice None, which is no name"):
        read_texts(file(tmp_path, "b.json", [choice(None, text="a film")]))  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [(2, 4), (3, 5)])
def test_offsets_are_those_of_the_text_beside_them(tmp_path: Path, start: int, end: int) -> None:
    """Of characters, or of units of UTF-16, where the face is two."""
    span = {"start": start, "end": end, "text": "北京", "labels": ["LOC"]}
    path = file(tmp_path, "a.json", [{"text": "😀爱北京", "label": [span]}])
    tagged_words = words(read_tokens(path).examples[0])
    assert "".join(word for word, _ in tagged_words) == "北京"


def test_without_a_text_beside_them_offsets_of_doccano_count_characters(tmp_path: Path) -> None:
    lines = '{"text": "😀我爱北京。", "label": [[3, 5, "LOC"], [6, 7, "PUN"]]}\n'
    with pytest.raises(UserError, match=r"the span 6 to 7 .* is not in its text of 6"):
        read_tokens(file(tmp_path, "a.jsonl", lines))


def test_a_span_says_its_own_numbers_where_they_are_wrong(tmp_path: Path) -> None:
    span = {"type": "labels", "value": {"start": 3, "end": 90, "text": "Ann", "labels": ["PER"]}}
    tasks = [{"data": {"text": "😀 Ann"}, "annotations": [{"result": [span]}]}]
    with pytest.raises(UserError, match=r"the span 3 to 90 .* is not in its text of 5"):
        read_tokens(file(tmp_path, "a.json", tasks))


def test_blanks_beside_a_span_may_be_written_otherwise(tmp_path: Path) -> None:
    span = {"type": "labels", "value": {"start": 0, "end": 16, "text": "Berlin, Germany", "labels": ["LOC"]}}
    tasks = [{"data": {"text": "Berlin,  Germany"}, "annotations": [{"result": [span]}]}]
    assert words(read_tokens(file(tmp_path, "a.json", tasks)).examples[0])[0] == ("Berlin", "B-LOC")


def test_a_span_over_a_line_break_is_one(tmp_path: Path) -> None:
    read = read_tokens(brat(tmp_path, "in New\nYork now", "T1\tLOC 3 6;7 11\tNew York\n"))
    assert words(read.examples[0]) == [("New", "B-LOC"), ("York", "I-LOC")]


def test_blank_tokens_of_prodigy_are_no_words(tmp_path: Path) -> None:
    tokens = [{"start": start, "end": end} for start, end in ((0, 3), (4, 5), (5, 8))]
    line = {"text": "Ann  met", "spans": [{"start": 0, "end": 3, "label": "PER"}], "tokens": tokens}
    read = read_tokens(file(tmp_path, "a.jsonl", json.dumps(line) + "\n"))
    assert read.examples[0].words() == ["Ann", "met"]


def test_an_answer_may_be_the_label_of_a_table(tmp_path: Path) -> None:
    lines = '{"text": "a", "answer": "accept"}\n{"text": "b", "answer": "reject"}\n'
    read = read_texts(file(tmp_path, "a.jsonl", lines))
    assert [one.label for one in read.examples] == ["accept", "reject"]


def test_what_was_rejected_teaches_nothing(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps({"text": text, "label": "good", "answer": answer}) + "\n"
        for text, answer in (("a film", "accept"), ("a book", "reject"), ("a song", "ignore"))
    )
    read = read_texts(file(tmp_path, "a.jsonl", lines))
    assert [one.text for one in read.examples] == ["a film"]
    assert read.notes == ("2 text(s) that nobody has labelled are left out",)


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ({"_data_files": "x"}, "'_data_files' is missing or wrong"),
        ({"_data_files": [{"filename": "../other/data.arrow"}]}, "not in its folder"),
        ({"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}, "which of its rows count"),
    ],
)
def test_a_dataset_that_would_be_read_wrongly_is_refused(
    tmp_path: Path, state: dict[str, Any], what: str
) -> None:
    place = saved(tmp_path, [{"text": "x", "label": "a"}], {})
    (place / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=what):
        read_texts(place)


def test_a_label_with_blanks_is_not_for_brat() -> None:
    one = Annotation(text="Ann", where="a:1", marks=(Mark(0, 3, "A PERSON"),))
    with pytest.raises(UserError, match="brat's have no blanks"):
        formats.known()["brat"].dump([one])

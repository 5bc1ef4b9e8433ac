from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autolect.core.errors import UserError
from autolect.text import streams
from autolect.text.streams import TextFile, lines, packing, suffix, whole_lines

Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, data: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return put


def texts(path: Path, *, encoding: str = "utf-8") -> list[str]:
    return [line.text for line in whole_lines(TextFile(path=path, encoding=encoding))]


def error(path: Path, *, encoding: str = "utf-8", most_bytes: int | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        list(whole_lines(TextFile(path=path, encoding=encoding, most_bytes=most_bytes)))
    assert str(path) in caught.value.where
    assert caught.value.fix
    return caught.value


# lines


def test_lines_end_at_newlines_and_nowhere_else(write: Write) -> None:
    path = write("a.txt", "one\u2028still\x0bone\ntwo\r\nthree\r\rfour")
    found = list(lines(TextFile(path=path, encoding="utf-8")))
    assert [line.text for line in found] == ["one\u2028still\x0bone", "two", "three", "", "four"]
    assert [line.number for line in found] == [1, 2, 3, 4, 5]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="ab 中\r\n", max_size=60), size=st.integers(1, 7))
def test_lines_do_not_depend_on_where_chunks_end(text: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK", size)
        found = texts(path)
    broken = text.replace("\r\n", "\n").replace("\r", "\n")
    assert found == (broken.removesuffix("\n").split("\n") if broken else [])


def test_a_line_that_is_too_long_is_cut_and_nothing_is_lost(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LINE_CHARACTERS", 10)
    monkeypatch.setattr(streams, "_CHUNK", 7)
    line = "aaa bbb ccc ddd " + "e" * 25
    file = TextFile(path=write("a.txt", line + "\nend"), encoding="utf-8")
    *parts, end = lines(file)
    assert "".join(part.text for part in parts) == line
    assert max(len(part.text) for part in parts) <= 10
    assert parts[0].text == "aaa bbb "
    assert [part.ends for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (end.text, end.number) == ("end", 2)


def test_a_line_that_is_too_long_is_no_whole_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_CHARACTERS", 10)
    path = write("a.txt", "fine\n" + "e" * 11)
    assert error(path).where == f"{path}:2"


# decoding


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_wins_over_the_declared_encoding(write: Write, codec: str) -> None:
    data = "中文 text".encode(codec) if codec == "utf-8-sig" else "\ufeff中文 text".encode(codec)
    assert texts(write("a.txt", data), encoding="latin-1") == ["中文 text"]


def test_the_declared_encoding_is_used(write: Write) -> None:
    assert texts(write("a.txt", "中文".encode("gb18030")), encoding="gb18030") == ["中文"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "encoding", "offset"),
    [
        (b"abc\n\xe4\xbd\xa0\xff", "utf-8", 7),
        (b"\xef\xbb\xbfab\xff", "utf-8", 5),
        (b"ab\xe4\xbd", "utf-8", 2),
        ("中文".encode("gb18030") + b"\xff\xff", "gb18030", 4),
        (b"\xff\xfea\0\0\xdca\0", "utf-8", 4),
    ],
)
def test_a_byte_that_cannot_be_decoded_is_named_by_its_offset(
    write: Write, monkeypatch: pytest.MonkeyPatch, data: bytes, encoding: str, offset: int, chunk: int
) -> None:
    monkeypatch.setattr(streams, "_CHUNK", max(chunk, 4))
    assert f"at byte {offset} " in error(write("a.txt", data), encoding=encoding).what


def test_the_offset_counts_unpacked_bytes(write: Write) -> None:
    caught = error(write("a.txt.gz", gzip.compress(b"a" * 5000 + b"\xff")))
    assert "at byte 5000 " in caught.what


@pytest.mark.parametrize("name", ["utf-9", "hex", "undefined", "a\0b", ""])
def test_what_is_not_an_encoding_is_refused(write: Write, name: str) -> None:
    assert "is not an encoding" in error(write("a.txt", "x"), encoding=name).what


@pytest.mark.parametrize(
    ("data", "encoding", "offset"),
    [
        ("中\nab\0c".encode(), "utf-8", 6),
        (b"\xff\xfea\0\0\0", "utf-8", 4),
        (b"ab\0c", "utf-8-sig", 2),
        ("中\0中".encode("gb18030"), "gb18030", 2),
    ],
)
def test_binary_is_named_by_its_offset(write: Write, data: bytes, encoding: str, offset: int) -> None:
    assert error(write("a.txt", data), encoding=encoding).what == f"looks binary: NUL at byte {offset}"


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_is_called_one(write: Write, head: bytes) -> None:
    assert "workbook" in error(write("a.csv", head + b"\0\1\2")).what


def test_a_byte_order_is_never_guessed(write: Write) -> None:
    path = write("a.txt", "ab".encode("utf-16-le"))
    assert "is not utf-16 " in error(path, encoding="utf-16").what
    assert texts(path, encoding="utf-16-le") == ["ab"]


def test_the_recipe_key_of_the_encoding_is_told_where_there_is_one(write: Write) -> None:
    file = TextFile(path=write("a.txt", b"\xff"), encoding="utf-8", encoding_key="corpus.encoding")
    with pytest.raises(UserError) as caught:
        list(lines(file))
    assert "corpus.encoding" in caught.value.fix
    assert "set " not in error(file.path).fix


# packing


def pack(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith(".gz") else zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    ("name", "kind", "packed"),
    [
        ("a.tsv", ".tsv", ""),
        ("a.b.TSV.GZ", ".tsv", ".gz"),
        ("a.jsonl.zst", ".jsonl", ".zst"),
        ("a.txt.zst.gz", ".zst", ".gz"),
        ("a.gz", "", ".gz"),
        (".gz", "", ""),
        ("a", "", ""),
    ],
)
def test_the_suffix_of_the_format_stands_below_one_packing(name: str, kind: str, packed: str) -> None:
    assert (suffix(Path(name)), packing(Path(name))) == (kind, packed)


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst"])
def test_packed_text_is_read_whole_even_in_several_members(write: Write, name: str) -> None:
    expected = [f"line {n}" for n in range(20000)]
    data = "\n".join(expected).encode()
    path = write(name, pack(name, data[:70000]) + pack(name, data[70000:]))
    assert texts(path) == expected
    assert texts(write(name, b"")) == []


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst"])
@pytest.mark.parametrize("keep", [5, 30, -1])
def test_a_cut_archive_is_refused(write: Write, name: str, keep: int) -> None:
    data = pack(name, "\n".join(map(str, range(1000))).encode())
    assert "damaged or cut short" in error(write(name, data[:keep])).what


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst"])
def test_an_altered_archive_is_refused(write: Write, name: str) -> None:
    assert "damaged" in error(write(name, b"this was never compressed")).what


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["a.txt.gz", "a.txt.zst"]), data=st.binary(max_size=200), packed=st.booleans())
def test_any_packed_bytes_give_lines_or_a_user_error(
    name: str, data: bytes, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(name, data) if packed else data)
    try:
        found = texts(path)
    except UserError:
        return
    assert "\n".join(found).replace("\r", "") == "\n".join(found)


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst"])
def test_a_bomb_is_stopped(write: Write, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = write(name, pack(name, b" " * 4_000_000))
    monkeypatch.setattr(streams, "BOMB_BYTES", 1 << 20)
    assert "grows beyond" in error(path).what
    monkeypatch.setattr(streams, "BOMB_RATIO", 1 << 20)
    assert texts(path) == [" " * 4_000_000]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_a_file_that_is_too_large_to_be_kept_is_refused(write: Write, name: str) -> None:
    data = b"line\n" * 1000
    path = write(name, data if name == "a.txt" else pack(name, data))
    assert error(path, most_bytes=4999).what == "holds more than 4999 bytes"
    file = TextFile(path=path, encoding="utf-8", most_bytes=5000)
    assert len(list(lines(file))) == 1000

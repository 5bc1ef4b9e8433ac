"""Nothing that a text holds acts on a terminal."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolect.cli import progress, show

TEXTS = st.text(alphabet=st.characters(codec=None, exclude_categories=()))


@given(TEXTS)
def test_no_control_character_survives(text: str) -> None:
    for shown in (show.safe(text), show.plain_json(text)):
        assert not [one for one in shown if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")]
        assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068") & set(shown)


@given(TEXTS)
def test_json_still_means_the_same(text: str) -> None:
    assert json.loads(show.plain_json({"text": text})) == {"text": text}


def test_ordinary_text_is_shown_as_it_is() -> None:
    assert show.safe("今天 café 👍🏽") == "今天 café 👍🏽"


def test_columns_line_up_with_wide_characters() -> None:
    lines = show.table([("猫", "1"), ("cat", "2")], columns=("word", "n")).splitlines()
    assert lines == ["word  n", "猫    1", "cat   2"]


def test_colours_only_in_a_terminal_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert show.paint("a", "red", stream=io.StringIO()) == "a"
    assert show.paint("a", "red", stream=Terminal()) == "\x1b[31ma\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert show.paint("a", "red", stream=Terminal()) == "a"


def test_a_log_hears_of_progress_now_and_then_only(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = progress.Lines(seconds=60)
    for step in range(1000):
        quiet.advance("training", step, 1000)
    assert capsys.readouterr().err == ""
    eager = progress.Lines(seconds=0)
    eager.say("hello\x1b")
    eager.advance("training", 250, 1000, "loss 2.5")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "hello\\x1b"
    assert told[1].startswith("training: 250 of 1,000 (25%), ")
    assert told[1].endswith(", loss 2.5")


def test_the_speed_counts_from_where_a_job_of_its_name_began(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("autolect.cli.progress.time.monotonic", lambda: now)
    lines = progress.Lines(seconds=10)
    # Resumed in the middle, then a second job of the same name from its beginning.
    for seconds, step in ((0, 500), (10, 600), (5000, 0), (10, 20)):
        now += seconds
        lines.advance("training", step, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "training: 600 of 1,000 (60%), 10.0/s, 40 s left",
        "training: 20 of 1,000 (2%), 2.0/s, 8 min 10 s left",
    ]


def test_progress_is_silent_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.opened(quiet=True) as told:
        told.say("hello")
    with progress.opened(quiet=False) as told:
        assert isinstance(told, progress.Lines)
    assert capsys.readouterr() == ("", "")


def test_the_bar_shows_one_job_at_a_time_and_no_escapes() -> None:
    from rich.console import Console

    bars = progress._rich()
    bars.live.console = Console(file=io.StringIO(), force_terminal=True)
    bar = progress.Bar(bars)
    bar.advance("reading\x07", 1, None)
    bar.advance("training", 1, 10, "loss [red]2\x1b[0m")
    assert [task.description for task in bars.tasks] == ["training"]
    assert bars.tasks[0].fields["note"] == "loss [red]2\\x1b[0m"

"""The command line as a person meets it: what it says, how it ends, what it never does."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autolect.cli import main, options, serve, texts
from autolect.core import files
from autolect.core.errors import UserError
from autolect.core.results import Span

HEAVY = (
    "torch",
    "numpy",
    "autolect.jobs",
    "autolect.core.recipe",
    "rich",
    "gensim",
    "sklearn",
    "fastapi",
    "matplotlib",
)


def run(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autolect", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def called(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main.main(words)
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_help_imports_nothing_heavy_and_is_there_at_once() -> None:
    code = (
        "import sys\nfrom autolect.cli.main import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    seconds = []
    for _ in range(3):
        began = _worked()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        seconds.append(_worked() - began)
        assert done.returncode == 0, f"imported: {done.stderr}"
    assert min(seconds) < 1.0


def _worked() -> float:
    """Processor seconds of all programs that were waited for: others may be at work beside them."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("--help") == 0
    listed = capsys.readouterr().out
    for verb in main._names():
        assert f"\n  {verb} " in listed
        assert called(verb, "--help") == 0
        assert f"Usage: autolect {verb}" in capsys.readouterr().out


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert called() == 0
    assert "Commands:" in capsys.readouterr().out


def test_a_users_error_is_told_in_three_lines_without_traceback(tmp_path: Path) -> None:
    done = run("run", "nothing.toml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: no such recipe",
        "  where: nothing.toml",
        "  how:   `autolect init` writes one from your files",
    ]


def test_debug_adds_the_traceback_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("run", "nothing.toml", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_misspelt_verb_or_option_is_a_users_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("rnu") == 2
    assert "Did you mean 'run'" in capsys.readouterr().err
    assert called("run", "--nope", "a.toml") == 2
    told = capsys.readouterr().err
    assert "--nope" in told
    assert "`autolect run --help`" in told


def test_an_unexpected_failure_is_called_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(folder: Path) -> None:
        raise RuntimeError("wheels fell off\x1b[2J")

    monkeypatch.setattr(files, "verify", broken)
    (tmp_path / "MANIFEST.json").write_text("{}")
    assert called("verify", str(tmp_path)) == 1
    told = capsys.readouterr().err
    assert "this is a bug in autolect: RuntimeError: wheels fell off\\x1b[2J" in told
    assert "--debug" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_usual_status_and_says_how_to_go_on(
    number: signal.Signals, status: int
) -> None:
    code = (
        "import os, sys\nfrom autolect.cli import main, run\n"
        f"run.read = lambda *given: os.kill(os.getpid(), {int(number)})\n"
        "main.main(['run', 'any.toml'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr == "stopped; the same command continues where it stopped\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("other", ["ValueError()", "UserError('damaged', fix='none')"])
def test_a_signal_counts_where_a_library_made_another_exception_of_it(
    number: signal.Signals, status: int, other: str
) -> None:
    code = (
        "import os, sys\nfrom autolect.cli import main, run\nfrom autolect.core.errors import UserError\n"
        "def read(*given):\n"
        f"    try: os.kill(os.getpid(), {int(number)})\n"
        f"    except BaseException: raise {other} from None\n"
        "run.read = read\n"
        "main.main(['run', 'any.toml'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr == "stopped; the same command continues where it stopped\n"


def test_verify_tells_a_whole_folder_from_an_altered_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with files.saving(tmp_path / "run" / "corpus", kind="corpus") as beside:
        (beside / "a.txt").write_text("abc")
    assert called("verify", str(tmp_path / "run"), "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"folder": str(tmp_path / "run" / "corpus"), "kind": "corpus", "files": 1, "bytes": 3}
    (tmp_path / "run" / "corpus" / "a.txt").write_text("abd")
    assert called("verify", str(tmp_path / "run")) == 2
    assert "SHA-256 mismatch in 'a.txt'" in capsys.readouterr().err


def test_hostile_file_names_reach_the_terminal_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("verify", str(tmp_path / "a\x1b]0;title\x07\u202eb")) == 2
    told = capsys.readouterr().err
    assert "a\\x1b]0;title\\x07\\u202eb" in told
    assert not set("\x1b\x07\u202e") & set(told)


def test_an_answer_cut_off_by_its_reader_ends_quietly(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "autolect", "--version"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


def test_doctor_answers_in_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from autolect.jobs import doctor

    monkeypatch.setattr(doctor.doctor, "__kwdefaults__", {"seconds": 0.01})
    assert called("doctor", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cores"] >= 1
    assert facts["matrix float32"] > 0
    assert facts['dtype "auto"'] in ("float32", "bfloat16")


def test_a_run_stands_for_its_finetuned_bundle_before_its_pretrained_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model yet"):
        options.bundle_folder(tmp_path)
    (tmp_path / "pretrained").mkdir()
    assert options.bundle_folder(tmp_path) == tmp_path / "pretrained"
    (tmp_path / "finetuned").mkdir()
    assert options.bundle_folder(tmp_path) == tmp_path / "finetuned"
    (tmp_path / "MANIFEST.json").write_text("{}")
    assert options.bundle_folder(tmp_path) == tmp_path


def test_spans_are_marked_in_the_text_and_nothing_else_changes() -> None:
    spans = [Span(start=7, end=15, label="city", text="New York", probability=0.9)]
    assert texts.marked("fly to New York\x1b", spans) == "fly to [New York](city)\\x1b"


def test_lines_that_are_not_utf8_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfgood\n\n caf\xe9 \n")
    with pytest.raises(UserError, match=r"a\.txt:3: byte 5 of the line is not UTF-8"):
        list(options.batches(None, tmp_path / "a.txt", quiet=True))
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfgood\n\nnews\n")
    asked = [line for some in options.batches(None, tmp_path / "a.txt", quiet=True) for line in some]
    assert asked == ["good", "news"]
    assert not capsys.readouterr().err
    table = (tmp_path / "a.txt").rename(tmp_path / "a.tsv")
    assert [line for some in options.batches(None, table, quiet=False) for line in some] == asked
    told = capsys.readouterr().err
    assert "1 blank line(s) have no answer" in told
    assert "a.tsv: each line of it is taken for a text" in told


def test_keys_come_from_the_environment_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# mine\nsecond-key-of-mine\n\n")
    found = serve.read_keys(tmp_path / "keys", environment={serve.KEYS: "first-key, third-key"})
    assert found == ("first-key", "third-key", "second-key-of-mine")
    (tmp_path / "keys").write_text("# none\n")
    with pytest.raises(UserError, match="holds no key"):
        serve.read_keys(tmp_path / "keys", environment={})


def test_a_short_key_is_refused_without_being_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "keys").write_text("hunter2\n")
    assert called("serve", str(tmp_path), "--keys", str(tmp_path / "keys")) == 2
    told = capsys.readouterr().err
    assert "fewer than 16 characters" in told
    assert "hunter2" not in told

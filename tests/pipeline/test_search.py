"""A search: no lucky seed decides it, no kill changes it, and workers are processes that end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autolect.core import bundle, files
from autolect.core.errors import UserError
from autolect.jobs.run import Summary
from autolect.jobs.tuning import attempts, crew
from autolect.jobs.tuning.attempts import Attempt
from autolect.jobs.tuning.search import FINALISTS, TRIALS

from . import stand_ins
from .conftest import walk, write_labels
from .stand_ins import searched

SPACE = "search.space={ 'finetune.rate' = [1e-4, 1e-2, 'log'], 'task.dropout' = [0.0, 0.5] }"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Attempt], float]], list[str]]:
    """Lets a function say what trainings score; gives the list that they are noted in."""

    def by(score: Callable[[Attempt], float]) -> list[str]:
        begun: list[str] = []

        def made(one: Attempt, *_: Any, **__: Any) -> float:
            begun.append(one.what)
            found = score(one)
            stand_ins.seal(one, found)
            return found

        monkeypatch.setattr(attempts, "made", made)
        return begun

    return by


def lucky(one: Attempt) -> float:
    """The second trial is the best with the recipe's seed 5, and the worst with others."""
    if one.recipe.finetune.rate == 1e-3:
        return 0.8 + 0.01 * (one.recipe.seed == 6)
    return (0.9 if one.recipe.seed == 5 else 0.5) if one.recipe.finetune.rate < 2e-3 else 0.4


def test_the_mean_over_seeds_decides_and_not_the_luck_of_one(scores: Any, tmp_path: Path) -> None:
    space = "search.space={ 'finetune.rate' = { choose = [0.0015, 0.0016] } }"
    given = ("finetune.rate=0.001", "search.trials=2", space)
    begun = scores(lucky)
    found = searched(tmp_path, *given)
    trials = files.read_json(found / TRIALS)
    assert [one["value"] for one in trials] == [0.8, 0.9]
    won, lost = files.read_json(found / FINALISTS)
    assert (won["trial"], won["params"], won["seeds"]) == (1, {}, [5, 6, 7])
    assert won["scores"] == [0.8, 0.81, 0.8]
    assert won["mean"] == pytest.approx(2.41 / 3)
    assert won["spread"] == pytest.approx(0.01 / 3**0.5)
    assert (lost["trial"], lost["scores"]) == (2, [0.9, 0.5, 0.5])
    # Of its seeds the best one's model is kept.
    assert won["seed"] == 6
    assert files.read_json(found / "model.json") == {"seed": 6, "score": 0.81}
    assert len(begun) == 2 + 4
    alone = searched(tmp_path, *given, "search.seeds=1", name="alone")
    assert [one["trial"] for one in files.read_json(alone / FINALISTS)] == [2, 1]
    assert files.read_json(alone / "model.json")["score"] == 0.9


def test_of_equal_seeds_the_first_is_kept_and_equal_settings_are_one_finalist(
    scores: Any, tmp_path: Path
) -> None:
    begun = scores(lambda one: 1.0 if one.recipe.finetune.rate == 1e-3 else 0.5)
    space = "search.space={ 'finetune.rate' = { choose = [0.001, 0.002] } }"
    found = searched(tmp_path, "finetune.rate=0.001", "search.trials=6", "search.finalists=9", space)
    trials, finalists = files.read_json(found / TRIALS), files.read_json(found / FINALISTS)
    assert [one["scores"] for one in finalists] == [[1.0] * 3, [0.5] * 3]
    assert finalists[0]["seed"] == 5
    assert len(trials) == 6
    # What was trained once with these settings and this seed is not trained twice.
    assert len(begun) == 2 + 4


def test_what_a_seed_changes_is_the_recipe_s_seed_alone(scores: Any, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def score(one: Attempt) -> float:
        seen[one.what] = one.recipe
        return 0.5

    scores(score)
    searched(tmp_path, "search.trials=1", SPACE)
    first, again = seen["trial 1 of 1"], seen["trial 1 again, seed 2 of 3"]
    assert again.seed == first.seed + 1
    assert again.model_copy(update={"seed": first.seed}) == first


@pytest.mark.parametrize("places", [range(1, 9), [1, 2, 3, 5, 5, 7, 8]])
def test_a_search_that_is_stopped_anywhere_ends_as_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, places: list[int]
) -> None:
    given = (SPACE, "search.trials=6", "search.finalists=3", "search.seeds=2")
    monkeypatch.setattr(attempts, "made", stand_ins.drawn)
    whole = searched(tmp_path, *given)
    log = tmp_path / "begun"
    wanted = log.read_text().splitlines()
    log.unlink()
    assert len(wanted) == 6 + 3
    states = [one["state"] for one in files.read_json(whole / TRIALS)]
    assert set(states) == {"complete", "pruned"}
    for place in places:

        def stopped(one: Attempt, *parts: Any, last: str = wanted[place], **named: Any) -> float | None:
            if one.what == last:
                raise KeyboardInterrupt
            return stand_ins.drawn(one, *parts, **named)

        monkeypatch.setattr(attempts, "made", stopped)
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path, *given, name="struck")
    monkeypatch.setattr(attempts, "made", stand_ins.drawn)
    assert bundle.digest(searched(tmp_path, *given, name="struck")) == bundle.digest(whole)
    assert log.read_text().splitlines() == wanted


def test_a_bundle_that_was_altered_before_the_end_is_made_again(scores: Any, tmp_path: Path) -> None:
    # The last of all has not the first seed, so what is damaged while it is trained is the best.
    given = (SPACE, "search.trials=2")

    def score(one: Attempt) -> float:
        return one.recipe.finetune.rate / one.recipe.seed

    begun = scores(score)
    whole = searched(tmp_path, *given)
    last = begun[-1]

    def stopped(one: Attempt) -> float:
        if one.what == last:
            for path in (tmp_path / "struck").rglob("model.json"):
                path.write_text("{}")
            raise KeyboardInterrupt
        return score(one)

    scores(stopped)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, *given, name="struck")
    scores(score)
    assert bundle.digest(searched(tmp_path, *given, name="struck")) == bundle.digest(whole)


def test_machines_that_share_a_storage_choose_the_same_and_each_has_the_model(
    scores: Any, tmp_path: Path
) -> None:
    given = (SPACE, "search.trials=4", f"search.storage='sqlite:///{tmp_path / 'shared.db'}'")
    begun = scores(lambda one: one.recipe.finetune.rate / one.recipe.seed)
    one = searched(tmp_path, *given, name="one")
    assert len(begun) == 4 + 4
    other = searched(tmp_path, *given, name="other")
    assert bundle.digest(one) == bundle.digest(other)
    # The other machine takes part in no trial, but needs the finalists' models.
    assert len(begun) == 8 + 4 + 1, begun


def stat(process: str | int) -> list[str]:
    """State and parent of a process, and more; nothing where it is gone."""
    try:
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def processes(starter: int) -> list[int]:
    """Those that a process started, while both live."""
    numbers = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [int(one) for one in numbers if stat(one)[1:2] == [str(starter)] and lives(one)]


def lives(process: str | int) -> bool:
    return stat(process)[:1] not in ([], ["Z"])


def until(true: Callable[[], Any], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(folder: Path) -> list[str]:
    log = folder / "begun"
    return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find these tests."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a search in a process of its own."""
    running = []

    def start(made: str, *overrides: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.pipeline.stand_ins", made, str(tmp_path), *overrides]
        running.append(subprocess.Popen(words, cwd=ROOT, env={**os.environ, "SLOWLY": "0.6"}))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_search(started: Any, tmp_path: Path, number: signal.Signals) -> None:
    run = started("endless", SPACE, "search.workers=2")
    until(lambda: len(begun(tmp_path)) == 2)
    workers = processes(run.pid)
    assert len(workers) == 2
    run.send_signal(number)
    assert run.wait() != 0
    until(lambda: not any(lives(one) for one in workers), seconds=5)


@pytest.mark.usefixtures("importable")
def test_a_terminal_s_ctrl_c_reaches_workers_and_is_not_for_them(tmp_path: Path) -> None:
    # Where this suite runs in the background SIGINT may be ignored, and those it starts would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    worker = crew._Worker(1)
    try:
        worker.tell((stand_ins.quick, tmp_path, stand_ins.DATA))
        for _ in range(3):
            worker.tell("anything")
            assert worker.heard() == ("made", 1.0)
            worker.process.send_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
        worker.stop()
        worker.process.wait()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("importable")
def test_workers_that_are_killed_go_on_to_the_same_end_and_leave_nobody(
    monkeypatch: pytest.MonkeyPatch, started: Any, tmp_path: Path
) -> None:
    given = (SPACE, "search.workers=2", "search.trials=7", "search.finalists=3", "search.seeds=2")
    for number in (signal.SIGKILL, signal.SIGTERM):
        already = len(begun(tmp_path))
        run = started("drawn", *given)
        # In the second round, then in the middle of a later one.
        until(lambda: len(begun(tmp_path)) >= already + 3)  # noqa: B023
        workers = processes(run.pid)
        assert len(workers) == 2
        run.send_signal(number)
        status = run.wait()
        assert status == -number if number == signal.SIGKILL else status == 143
        until(lambda: not any(lives(one) for one in workers), seconds=5)  # noqa: B023
    monkeypatch.setattr(attempts, "made", stand_ins.drawn)
    struck = searched(tmp_path, *given)
    (tmp_path / "begun").unlink()
    whole = searched(tmp_path, *given, name="whole")
    assert bundle.digest(struck) == bundle.digest(whole)
    assert len(begun(tmp_path)) == 7 + 3
    assert processes(os.getpid()) == []


@pytest.mark.usefixtures("importable")
def test_a_worker_s_error_is_the_search_s_own_and_ends_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(attempts, "made", stand_ins.refused)
    with pytest.raises(UserError) as caught:
        searched(tmp_path, SPACE, "search.workers=2")
    error = caught.value
    assert (error.what, error.where, error.fix) == ("memory is used up", "trial 2 of 8", "take less")
    assert processes(os.getpid()) == []


def test_a_worker_that_somebody_kills_is_named(started: Any, tmp_path: Path, capfd: Any) -> None:
    run = started("drawn", SPACE, "search.workers=2")
    until(lambda: begun(tmp_path))
    workers = processes(run.pid)
    os.kill(workers[0], signal.SIGKILL)
    assert run.wait() != 0
    assert "a worker ended (SIGKILL)" in capfd.readouterr().err
    until(lambda: not any(lives(one) for one in workers), seconds=5)


def test_workers_train_what_one_process_trains(tagged: Summary, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given = [f"start={tagged.folder / 'pretrained'}", f"task.train={write_labels(tmp_path)}"]
    given += ["task.allow_overlap=true", "finetune.epochs=2", "search.trials=2", "search.seeds=1"]
    walk(tmp_path, *given, "search.workers=2", name="two", until="finetuned")
    walk(tmp_path, *given, name="one", until="finetuned")
    one, two = tmp_path / "one" / "finetuned", tmp_path / "two" / "finetuned"
    assert bundle.digest(one) == bundle.digest(two)


def test_a_space_that_cannot_be_read_is_refused_before_anything_is_trained(
    scores: Any, tmp_path: Path
) -> None:
    begun = scores(lambda _: 0.5)
    for values in ("[1, 0]", "[0.0, 1.0, 'log']", "{ pick = [1] }"):
        with pytest.raises(UserError, match="is no range"):
            searched(tmp_path, f"search.space={{ 'finetune.rate' = {values} }}")
    assert begun == []

"""Does the suite bite? Faults are put into a copy of the source, one at a time; tests must fail on each.

python tests/faults/mutants.py            # all of them: `make mutants`
python tests/faults/mutants.py sync log   # those whose names contain one of these words
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import autolect

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(autolect.__file__).resolve().parent
WORKERS = 2

FILES, SLOTS, CHECKPOINT = "core/files.py", "core/slots.py", "train/checkpoint.py"
LOOP, HISTORY, BATCHES = "train/loop.py", "train/history.py", "train/batches.py"
ORDER, TRAIN, CORE = "tests/faults/test_order.py", "tests/train", "tests/core"
DAMAGE, NUMBERS, WRITERS = (f"tests/faults/test_{name}.py" for name in ("damage", "numbers", "writers"))

SEARCH, CREW, WORKER, SEARCHES = (
    "jobs/tuning/search.py",
    "jobs/tuning/crew.py",
    "jobs/tuning/worker.py",
    "tests/pipeline/test_search.py",
)
ARMS, NOISE = "tests/pipeline/test_compare.py", "tests/text/test_noise.py"

AVERAGE, MEANS, REPORT = "train/average.py", "tests/train/test_average.py", "tests/report"
KERNELS, MODEL, SCORING = (f"tests/nn/test_{name}.py" for name in ("kernels", "model", "scoring"))


class Mutant(NamedTuple):
    """A fault: in ``file`` the text ``old`` becomes ``new``; ``tests``, a file, a folder or one test,
    must notice.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = (
    Mutant(
        "one seed decides a search",
        SEARCH,
        "sorted(found, key=lambda one: -one.mean)",
        "found",
        f"{SEARCHES}::test_the_mean_over_seeds_decides_and_not_the_luck_of_one",
    ),
    Mutant(
        "the first seed's model is kept",
        SEARCH,
        ".index(max(self.scores))]",
        ".index(self.scores[0])]",
        f"{SEARCHES}::test_the_mean_over_seeds_decides_and_not_the_luck_of_one",
    ),
    Mutant(
        "all finalists have one seed",
        SEARCH,
        "self.run.recipe.seed + seed}",
        "self.run.recipe.seed}",
        f"{SEARCHES}::test_what_a_seed_changes_is_the_recipe_s_seed_alone",
    ),
    Mutant(
        "a search forgets",
        SEARCH,
        "return {key: _Known(*known) for key, known in kept.items()}",
        "return {}",
        f"{SEARCHES}::test_a_search_that_is_stopped_anywhere_ends_as_one_that_is_not",
    ),
    Mutant(
        "what was seen before a kill is not told",
        SEARCH,
        "            trial.report(math.nan if score is None else score, step)\n",
        "            pass\n",
        f"{SEARCHES}::test_a_search_that_is_stopped_anywhere_ends_as_one_that_is_not",
    ),
    Mutant(
        "a damaged model is kept",
        SEARCH,
        "            self._renew(work, found[0].best)\n",
        "",
        f"{SEARCHES}::test_a_bundle_that_was_altered_before_the_end_is_made_again",
    ),
    Mutant(
        "workers outlive a killed run",
        WORKER,
        "    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))\n",
        "",
        f"{SEARCHES}::test_no_worker_outlives_its_search",
    ),
    Mutant(
        "workers hear Ctrl-C",
        WORKER,
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n",
        "",
        f"{SEARCHES}::test_a_terminal_s_ctrl_c_reaches_workers_and_is_not_for_them",
    ),
    Mutant(
        "workers are not stopped",
        CREW,
        "        self.process.terminate()\n",
        "",
        f"{SEARCHES}::test_a_worker_s_error_is_the_search_s_own_and_ends_the_others",
    ),
    Mutant("a file is not synced", FILES, "            _sync_file(path)\n", "", ORDER),
    Mutant("the manifest is not synced", FILES, "    _sync_file(target)\n", "", ORDER),
    Mutant(
        "a folder inside is not synced",
        FILES,
        "            _sync_folder(path)\n",
        "            pass\n",
        ORDER,
    ),
    Mutant("the new folder is not synced", FILES, "    _sync_folder(folder)\n", "", ORDER),
    Mutant("the rename is not synced", FILES, "    _sync_folder(folder.parent)\n", "", ORDER),
    Mutant(
        "rename before sync",
        FILES,
        "            _seal(beside, kind, facts)\n            _put_in_place(beside, folder)\n",
        "            _put_in_place(beside, folder)\n            _seal(folder, kind, facts)\n",
        ORDER,
    ),
    Mutant(
        "manifest written first",
        FILES,
        "    files: dict[str, dict[str, Any]] = {}\n",
        "    files: dict[str, dict[str, Any]] = {}\n    (folder / MANIFEST).write_text('early')\n",
        ORDER,
    ),
    Mutant(
        "the old is removed before the new is there",
        FILES,
        "        _exchange(beside, folder)\n",
        "        shutil.rmtree(folder)\n        os.rename(beside, folder)\n",
        ORDER,
    ),
    Mutant("one file is not synced", FILES, "                os.fsync(stream.fileno())\n", "", ORDER),
    Mutant("the rename of one file is not synced", FILES, "        _sync_folder(path.parent)\n", "", ORDER),
    Mutant("bytes are not compared", FILES, 'if sha256(path) != facts["sha256"]:', "if False:", DAMAGE),
    Mutant("an altered manifest passes", FILES, "intact = digest == _digest(raw)", "intact = True", CORE),
    Mutant("a foreign file passes", FILES, "in sorted(found - set(manifest.files)):", "in ():", CORE),
    Mutant(
        "two writers are let in", "core/lock.py", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH", WRITERS
    ),
    Mutant("litter is left", FILES, "        shutil.rmtree(left)\n", "        pass\n", CORE),
    Mutant(
        "a full disk is called a bug",
        FILES,
        "    return int(found.group(1)) if found else 0\n",
        "    return 0\n",
        CORE,
    ),
    Mutant(
        "a writer is not waited for until it says its name",
        "core/lock.py",
        "    for _ in range(NAMING):\n",
        "    for _ in range(1):\n",
        "tests/core/test_lock.py",
    ),
    Mutant(
        "frequent words have no columns",
        "vectors/learners/counts.py",
        "                frequent = column < columns\n",
        "                frequent = column < columns - 1\n",
        "tests/vectors/test_learners.py",
    ),
    Mutant(
        "marks of texts run together",
        "text/marks.py",
        "    marks[(ends - counts)[counts > 0]] |= WORD | SENTENCE\n",
        "",
        NOISE,
    ),
    Mutant("the newer checkpoint is written over", SLOTS, "saving(min(", "saving(max(", TRAIN),
    Mutant("the older checkpoint is used", SLOTS, '-int(one.facts["step"])', 'int(one.facts["step"])', TRAIN),
    Mutant("a checkpoint of another run is used", SLOTS, 'if facts["key"] == key:', "if True:", TRAIN),
    Mutant(
        "optimizer not restored",
        CHECKPOINT,
        '    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})\n',
        "",
        TRAIN,
    ),
    Mutant("best weights not restored", CHECKPOINT, '(values, "best.")', '(values, "network.")', TRAIN),
    Mutant("weights not copied before they change", CHECKPOINT, '.to("cpu", copy=True)', "", TRAIN),
    Mutant(
        "the last checkpoint is not waited for",
        CHECKPOINT,
        "            self._cost += writing.result()\n",
        "",
        TRAIN,
    ),
    Mutant(
        "random state not restored",
        LOOP,
        "        torch.manual_seed(int(np.random.SeedSequence([self.seed, 3, step]).generate_state(1)[0]))\n",
        "",
        TRAIN,
    ),
    Mutant(
        "noise drawn from the clock",
        LOOP,
        "self.batches.at(step), np.random.default_rng([self.seed, 2, step])",
        "self.batches.at(step), np.random.default_rng()",
        TRAIN,
    ),
    Mutant(
        "a batch made ahead is taken twice", LOOP, "self._ahead[0] == step", "self._ahead[0] <= step", TRAIN
    ),
    Mutant(
        "sampler position off by one",
        LOOP,
        "        self.state = _State(**values)\n",
        "        self.state = _State(**values)\n        self.state.step += 1\n",
        TRAIN,
    ),
    Mutant(
        "tokens seen are forgotten",
        LOOP,
        "        self.state = _State(**values)\n",
        "        self.state = _State(**{**values, 'tokens': 0})\n",
        TRAIN,
    ),
    Mutant(
        "best score is forgotten",
        LOOP,
        "        self.state = _State(**values)\n",
        "        del values['best']\n        self.state = _State(**values)\n",
        TRAIN,
    ),
    Mutant(
        "bad steps are forgotten",
        LOOP,
        "        self.state = _State(**values)\n",
        "        self.state = _State(**{**values, 'bad_steps': 0})\n",
        TRAIN,
    ),
    Mutant("looks are not told again", LOOP, "in state.looks:\n", "in ():\n", TRAIN),
    Mutant("a signal saves nothing", LOOP, "        if asked.asked:\n", "        if False:\n", TRAIN),
    Mutant("a wrong speed is kept", "train/budget.py", "        self.times.append(took)\n", "", TRAIN),
    Mutant("minutes are counted anew", LOOP, "        if state.step == 0:\n", "        if False:\n", TRAIN),
    Mutant("gradient not checked", LOOP, " and bool(torch.isfinite(norm))", "", NUMBERS),
    Mutant(
        "loss not checked",
        LOOP,
        "if math.isfinite(mean) and bool(torch.isfinite(norm)):",
        "if True:",
        NUMBERS,
    ),
    Mutant("log not truncated", HISTORY, '            log.truncate(facts["log_bytes"])\n', "", TRAIN),
    Mutant("log not compared", HISTORY, '"" if left == 0 and', '"" if True or', TRAIN),
    Mutant(
        "order of an epoch drawn from the clock",
        BATCHES,
        "default_rng([self.seed, 1, epoch])",
        "default_rng()",
        TRAIN,
    ),
    Mutant(
        "late steps are walked to",
        BATCHES,
        "self.epoch(epoch)[place]",
        "[self.epoch(e) for e in range(max(0, epoch - 99), epoch + 1)][-1][place]",
        TRAIN,
    ),
    Mutant("a worse mean is kept", AVERAGE, " and score.value >= usual", "", MEANS),
    Mutant(
        "networks begin where the last one ended",
        AVERAGE,
        "goal.network.load_state_dict(start)",
        "pass",
        MEANS,
    ),
    Mutant(
        "all networks learn in one order",
        AVERAGE,
        "seed if number == 1 else _seed(seed, number)",
        "seed",
        MEANS,
    ),
    Mutant("the last network stands for the best", AVERAGE, "states[best])", "states[-1])", MEANS),
    Mutant(
        "networks share a checkpoint", AVERAGE, "folder and folder / PLACE.format(number)", "folder", MEANS
    ),
    Mutant(
        "each network has the whole budget",
        AVERAGE,
        "_weights(goal), _share(config)",
        "_weights(goal), config",
        MEANS,
    ),
    Mutant(
        "a gain of chance is shown as one",
        "report/summary.py",
        'gain["shown"] and gain["value"] > 0',
        'gain["value"] > 0',
        REPORT,
    ),
    Mutant(
        "a text is named without its folder",
        "text/readers.py",
        "encoding=encoding, root=root)",
        "encoding=encoding)",
        "tests/text/test_readers.py",
    ),
    Mutant(
        "what valid said of the training is forgotten",
        "jobs/tuning/finetuned.py",
        'if not files.read_json(self.folder / bundle.INFO)["metrics"]["best_step"]:',
        "if False:",
        "tests/pipeline/test_more_labels.py::test_a_training_that_bettered_nothing_is_not_made_again",
    ),
    Mutant(
        "the folder of a text is no part of what was learned",
        "jobs/tuning/finetune.py",
        "one.relative_to(path).as_posix()",
        "one.name",
        "tests/pipeline/test_more_labels.py",
    ),
    Mutant(
        "a stage of other settings is kept",
        "jobs/stages.py",
        ' or manifest.facts.get("key") != key',
        "",
        "tests/pipeline/test_run.py",
    ),
    Mutant(
        "a damaged stage is kept",
        "jobs/stages.py",
        "            files.verify(folder, kind=kind)\n",
        "",
        DAMAGE,
    ),
    Mutant(
        "a damaged bundle is opened", "core/bundle.py", "    files.verify(folder, kind=KIND)\n", "", DAMAGE
    ),
    Mutant(
        "a tie of a minimal pair is right", "jobs/suite.py", "[one > other for", "[one >= other for", ARMS
    ),
    Mutant(
        "a difference is a gain by its mean alone",
        "jobs/compare.py",
        "min(sign * gain.low, sign * gain.high) > 0",
        "sign * gain.value > 0",
        ARMS,
    ),
    Mutant(
        "a gradient through dropout has no scale",
        "nn/kernels.py",
        "_masked(grads[0], kept).mul_(ctx.scale)",
        "_masked(grads[0], kept)",
        KERNELS,
    ),
    Mutant(
        "attention's gradient passes what was dropped",
        "nn/kernels.py",
        "to_weights = _masked(to_weights, kept)",
        "pass",
        KERNELS,
    ),
    Mutant(
        "a token that is certain is still corrected",
        "nn/losses.py",
        "flat[at] = -others",
        "flat[at] = -1.0",
        "tests/nn/test_losses.py",
    ),
    Mutant("windows overlap in what they score", "nn/scoring.py", "1 + scored - start", "1", SCORING),
    Mutant("beams keep each other's past", "nn/writing.py", "one.pick(order)", "one", MODEL),
    Mutant("levels pass no gradient", "nn/bottleneck.py", ".detach()", "", "tests/nn/test_bottleneck.py"),
    Mutant("the schedule stands still", "text/noise.py", "(end - self.share) * done", "0.0", NOISE),
    Mutant("a control token is hidden too", "text/noise.py", "ordinary[:, 0] = False", "pass", NOISE),
    Mutant(
        "styles are not told",
        "jobs/pretrain.py",
        "begins=np.where(told,",
        "begins=np.where(told & False,",
        "tests/pipeline/test_pretraining.py",
    ),
    Mutant(
        "a second signal waits too", "core/stop.py", "        if stop.asked:\n", "        if False:\n", TRAIN
    ),
    Mutant("an ignored signal ends a run", "core/stop.py", " if handler != signal.SIG_IGN", "", TRAIN),
    Mutant("a run cut short counts as whole", "core/stop.py", "        raise KeyboardInterrupt\n", "", TRAIN),
)


def noticed(mutant: Mutant) -> tuple[bool, float]:
    """Whether the tests fail on a copy of the source with the fault in it, and after how many seconds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "src", "autolect")
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / mutant.file
        text = path.read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, f"{mutant.name}: not once in {mutant.file}"
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        return fails(mutant.tests, source=copy.parent), time.monotonic() - began


def fails(tests: str, *, source: Path) -> bool:
    """Whether tests fail on a source."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", tests]
    settings = {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "AUTOLECT_DAMAGE": "300"}
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [*words, "--basetemp", str(Path(scratch, "tests"))],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
    # 1 is "tests failed"; anything else is no proof.
    assert done.returncode in (0, 1), f"{tests}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.returncode == 1


def main(words: list[str]) -> int:
    """Try the mutants that were asked for; ends with 1 where one was not noticed."""
    began = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    with ThreadPoolExecutor(WORKERS) as workers:
        paths = sorted({mutant.tests for mutant in chosen})
        failing = workers.map(functools.partial(fails, source=SOURCE.parent), paths)
        sick = [path for path, bad in zip(paths, failing, strict=True) if bad]
        if sick:
            print(f"these fail without any fault: {', '.join(sick)}")
            return 1
        found = list(zip(chosen, workers.map(noticed, chosen), strict=True))
    for mutant, (seen, took) in found:
        told = f"{mutant.name} ({mutant.file}, {mutant.tests}, {took:.0f} s)"
        print(f"{'noticed' if seen else 'MISSED ':8} {told}")
    missed = sum(not seen for _, (seen, _) in found)
    print(f"{len(found)} faults, {missed} missed, {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

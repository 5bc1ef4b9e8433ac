"""Every artefact that was altered is found before it is used: flipped, cut, spliced, swapped."""

from __future__ import annotations

import os
import random
import re

import pytest

from autolect.core import bundle, files
from autolect.core.errors import DamagedError, UserError
from autolect.jobs.run import Summary
from tests.pipeline.conftest import walk, write_corpus, write_labels

CASES = int(os.environ.get("AUTOLECT_DAMAGE", "2000"))
"""`make faults DAMAGE=100000` asks for more."""
STAGES = ("corpus", "tokens", "vectors", "pretrained", "finetuned", "evaluation")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = tmp_path_factory.mktemp("damage")
    corpus, labels = write_corpus(folder), write_labels(folder)
    return walk(folder, f"corpus.files=['{corpus}']", f"task.train={labels}", "task.allow_overlap=true")


def altered(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """One way in which a file goes bad."""
    how = draw.choice(("flip", "cut", "splice", "swap", "longer"))
    at = draw.randrange(len(data))
    if how == "flip":
        return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
    if how == "cut":
        return data[:at]
    if how == "splice":
        other = draw.choice(others)
        return data[:at] + other[at : at + 64].ljust(64, b"\0") + data[at + 64 :]
    return draw.choice(others) if how == "swap" else data + bytes([draw.randrange(256)])


@pytest.mark.timeout(max(600, CASES))
def test_no_altered_file_passes_for_whole(finished: Summary) -> None:
    draw = random.Random(7)
    places = [path for stage in STAGES for path in (finished.folder / stage).iterdir()]
    whole = {path: path.read_bytes() for path in places}
    facts = {path.parent: files.verify(path.parent) for path in places}
    passed = []
    for _ in range(CASES):
        path = draw.choice(places)
        data = altered(whole[path], list(whole.values()), draw)
        if data == whole[path]:
            continue
        path.write_bytes(data)
        try:
            found = files.verify(path.parent)
        except UserError as error:
            if str(path.parent) not in str(error):
                passed.append(path)
        else:
            # White space between the manifest's values may change; what it says may not.
            if path.name != files.MANIFEST or found != facts[path.parent]:
                passed.append(path)
        path.write_bytes(whole[path])
    assert passed == []


def test_a_damaged_bundle_is_refused_by_name_by_whoever_opens_it(finished: Summary) -> None:
    for path in sorted((finished.folder / "finetuned").iterdir()):
        before = path.read_bytes()
        path.write_bytes(before[:-2])
        with pytest.raises(DamagedError, match=re.escape(path.name)):
            bundle.open_bundle(path.parent)
        path.write_bytes(before)


def test_a_run_makes_a_damaged_stage_again_and_says_so(finished: Summary) -> None:
    path = finished.folder / "tokens" / "tokens.json"
    before = path.read_bytes()
    path.write_bytes(before[:-2])
    folder = finished.folder.parent
    walk(
        folder,
        f"corpus.files=['{folder / 'corpus.txt'}']",
        f"task.train={folder / 'labels.tsv'}",
        "task.allow_overlap=true",
    )
    assert path.read_bytes() == before
    assert list(finished.folder.glob("*.tmp-*")) == []

"""The faults of `make mutants` can still be put into the source."""

from __future__ import annotations

import pytest

from tests.faults.mutants import MUTANTS, ROOT, SOURCE, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_fault_replaces_stands_in_the_source_once(mutant: Mutant) -> None:
    assert (SOURCE / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    path, _, name = mutant.tests.partition("::")
    assert (ROOT / path).exists()
    assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_there_are_enough_faults() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20

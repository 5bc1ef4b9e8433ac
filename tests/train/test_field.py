"""The random field over sparse features: how long it is fitted."""

from __future__ import annotations

from autolect.train import field


def test_large_data_gets_fewer_steps_but_never_too_few() -> None:
    assert field._iterations([["O", "B-x"]] * 100) == field.MAX_ITERATIONS
    long = [f"T{number % 200}" for number in range(100_000)]
    assert field._iterations([long]) == 50
    assert field._iterations([long] * 3) == field.MIN_ITERATIONS

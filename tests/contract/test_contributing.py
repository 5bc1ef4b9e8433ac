"""The plug-ins that CONTRIBUTING.md shows, installed as a package of somebody else's and used."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolect.core import recipe, registry
from autolect.nn.losses import NO_TARGET
from autolect.nn.model import Model, architecture_for
from autolect.text.labels.labelled import TextExample
from autolect.text.noise import Texts
from autolect.text.tokenizer import BOS, EOS, MASK, NUM_SPECIAL, PAD

PAGE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
GROUPS = {"objectives/spans": "objectives", "baselines/nearest": "baselines", "nn/encoders/bag": "encoders"}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the shown files as its entry points."""
    shown = re.findall(r"<!-- file: (\S+)\.py -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert {name for name, _ in shown} == set(GROUPS)
    lines = []
    for name, code in shown:
        kind = name.rpartition("/")[2]
        (tmp_path / f"shown_{kind}.py").write_text(code, encoding="utf-8")
        lines += [f"[autolect.{GROUPS[name]}]", f"{kind} = shown_{kind}"]
        monkeypatch.delitem(sys.modules, f"shown_{kind}", raising=False)
    facts = tmp_path / "shown-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


def ids() -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(0)
    rows = np.full((4, 10), PAD, dtype=np.int64)
    for row, length in enumerate((1, 3, 6, 8)):
        rows[row, 0], rows[row, length + 1] = BOS, EOS
        rows[row, 1 : length + 1] = draw.integers(NUM_SPECIAL, 40, length)
    return rows


def texts() -> Texts:
    return Texts(ids(), np.ones((4, 10), dtype=np.uint8))


def test_the_shown_objective_hides_one_run_and_learns_with_the_shown_encoder() -> None:
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"kind": "bag", "width": 16},
        "objective": {"kind": "spans"},
    }
    settings = recipe.from_table(table)
    torch.manual_seed(0)
    model = Model(architecture_for(settings, vocab_size=40))
    objective = registry.load("objectives", "spans").build(settings.objective, vocab_size=40)
    batch = objective.corrupt(texts(), np.random.default_rng(0))
    for tokens, targets in zip(batch["tokens"].tolist(), batch["targets"].tolist(), strict=True):
        hidden = [place for place, target in enumerate(targets) if target != NO_TARGET]
        assert hidden == list(range(hidden[0], hidden[-1] + 1))
        assert {tokens[place] for place in hidden} == {MASK}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = objective.loss(model, batch)
        (loss.total / loss.targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.total.item() / loss.targets)
    assert losses[-1] < losses[0] - 0.3


def test_the_shown_encoder_keeps_the_contract() -> None:
    plugin = registry.load("encoders", "bag")
    x, keep = torch.randn(2, 4, 8), torch.tensor([[True, True, False, False], [True] * 4])
    for causal in (False, True):
        encoder = plugin.build(plugin.config(width=8), causal=causal)  # type: ignore[call-arg]
        states = encoder(x, keep)
        assert not states[~keep].any()
        torch.testing.assert_close(encoder(torch.where(keep[..., None], x, 99.0), keep), states)
    past, stepped = None, []
    for place in range(4):
        state, past = encoder.step(x[:, place : place + 1], past)
        stepped.append(state)
    torch.testing.assert_close(torch.cat(stepped, dim=1)[1], states[1])


def test_the_shown_baseline_answers_with_the_nearest_label() -> None:
    rows = (("the film was fine", "good"), ("the soup was cold", "bad"))
    train = [TextExample(text=text, labels=(label,), where="x:1") for text, label in rows]
    baseline = registry.load("baselines", "nearest").build
    assert baseline.predict(train, [], ["cold soup", "a fine film"], language="en", seed=0) == ["bad", "good"]

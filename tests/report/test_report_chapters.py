"""What a report tells of a fine-tuning to somebody who did not train it."""

from __future__ import annotations

from typing import Any

import pytest

from autolect.report.blocks import Chapter, Facts, Figure, Note
from autolect.report.chapters import chapters, headline
from autolect.report.summary import against, rows


def facts(*, best_step: int, given: str = "") -> dict[str, Any]:
    return {
        "seconds": {"finetuned": 60.0},
        "given": given,
        "pretrained": {
            "metrics": {"parameters": 1000, "valid_loss": 2.0, "valid_loss_before": 4.0},
            "objective": "masked",
            "architecture": {"encoder": {"kind": "transformer"}},
        },
        "finetuned": {
            "task": {"kind": "classify", "settings": {"train": "a.tsv", "refit": True}, "labels": ["a", "b"]},
            "metrics": {"valid_accuracy": 0.75, "valid_score": 0.75, "steps": 8, "best_step": best_step},
        },
        "finetune": {"rate": 0.001, "learn": "all"},
        "learning": [[0, 0.5], [4, 0.75], [8, None]],
        "trials": [{"number": 1, "value": 0.75, "state": "complete", "params": {"finetune.rate": 0.004}}],
        "finalists": [
            {
                "trial": 1,
                "mean": 0.75,
                "spread": None,
                "scores": [0.75],
                "seeds": [0],
                "seed": 0,
                "params": {"finetune.rate": 0.004},
            }
        ],
    }


def chapter(title: str, told: dict[str, Any]) -> Chapter:
    return next(one for one in chapters(told, log=[], command="") if one.title == title)


def test_a_fine_tuning_is_told_with_its_score_on_valid_and_its_settings() -> None:
    found = chapter("Fine-tuning", facts(best_step=4))
    assert "train and the valid examples together" in found.lead
    assert any(isinstance(one, Figure) and "step 4 were kept" in one.caption for one in found.blocks)
    last = found.blocks[-1]
    assert isinstance(last, Facts)
    shown = dict(last.rows)
    assert shown["accuracy on valid"] == "0.75"
    assert shown["best step"] == "4 of 8"
    assert shown["train"] == "a.tsv"
    assert shown["rate"] == "0.004", "what the search chose"
    assert not any(isinstance(one, Note) for one in found.blocks)


def test_a_training_that_bettered_nothing_says_so() -> None:
    notes = [one for one in chapter("Fine-tuning", facts(best_step=0)).blocks if isinstance(one, Note)]
    assert "No step of the training was better" in notes[0].text
    assert "no step of the training was better" in dict(rows(facts(best_step=0)))["best step"]


def test_a_given_bundle_s_figures_are_called_its_own() -> None:
    told = facts(best_step=4, given="runs/x/pretrained")
    assert "before this run" in chapter("The bundle it starts from", told).lead
    assert all(one.label != "Loss on valid" for one in headline(told))
    assert "loss on valid" not in dict(rows(told))
    assert dict(rows(told))["starts from"] == "runs/x/pretrained"
    assert dict(rows(facts(best_step=4)))["loss on valid"] == "4.000 before, 2.000 after"


@pytest.mark.parametrize(
    ("gain", "said", "shown"),
    [
        (
            (0.033, -0.02, 0.09),
            "+0.033 against the best baseline (-0.020 to +0.090): on 90 test examples",
            False,
        ),
        ((0.033, 0.01, 0.06), "+0.033 against the best baseline (+0.010 to +0.060).", True),
        ((-0.1, -0.2, -0.01), "the simple tool is better", False),
    ],
)
def test_a_gain_is_one_where_its_interval_says_so(
    gain: tuple[float, float, float], said: str, *, shown: bool
) -> None:
    sure = not gain[1] <= 0 <= gain[2]
    told = {**dict(zip(("value", "low", "high"), gain, strict=True)), "shown": sure}
    found = against({"gain": told}, examples=90)
    assert found[1] is shown
    assert said in found[0]


def test_figures_from_before_a_refit_are_called_so() -> None:
    told = facts(best_step=4)
    assert "from before" in dict(rows(told))["refit"]
    told["finetuned"]["task"]["settings"]["refit"] = False
    assert "refit" not in dict(rows(told))

"""What `autolect plan` says beside the run that it planned, stage by stage; 15 % is the aim for the whole.

python bench/corpora.py DATA build/text; python bench/planned.py [en] [zh]

Each language once: the plan first, then the run, each a program of its own, as a user types them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _race import ROOT, processor

SIZE = 6_000_000
"""Bytes of text."""
SETTINGS = {
    "tokenizer.vocab_size": "8000",
    "encoder.width": "192",
    "encoder.layers": "3",
    "objective.kind": "masked",
    "decoder.kind": "none",
    "train.steps": "200",
}


def main() -> int:
    """A table for each language, and last how far off the whole was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("languages", nargs="*", default=["en", "zh"], metavar="LANGUAGE")
    ratios = []
    print(f"## planned\n\nA plan, and the run that it planned.\n\n{processor()}\n")
    for language in parser.parse_args().languages:
        with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
            plan, run = beside(Path(place), language)
        print(f"| {language} | planned, s | took, s |\n| --- | --- | --- |")
        for stage, took in run.items():
            print(f"| {stage} | {plan['stages'][stage]['seconds']:.1f} | {took:.1f} |")
        ratios.append(plan["seconds"] / sum(run.values()))
        print(f"| all | {plan['seconds']:.1f} | {sum(run.values()):.1f} |\n", flush=True)
    print(f"planned ratio={ratios[0]:.2f} ({min(ratios):.2f} … {max(ratios):.2f}) of what it took")
    return 0


def beside(folder: Path, language: str) -> tuple[dict[str, Any], dict[str, float]]:
    """The plan, and the seconds of the run's stages."""
    text = (ROOT / "build" / "text" / f"{language}.txt").read_bytes()[:SIZE].rpartition(b"\n")[0]
    (folder / "text.txt").write_bytes(text)
    recipe = folder / "recipe.toml"
    recipe.write_text(f'corpus.files = ["text.txt"]\ncorpus.language = "{language}"\n', encoding="utf-8")
    changes = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    plan = said("plan", str(recipe), *changes)
    run = said("pretrain", str(recipe), *changes, "--out", str(folder / "run"))
    return plan, run["seconds"]


def said(*words: str) -> dict[str, Any]:
    """What a verb answers to a program."""
    command = [sys.executable, "-m", "autolect", *words, "--quiet", "--json"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(answer)
    return found


if __name__ == "__main__":
    sys.exit(main())

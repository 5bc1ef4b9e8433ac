"""Fine-tuning a classifier, beside the Trainer of transformers from the same checkpoint.

make bench-setup; python bench/corpora.py DATA build/text; python bench/finetuning.py

Both go over the shipped English reviews as often, in batches of about as many tokens, with the same rate,
rise and fall, and are measured on the shipped test reviews. Ours is the network alone, without its sparse
features; the peer sorts texts of like length together, which is its best flag against padding.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path
from typing import Any

from _bert import BUNDLE, LENGTH, PEER, inputs
from _race import ROOT, Bench, Round, Side, bfloat16, main

EPOCHS, ROWS, TOKENS_A_ROW, RATE = 2, 32, 51, 3e-4
DATA = ROOT / "data"
TRAIN, TEST = DATA / "en-sentiment.train.tsv", DATA / "en-sentiment.test.tsv"


def ours(folder: Path) -> Round:
    """The training of a task, as a run does it."""
    from autolect.core import recipe
    from autolect.core.progress import Silent
    from autolect.jobs.finetune import read_data, train_task

    table = {
        "start": str((folder / BUNDLE).resolve()),
        "task": {
            "kind": "classify",
            "train": str(TRAIN),
            "valid": str(TEST),
            "test": str(TEST),
            "allow_overlap": True,
            "features": "none",
            "dropout": 0.1,
            "hide": 0.0,
        },
        "finetune": {
            "epochs": EPOCHS,
            "evaluations": 1,
            "rate": RATE,
            "batch_tokens": ROWS * TOKENS_A_ROW,
            "length": LENGTH,
        },
    }
    settings = recipe.from_table(table)
    data = read_data(settings, Silent())

    def work() -> dict[str, Any]:
        _, outcome = train_task(settings, folder / BUNDLE, data, progress=Silent(), what="fine-tuning")
        return {
            "work": EPOCHS * len(data.parts.train),
            "steps": outcome.steps,
            "score": float(outcome.best.figures["accuracy"]),
        }

    return work


def theirs(folder: Path, *, narrow: bool) -> Round:
    """Trainer, padding to the longest of a batch."""
    import datasets
    import numpy as np
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(folder / PEER)
    rows = {name: _rows(path) for name, path in (("train", TRAIN), ("test", TEST))}

    def work() -> dict[str, Any]:
        read = {}
        for name, some in rows.items():
            given = tokenizer([text for _, text in some], truncation=True, max_length=LENGTH)
            table = {"input_ids": given["input_ids"], "labels": [int(one == "positive") for one, _ in some]}
            read[name] = datasets.Dataset.from_dict(table)
        network = AutoModelForSequenceClassification.from_pretrained(folder / PEER, num_labels=2)
        with tempfile.TemporaryDirectory() as place:
            settings = TrainingArguments(
                place,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=ROWS,
                per_device_eval_batch_size=64,
                learning_rate=RATE,
                lr_scheduler_type="cosine",
                warmup_steps=0.05,
                optim="adamw_torch_fused",
                bf16=narrow,
                use_cpu=True,
                train_sampling_strategy="group_by_length",
                save_strategy="no",
                eval_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            )
            trainer = Trainer(
                network,
                settings,
                train_dataset=read["train"],
                data_collator=DataCollatorWithPadding(tokenizer),
            )
            trained = trainer.train()
            found = trainer.predict(read["test"])
        right = np.argmax(found.predictions, axis=1) == found.label_ids
        return {
            "work": EPOCHS * len(rows["train"]),
            "steps": trained.global_step,
            "score": float(right.mean()),
        }

    return work


def _rows(path: Path) -> list[list[str]]:
    """(label, text) of each line."""
    return [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines()]


BENCH = Bench(
    claim=f"Fine-tuning on 800 reviews, {EPOCHS} epochs, strings to a measured classifier.",
    unit="examples",
    sides=[
        Side("autolect", ours=True, prepare=ours),
        *(
            Side(
                f"Trainer {'bfloat16' if narrow else 'float32'}",
                ours=False,
                prepare=functools.partial(theirs, narrow=narrow),
            )
            for narrow in ((False, True) if bfloat16() else (False,))
        ),
    ],
    inputs=functools.partial(inputs, texts=1),
)

if __name__ == "__main__":
    sys.exit(main({"finetuning": BENCH}))

"""Fine-tuning a classifier, beside the Trainer of transformers from the same checkpoint.

make bench-setup; python bench/corpora.py DATA build/text; python bench/finetuning.py [finetuning] [labels]

finetuning: both go over the shipped English reviews as often, in batches of about as many tokens, with the
same rate, rise and fall, and are measured on the shipped test reviews. Ours is the network alone, without its
sparse features; the peer sorts texts of like length together, which is its best flag against padding.

labels: how long it takes to a score. The checkpoint is one that has learned for some steps. Ours is a task as
a recipe trains it, sparse features included, but for few epochs, and keeps some of the labels to choose by;
the peer learns from all of them, for several numbers of epochs. The score is the mean over the rounds, each
with its own seed.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from _bert import BUNDLE, LENGTH, PEER, inputs
from _race import ROOT, Bench, Round, Side, bfloat16, main

EPOCHS, ROWS, TOKENS_A_ROW, RATE = 2, 32, 51, 3e-4
LEARNED_STEPS, LEARNED_CHARACTERS = 600, 5_000_000
"""Of the checkpoint from which the way to a score begins."""
SET, LABELS = "sentiment-en-sst2", 2000
"""What is learned there; the set's valid split is what is measured."""
FEW_EPOCHS, THEIR_EPOCHS = 1, (2, 5)
DATA = ROOT / "data"
TRAIN, TEST = DATA / "en-sentiment.train.tsv", DATA / "en-sentiment.test.tsv"


def ours(folder: Path) -> Round:
    """The training of a task, as a run does it."""
    from autolect.core import recipe
    from autolect.core.progress import Silent
    from autolect.jobs.tuning.finetune import read_data, train_task

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


def ours_to_score(folder: Path) -> Round:
    """A task with the settings of a recipe that says nothing, but its epochs; labels are read each time."""
    from autolect.core import recipe
    from autolect.core.device import choose
    from autolect.core.progress import Silent
    from autolect.jobs.tuning.finetune import read_data, train_task

    table = {
        "start": str((folder / BUNDLE).resolve()),
        "task": {"kind": "classify", "train": str(folder / "train.tsv"), "test": str(folder / "test.tsv")},
        "finetune": {"epochs": FEW_EPOCHS, "evaluations": 1, "length": LENGTH},
    }
    seeds = itertools.count()

    def work() -> dict[str, Any]:
        settings = recipe.from_table({**table, "seed": next(seeds)})
        data = read_data(settings, Silent())
        goal, outcome = train_task(settings, folder / BUNDLE, data, progress=Silent(), what="fine-tuning")
        network, tested = goal.network, data.parts.test
        rows = goal.task.rows(tested, goal.reader, length=goal.length)
        score = goal.task.judge(network, network.model, network.head, rows, tested, choose("auto"))
        return {
            "work": LABELS,
            "steps": outcome.steps,
            "score": float(score.figures["accuracy"]),
        }

    return work


def theirs(
    folder: Path, *, narrow: bool, epochs: int = EPOCHS, train: Path = TRAIN, test: Path = TEST, counted: bool
) -> Round:
    """Trainer, padding to the longest of a batch. counted: each epoch is work, else the labels are."""
    import datasets
    import numpy as np
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(folder / PEER)
    rows = {name: _rows(path) for name, path in (("train", train), ("test", test))}
    numbers = {label: number for number, label in enumerate(sorted({one for one, _ in rows["train"]}))}
    seeds = itertools.count()

    def work() -> dict[str, Any]:
        seed = next(seeds)
        set_seed(seed)
        read = {}
        for name, some in rows.items():
            given = tokenizer([text for _, text in some], truncation=True, max_length=LENGTH)
            table = {"input_ids": given["input_ids"], "labels": [numbers[one] for one, _ in some]}
            read[name] = datasets.Dataset.from_dict(table)
        network = AutoModelForSequenceClassification.from_pretrained(folder / PEER, num_labels=len(numbers))
        with tempfile.TemporaryDirectory() as place:
            settings = TrainingArguments(
                place,
                seed=seed,
                num_train_epochs=epochs,
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
            "work": (epochs if counted else 1) * len(rows["train"]),
            "steps": trained.global_step,
            "score": float(right.mean()),
        }

    return work


def theirs_to_score(folder: Path, *, epochs: int) -> Round:
    """The same, from the labels that lie in the folder, in the number format that is faster."""
    train, test = folder / "train.tsv", folder / "test.tsv"
    return theirs(folder, narrow=bfloat16(), epochs=epochs, train=train, test=test, counted=False)


def labels(folder: Path) -> None:
    """A checkpoint that has learned, and sentences with their sentiment: train and valid of a set."""
    inputs(folder, texts=1, steps=LEARNED_STEPS, characters=LEARNED_CHARACTERS)
    for part, (source, most) in {"train": ("train", LABELS), "test": ("valid", None)}.items():
        lines = (ROOT / "build" / "sets" / SET / f"{source}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines[:most]]
        text = "".join(f"{row['label']}\t{' '.join(row['text'].split())}\n" for row in rows)
        (folder / f"{part}.tsv").write_text(text, encoding="utf-8")


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
                prepare=functools.partial(theirs, narrow=narrow, counted=True),
            )
            for narrow in ((False, True) if bfloat16() else (False,))
        ),
    ],
    inputs=functools.partial(inputs, texts=1),
)
TO_SCORE = Bench(
    claim=f"From a checkpoint of {LEARNED_STEPS} steps and {LABELS:,} labelled sentences to a classifier.",
    unit="labels",
    sides=[
        Side("autolect", ours=True, prepare=ours_to_score),
        *(
            Side(
                f"Trainer, {epochs} epochs",
                ours=False,
                prepare=functools.partial(theirs_to_score, epochs=epochs),
            )
            for epochs in THEIR_EPOCHS
        ),
    ],
    inputs=labels,
    quality="score",
)

if __name__ == "__main__":
    sys.exit(main({"finetuning": BENCH, "labels": TO_SCORE}))

"""Raw text to a masked language model: how long until it is as good as the Trainer of transformers makes it.

make bench-setup; python bench/corpora.py DATA build/text; python bench/time_to_loss.py --minutes 20

The peer gets the minutes: BertForMaskedLM under Trainer, text through datasets.map and group_texts, hidden
tokens drawn by its collator, no dropout (as ours), at each learning rate and number of rows a step that is
named; the best one counts. Then ours gets shares of that time, whole runs each, from the same text: with as
many layers and the same width, and with a network for so short a time. All are scored on the same hidden
tokens of texts that none has seen. The tokenizer is the same; no time holds its learning.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _race import PEERS, ROOT, bfloat16, processor, versions

LAYERS, WIDTH, HEADS, VOCABULARY, LENGTH = 4, 256, 4, 8000, 128
HELD_BLOCKS, HIDDEN = 256, 0.15
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
"""Of the peer's minutes that ours gets, one after the other, until its loss is reached."""
SMALL = ("encoder.width=128", "encoder.layers=2", "train.rate=3e-3")
"""What a short time is better spent on than the peer's shape."""
TEXT, HELD, TOKENIZER = "text.txt", "held.npz", "tokenizer"
PAD, BOS, EOS, MASK = 0, 2, 3, 4


def main() -> int:
    """Run the peer, then ours, and say what share of the time it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-4, 1e-3])
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="changes our recipe")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        print(json.dumps(theirs(given.peer, minutes=given.minutes, rate=given.rates[0], rows=given.rows[0])))
        return 0
    with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
        folder = Path(place)
        inputs(folder, language=given.language)
        peers = [_peer(folder, given.minutes, rate, rows) for rate in given.rates for rows in given.rows]
        print(f"## time_to_loss\n\nText to a masked model, {given.minutes:g} minutes for the peer.\n")
        print(f"{processor()}\n")
        print("| side | loss | seconds | of these to prepare | tokens seen | M parameters |")
        print("| --- | --- | --- | --- | --- | --- |")
        best = min(peers, key=lambda one: float(one["loss"]))
        show(f"transformers, rate {best['rate']:g}, {best['rows']} rows", best)
        reached = [
            reach(best, folder, name=name, language=given.language, changes=[*changes, *given.set])
            for name, changes in (("time_to_loss", ()), ("time_to_loss-small", SMALL))
        ]
    print("\n" + "\n".join(reached))
    return 0


def reach(best: dict[str, Any], folder: Path, *, name: str, language: str, changes: list[str]) -> str:
    """Give ours ever more of the peer's time until it is as good; the line that says what it took."""
    for share in SHARES:
        found = ours(folder, minutes=share * best["seconds"] / 60, language=language, changes=changes)
        show(f"autolect ({name}), {share:.0%} of the time", found)
        if found["loss"] <= best["loss"]:
            ratio = best["seconds"] / found["seconds"]
            return f"{name} ratio={ratio:.2f} in {language} on {processor()}; {versions()}"
    return f"{name}: the peer's loss was not reached"


def inputs(folder: Path, *, language: str) -> None:
    """A text, a tokenizer of it, and blocks of a text beside it with hidden tokens."""
    from autolect.core import recipe
    from autolect.core.progress import Silent
    from autolect.jobs.run import walk
    from autolect.jobs.stages import Run
    from autolect.text import readers
    from autolect.text.clean import Cleaner
    from autolect.text.tokenizer import Tokenizer

    cleaner = Cleaner("faithful", language=language)
    texts = {
        name: [cleaner.clean(one.text).text for one in readers.read(ROOT / "build" / "text" / path)]
        for name, path in (("train", f"{language}.txt"), ("held", f"{language}.held.txt"))
    }
    (folder / TEXT).write_text("\n".join(texts["train"]) + "\n", encoding="utf-8")
    settings = recipe.from_table(_table(folder, language))
    walk(Run(folder=folder / "first", recipe=settings, progress=Silent()), until="tokens")
    (folder / TOKENIZER).symlink_to(folder / "first" / "tokens")
    read = Tokenizer.load(folder / TOKENIZER).encode_batch(texts["held"])
    ids = np.concatenate([one.ids for one in read]).astype(np.int64)
    room = LENGTH - 2
    count = min(HELD_BLOCKS, len(ids) // room)
    blocks = ids[: count * room].reshape(count, room)
    np.savez(folder / HELD, blocks=blocks, hidden=np.random.default_rng(0).random(blocks.shape) < HIDDEN)


def _table(folder: Path, language: str) -> dict[str, Any]:
    """Our recipe, but for its minutes."""
    return {
        "corpus": {"files": [str(folder / TEXT)], "language": language},
        "tokenizer": {"vocab_size": VOCABULARY},
        "encoder": {"width": WIDTH, "layers": LAYERS, "heads": HEADS, "dropout": 0.0},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
    }


def _peer(folder: Path, minutes: float, rate: float, rows: int) -> dict[str, Any]:
    command = [str(PEERS), str(Path(__file__).resolve()), "--peer", str(folder)]
    command += ["--minutes", str(minutes), "--rates", str(rate), "--rows", str(rows)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(answer.strip().split("\n")[-1])
    print(f"transformers: {found}", file=sys.stderr, flush=True)
    return found


def theirs(folder: Path, *, minutes: float, rate: float, rows: int) -> dict[str, Any]:
    """Trainer for so many minutes, with the preparation in them; what compiling takes is not in them."""
    import datasets
    import torch
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        DataCollatorForLanguageModeling,
        PreTrainedTokenizerFast,
        Trainer,
        TrainingArguments,
    )

    datasets.disable_progress_bars()
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER / "tokenizer.json"), **named)

    def tokenised(rows: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": tokenizer(rows["text"], add_special_tokens=False)["input_ids"]}

    def grouped(rows: dict[str, list[list[int]]]) -> dict[str, Any]:
        joined = [token for one in rows["input_ids"] for token in one]
        whole = len(joined) // LENGTH * LENGTH
        return {"input_ids": [joined[start : start + LENGTH] for start in range(0, whole, LENGTH)]}

    started = time.monotonic()
    path, cache = str(folder / TEXT), str(folder / "cache")
    data = datasets.load_dataset("text", data_files=path, split="train", cache_dir=cache)
    data = data.map(tokenised, batched=True, num_proc=2, remove_columns=["text"])
    data = data.map(grouped, batched=True, num_proc=2)
    torch.manual_seed(0)
    network = BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=PAD,
        )
    )
    prepared = time.monotonic() - started

    def trained(steps: int) -> float:
        settings = TrainingArguments(
            str(folder / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=rows,
            learning_rate=rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.01,
            adam_beta2=0.98,
            optim="adamw_torch_fused",
            bf16=bfloat16(),
            torch_compile=True,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=HIDDEN)
        trainer = Trainer(network, settings, train_dataset=data, data_collator=collator)
        began = time.monotonic()
        trainer.train()
        return time.monotonic() - began

    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained(2)
    few, more = trained(2), trained(8)
    a_step = (more - few) / 6
    network.load_state_dict(before)
    steps = max(1, int((minutes * 60 - prepared) / a_step))
    seconds = prepared + trained(steps)
    found = np.load(folder / HELD)
    inputs = torch.from_numpy(np.where(found["hidden"], MASK, found["blocks"]))
    network.eval()
    with torch.inference_mode():
        scores = network(input_ids=inputs).logits[torch.from_numpy(found["hidden"])]
    return {
        "loss": _loss(scores, found),
        "seconds": round(seconds, 1),
        "preparing": round(prepared, 1),
        "tokens": steps * rows * LENGTH,
        "parameters": sum(value.numel() for value in network.parameters()),
        "rate": rate,
        "rows": rows,
    }


def ours(folder: Path, *, minutes: float, language: str, changes: list[str]) -> dict[str, Any]:
    """A run from text to bundle, whose training gets what the stages before it leave of the minutes."""
    import torch

    import autolect
    from autolect.core import config, files, recipe
    from autolect.core.progress import Silent
    from autolect.jobs.run import walk
    from autolect.jobs.stages import Run

    place = Path(tempfile.mkdtemp(dir=folder))
    layers = [_table(folder, language), *(config.parse_assignment(text) for text in changes)]
    settings = recipe.from_table(config.merge(layers))
    started = time.monotonic()
    run = Run(folder=place, recipe=settings, progress=Silent())
    walk(run, until="vectors")
    learning = float(files.read_manifest(run.places["tokens"]).facts["learning_seconds"])
    prepared = time.monotonic() - started - learning
    left = max(1.0, minutes * 60 - prepared) / 60
    run = Run(folder=place, recipe=recipe.changed(settings, {"train": {"minutes": left}}), progress=Silent())
    walk(run, until="pretrained")
    seconds = time.monotonic() - started - learning
    lect = autolect.load(place / "pretrained")
    found = dict(np.load(folder / HELD))
    hidden, blocks = (np.pad(found[name], ((0, 0), (1, 1))) for name in ("hidden", "blocks"))
    blocks[:, 0], blocks[:, -1] = BOS, EOS
    inputs = torch.from_numpy(np.where(hidden, MASK, blocks))
    everything = torch.ones_like(inputs, dtype=torch.bool)
    with torch.inference_mode():
        states = lect.model.encode(inputs, everything)[torch.from_numpy(hidden)]
        scores = lect.model.scores(states)
    return {
        "loss": _loss(scores, found),
        "seconds": round(seconds, 1),
        "preparing": round(prepared, 1),
        "tokens": lect.info.metrics.get("tokens"),
        "parameters": lect.model.num_parameters(),
        "rate": settings.train.rate,
    }


def _loss(scores: Any, found: Any) -> float:
    """Mean loss (nats) at the hidden tokens, scores (N,V)."""
    import torch

    targets = torch.from_numpy(found["blocks"][found["hidden"]])
    return round(float(torch.nn.functional.cross_entropy(scores.float(), targets)), 4)


def show(name: str, one: dict[str, Any]) -> None:
    """A row of the table."""
    took = f"{one['seconds']:,.0f} | {one['preparing']:,.0f}"
    size = f"{one['tokens']:,} | {one['parameters'] / 1e6:.2f}"
    print(f"| {name} | {one['loss']:.3f} | {took} | {size} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())

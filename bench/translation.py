"""Translation from pairs alone: BLEU beside an encoder-decoder of transformers of the same size.

make bench-setup; python bench/sets.py DATA build/sets
python bench/translation.py build/sets --sets mt-en-de-multi30k mt-en-zh-tatoeba --choose
python bench/translation.py build/sets --sets mt-en-de-multi30k mt-en-zh-tatoeba

Both get the same minutes of training and the same tokenizer, learned from the train pairs, and nothing else.
Ours spends a share of its minutes on `masked` over the texts of these pairs, then learns to translate; the
peer, an encoder-decoder with norms before its layers (MBart's) or after them (Marian's) under Trainer, learns
to translate all the time, at each rate and with each number of pairs a step that are named, of which valid
chooses the best; the time of its looks at valid is given to it.
Both keep what was best on valid, and answer with as many beams in float32. With --choose a twentieth of train
stands for valid and valid for test, which stays closed; without, the test split is opened once a seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _race import PEERS, bfloat16, cuda, processor

WIDTH, LAYERS, HEADS, VOCABULARY, LENGTH, BEAMS = 256, 3, 4, 8000, 128, 4
LONGER, MORE = 2, 10
"""A translation of the peer is at most so many times as long as the longest source of its batch, and so many
tokens more, as ours is of its own."""
HELD = 20
"""Each such pair of train is kept back to choose by, where valid stands for test."""
GROUPED, LOOKS = 50, 8
"""Steps that the Trainer sorts by length together; looks at valid of the peer."""
PARTS = ("train", "valid", "test")
SMOOTHING, DROPOUT = 0.1, 0.1
"""Label smoothing and dropout of the peer."""
KINDS = ("mbart", "marian")
LOOKED = 64
"""Pairs of valid that the peer looks at together."""
SHARE = 0.2
"""Of our minutes that go to `masked`."""
BATCH_TOKENS = 768
"""Of ours, a step: with as many tokens in all, chosen on valid (docs/LOG.md)."""
IDS = "ids.json"
PAD, BOS, EOS = 0, 2, 3


def main() -> int:
    """A row a set, and how it came about on the error stream."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets_folder", type=Path)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-4, 1e-3], help="of the peer")
    parser.add_argument("--rows", type=int, nargs="+", default=[32], help="pairs a step of the peer")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of the peer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="changes our recipe")
    parser.add_argument("--alone", action="store_true", help="without the peer")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        how = {"kind": given.kinds[0], "rate": given.rates[0], "rows": given.rows[0]}
        print(json.dumps(theirs(given.peer, given.minutes, seed=given.seed, **how)))
        return 0
    print(f"{processor()}, {given.minutes:g} minutes of training a side, seed {given.seed}\n")
    print("| set | side | BLEU | chrF | M parameters | minutes in all |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in given.sets:
        with tempfile.TemporaryDirectory(prefix="autolect-bench-") as place:
            race(given, name, Path(place))
    return 0


def race(given: argparse.Namespace, name: str, folder: Path) -> None:
    """One set: ours, then the peer in each way; the one that is best on valid is measured."""
    data = parts(given.sets_folder / name, folder, choose=given.choose)
    run, found = ours(given, folder, data)
    show(name, "autolect", found)
    if given.alone:
        return
    export(run, folder, data)
    targets = {part: [row["target"] for row in data[part]] for part in ("valid", "test")}
    tries = []
    for kind, rate, rows in itertools.product(given.kinds, given.rates, given.rows):
        one = _peer(folder, given, kind, rate, rows)
        one["valid"] = measured(run, one["answers"]["valid"], targets["valid"], given.seed)
        what = f"{name}: {kind}, rate {rate:g}, {rows} pairs a step, {one['steps']:,} steps"
        print(f"{what}: valid {one['valid']['score']:.2f}", file=sys.stderr, flush=True)
        tries.append(one)
    best = max(tries, key=lambda one: float(one["valid"]["score"]))
    figures = measured(run, best["answers"]["test"], targets["test"], given.seed)
    show(name, f"{best['kind']}, rate {best['rate']:g}, {best['rows']} pairs a step", figures | best)


def parts(source: Path, folder: Path, *, choose: bool) -> dict[str, list[dict[str, str]]]:
    """The pairs that both sides learn from, choose by and are measured on; files of them too."""
    found = {part: _rows(source / f"{part}.jsonl") for part in PARTS}
    if choose:
        rows = found["train"]
        kept = [row for at, row in enumerate(rows) if at % HELD]
        found = {"train": kept, "valid": rows[::HELD], "test": found["valid"]}
    for part, rows in found.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def ours(
    given: argparse.Namespace, folder: Path, data: dict[str, list[dict[str, str]]]
) -> tuple[Any, dict[str, Any]]:
    """A run from the pairs' texts to a measured translator."""
    from autolect.core import files, recipe
    from autolect.core.progress import Silent
    from autolect.jobs.evaluate import FILE
    from autolect.jobs.run import walk
    from autolect.jobs.stages import Run

    texts = dict.fromkeys(
        " ".join(row[side].split()) for row in data["train"] for side in ("source", "target")
    )
    (folder / "text.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    paths = {part: str(folder / f"{part}.jsonl") for part in PARTS}
    table = {
        "seed": given.seed,
        "corpus": {"files": [str(folder / "text.txt")], "document": "line"},
        "tokenizer": {"vocab_size": VOCABULARY},
        "encoder": {"width": WIDTH, "layers": LAYERS, "heads": HEADS},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
        "train": {"minutes": SHARE * given.minutes, "length": LENGTH},
        "task": {"kind": "translate", "layers": LAYERS, "beams": BEAMS, "allow_overlap": True, **paths},
        "finetune": {
            "minutes": (1 - SHARE) * given.minutes,
            "length": LENGTH,
            "batch_tokens": BATCH_TOKENS,
        },
    }
    settings = recipe.from_table(
        recipe.config.merge(
            [table, *(recipe.config.parse_assignment(text) for text in given.set)], rivals=recipe.BUDGETS
        )
    )
    run = Run(folder=folder / "run", recipe=settings, progress=Silent())
    started = time.monotonic()
    walk(run, until="evaluation", alone=True)
    minutes = (time.monotonic() - started) / 60
    model = files.read_json(run.places["evaluation"] / FILE)["model"]
    return run, model | {"minutes": minutes, "parameters": _size(run)}


def export(run: Any, folder: Path, data: dict[str, list[dict[str, str]]]) -> None:
    """The pairs as token ids, read as ours reads them, for the peer."""
    from autolect.core import bundle
    from autolect.jobs.using.loading import reader_of

    place = run.places["pretrained"]
    reader = reader_of(place, bundle.open_bundle(place))
    found: dict[str, Any] = {"vocabulary": len(reader.tokenizer)}
    for part, rows in data.items():
        sides = [[row[side] for row in rows] for side in ("source", "target")]
        found[part] = [[one.ids.tolist() for one in reader.read(texts)] for texts in sides]
    (folder / IDS).write_text(json.dumps(found), encoding="utf-8")


def theirs(folder: Path, minutes: float, *, kind: str, rate: float, rows: int, seed: int) -> dict[str, Any]:
    """Trainer for so many minutes; then what it writes for valid and test, as token ids."""
    import datasets
    import torch
    from transformers import (
        MarianConfig,
        MarianMTModel,
        MBartConfig,
        MBartForConditionalGeneration,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    datasets.disable_progress_bars()
    read = json.loads((folder / IDS).read_text(encoding="utf-8"))
    set_seed(seed)
    of_kind = {
        "marian": (MarianMTModel, MarianConfig),
        "mbart": (MBartForConditionalGeneration, MBartConfig),
    }
    model, config = of_kind[kind]
    network = model(
        config(
            vocab_size=read["vocabulary"],
            d_model=WIDTH,
            encoder_layers=LAYERS,
            decoder_layers=LAYERS,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=4 * WIDTH,
            decoder_ffn_dim=4 * WIDTH,
            max_position_embeddings=4 * LENGTH,
            dropout=DROPOUT,
            scale_embedding=True,
            pad_token_id=PAD,
            bos_token_id=BOS,
            eos_token_id=EOS,
            forced_eos_token_id=EOS,
            decoder_start_token_id=BOS,
        )
    )
    data = {}
    for part in ("train", "valid"):
        sides = [[[*ids[: LENGTH - 1], EOS] for ids in side] for side in read[part]]
        data[part] = datasets.Dataset.from_dict(dict(zip(("input_ids", "labels"), sides, strict=True)))

    def collate(pairs: list[dict[str, Any]]) -> dict[str, Any]:
        ids = _padded([one["input_ids"] for one in pairs], PAD)
        labels = _padded([one["labels"] for one in pairs], -100)
        # Where labels are smoothed Trainer takes them before the network could shift them.
        begin = torch.full((len(pairs), 1), BOS)
        inputs = torch.cat([begin, labels[:, :-1].masked_fill(labels[:, :-1] == -100, PAD)], dim=1)
        keep = (ids != PAD).long()
        return {"input_ids": ids, "attention_mask": keep, "decoder_input_ids": inputs, "labels": labels}

    def trained(steps: int, *, looks: int = 0) -> tuple[float, Any]:
        how = {"eval_strategy": "no", "save_strategy": "no"}
        if looks:
            every = {"eval_steps": max(1, steps // looks), "save_steps": max(1, steps // looks)}
            how = {
                "eval_strategy": "steps",
                "save_strategy": "steps",
                **every,
                "load_best_model_at_end": True,
            }
        settings = TrainingArguments(
            str(folder / "trainer"),
            seed=seed,
            max_steps=steps,
            per_device_train_batch_size=rows,
            per_device_eval_batch_size=LOOKED,
            learning_rate=rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.01,
            adam_beta2=0.98,
            label_smoothing_factor=SMOOTHING,
            optim="adamw_torch_fused",
            bf16=bfloat16(),
            use_cpu=not cuda(),
            train_sampling_strategy="group_by_length",
            prediction_loss_only=True,
            save_total_limit=1,
            save_only_model=True,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            **how,
        )
        trainer = Trainer(
            network, settings, train_dataset=data["train"], eval_dataset=data["valid"], data_collator=collate
        )
        began = time.monotonic()
        trainer.train()
        return time.monotonic() - began, trainer

    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained(2)
    # Steps of one length follow each other, the longest first: all lengths are in so many.
    few, more = trained(2)[0], trained(2 + GROUPED)[0]
    network.load_state_dict(before)
    steps = max(1, int(minutes * 60 / ((more - few) / GROUPED)))
    seconds, trainer = trained(steps, looks=LOOKS)
    plain = trainer.accelerator.unwrap_model(network, keep_fp32_wrapper=False).eval()
    started = time.monotonic()
    answers = {part: _answers(plain, read[part][0]) for part in ("valid", "test")}
    return {
        "kind": kind,
        "rate": rate,
        "rows": rows,
        "steps": steps,
        "answers": answers,
        "minutes": (seconds + time.monotonic() - started) / 60,
        "parameters": sum(one.numel() for one in network.parameters() if one.requires_grad),
    }


def _answers(network: Any, sources: list[list[int]]) -> list[list[int]]:
    """What the peer's beams find for each source, those of like length together."""
    import torch

    order = sorted(range(len(sources)), key=lambda place: len(sources[place]))
    found: list[list[int]] = [[] for _ in sources]
    for start in range(0, len(order), 32):
        places = order[start : start + 32]
        ids = _padded([[*sources[place][: LENGTH - 1], EOS] for place in places], PAD).to(network.device)
        with torch.inference_mode():
            written = network.generate(
                input_ids=ids,
                attention_mask=(ids != PAD).long(),
                num_beams=BEAMS,
                max_new_tokens=LONGER * (ids.shape[1] - 1) + MORE,
                do_sample=False,
            )
        for place, row in zip(places, written.tolist(), strict=True):
            found[place] = [token for token in row if token not in (PAD, BOS, EOS)]
    return found


def _padded(rows: list[list[int]], fill: int) -> Any:
    """(B,L) of rows of unequal length."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


def _peer(folder: Path, given: argparse.Namespace, kind: str, rate: float, rows: int) -> dict[str, Any]:
    command = [str(PEERS), str(Path(__file__).resolve()), str(folder), "--sets", "none"]
    command += ["--peer", str(folder), "--minutes", str(given.minutes)]
    command += ["--kinds", kind, "--rates", str(rate)]
    command += ["--rows", str(rows), "--seed", str(given.seed)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(answer.strip().split("\n")[-1])
    return found


def measured(run: Any, answers: list[list[int]], targets: list[str], seed: int) -> dict[str, Any]:
    """BLEU and chrF of what the peer wrote, by the measure that ours has."""
    import numpy as np

    from autolect.core import registry
    from autolect.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(run.places["tokens"])
    task = registry.load("tasks", "translate").build(run.recipe.task, labels=())
    texts = [tokenizer.decode(np.array(one, dtype=np.int32)) for one in answers]
    figures: dict[str, Any] = task.measure(targets, texts, seed=seed)
    return figures


def show(name: str, side: str, one: dict[str, Any]) -> None:
    """A row of the table."""
    score = f"{one['score']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
    size = f"{one['parameters'] / 1e6:.2f} | {one['minutes']:.1f}"
    print(f"| {name} | {side} | {score} | {one['chrf']:.1f} | {size} |", flush=True)


def _size(run: Any) -> int:
    """Parameters of the network that translates."""
    from autolect.core import bundle
    from autolect.jobs.using.loading import load_network

    place = run.places["finetuned"]
    network, _ = load_network(place, bundle.open_bundle(place))
    return sum(one.numel() for one in network.parameters())


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())

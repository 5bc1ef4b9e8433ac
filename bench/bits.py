"""Bits a character beside transformers: its GPT-2, trained on the same tokens for the same minutes.

python bench/bits.py BUNDLE TOKENS TEXT... --minutes 15

BUNDLE is a causal bundle of autolect, TOKENS the run's tokens folder that it was trained on. The peer gets
the same tokenizer, a network of as many layers and the same width, packed blocks without padding, bfloat16
where the processor has it, fused AdamW with the same schedule, and torch.compile; what it takes to compile
is not counted. Both are scored by the same windows over the same documents.
"""

from __future__ import annotations

import argparse
import functools
import json
import lzma
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autolect.core.device import choose, set_threads
from autolect.jobs.using.use import Lect, load
from autolect.nn import scoring
from autolect.text import readers
from autolect.text.noise import padded
from autolect.text.shards import open_store
from autolect.text.tokenizer import BOS, EOS, PAD
from autolect.train.schedule import rate_at

BATCH = 8
"""Blocks a step."""


def main() -> int:
    """Train the peer, score both, and print one JSON line a text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3])
    given = parser.parse_args()
    set_threads()
    lect = load(given.bundle)
    for rate in given.rates:
        peer, facts = train(lect, given.tokens, minutes=given.minutes, rate=rate)
        for path in given.texts:
            ours = bits(lect, path, functools.partial(scoring.log_likelihoods, lect.model, pad=PAD))
            theirs = bits(lect, path, functools.partial(likelihoods, peer))
            parameters = {"autolect": lect.model.num_parameters(), "transformers": facts["parameters"]}
            found = {
                "text": path.name,
                "autolect": ours,
                "transformers": theirs,
                "xz -9e": packed(lect, path),
            }
            print(json.dumps({**found, "parameters": parameters, **facts}), flush=True)
    return 0


def train(lect: Lect, tokens: Path, *, minutes: float, rate: float) -> tuple[Any, dict[str, Any]]:
    """The peer, trained for so many minutes; and what it was."""
    from transformers import GPT2Config, GPT2LMHeadModel

    architecture = lect.model.architecture
    encoder: Any = architecture.encoder
    length = lect.info.length
    torch.manual_seed(0)
    layers = encoder.layers + (architecture.decoder.layers if architecture.decoder is not None else 0)  # type: ignore[attr-defined]
    config = GPT2Config(
        vocab_size=architecture.vocab_size,
        n_embd=architecture.width,
        n_layer=layers,
        n_head=encoder.heads,
        n_positions=length,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=BOS,
        eos_token_id=EOS,
        use_cache=False,
    )
    peer = GPT2LMHeadModel(config)
    blocks = packed_blocks(tokens, length=length)
    optimizer = torch.optim.AdamW(
        peer.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    device = choose("auto")
    draw = np.random.default_rng(0)
    compiled = torch.compile(peer)

    def step() -> None:
        rows = draw.choice(len(blocks), BATCH, replace=False)
        batch = torch.from_numpy(blocks[rows])
        with device.computing():
            loss = compiled(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    before = {name: value.clone() for name, value in peer.state_dict().items()}
    began = time.monotonic()
    step()
    compiling = time.monotonic() - began
    began = time.monotonic()
    for _ in range(5):
        step()
    steps = int(minutes * 60 / ((time.monotonic() - began) / 5))
    peer.load_state_dict(before)
    optimizer.state.clear()
    began = time.monotonic()
    for number in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(number, steps=steps, peak=rate, warmup=0.05)
        step()
        if number % 50 == 0:
            print(f"step {number} of {steps}", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    facts = {
        "parameters": sum(value.numel() for value in peer.parameters()),
        "seconds": round(seconds, 1),
        "compile_seconds": round(compiling, 1),
        "tokens_a_second": round(steps * BATCH * length / seconds),
        "rate": rate,
    }
    return peer.eval(), facts


def packed_blocks(tokens: Path, *, length: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """[BOS] document [EOS] one after the other, cut into blocks of ``length``."""
    store = open_store(tokens, "train", length=length - 2)
    rows = [padded([store.sequence(place)], int(store.lengths[place]) + 2)[0] for place in range(len(store))]
    draw = np.random.default_rng(0)
    stream = np.concatenate([rows[place] for place in draw.permutation(len(rows))])
    return stream[: len(stream) // length * length].reshape(-1, length)


def bits(lect: Lect, path: Path, score: Callable[[list[scoring.Window]], np.ndarray[Any, Any]]) -> float:
    """Bits a character of a text, ends of documents included."""
    clean, ids = read(lect, path)
    pieces = [
        piece for one in ids for piece in scoring.windows(one, begin=BOS, stop=EOS, length=lect.info.length)
    ]
    return -float(score(pieces).sum()) / math.log(2) / (sum(map(len, clean)) + len(clean))


@torch.inference_mode()
def likelihoods(peer: Any, pieces: list[scoring.Window]) -> np.ndarray[Any, Any]:
    """As `scoring.log_likelihoods`, by the peer."""
    found = np.zeros(len(pieces))
    order = sorted(range(len(pieces)), key=lambda at: len(pieces[at].ids))
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        longest = max(len(pieces[row].ids) for row in rows)
        ids = np.full((len(rows), longest), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(pieces[row].ids)] = pieces[row].ids
        tokens = torch.from_numpy(ids)
        logits: Tensor = peer(input_ids=tokens).logits.float()
        losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none").double()
        for place, row in enumerate(rows):
            piece = pieces[row]
            found[row] = -float(losses[place, piece.first - 1 : len(piece.ids) - 1].sum())
    return found


def read(lect: Lect, path: Path) -> tuple[list[str], list[np.ndarray[Any, Any]]]:
    """The documents of a text, cleaned, and their ids."""
    clean = [lect.reader.cleaner.clean(one.text).text for one in readers.read(path)]
    clean = [text for text in clean if text]
    return clean, [one.ids for one in lect.reader.tokenizer.encode_batch(clean)]


def packed(lect: Lect, path: Path) -> float:
    """What xz takes for the same characters."""
    whole = "\n".join(read(lect, path)[0]) + "\n"
    return 8 * len(lzma.compress(whole.encode(), preset=9 | lzma.PRESET_EXTREME)) / len(whole)


if __name__ == "__main__":
    sys.exit(main())
